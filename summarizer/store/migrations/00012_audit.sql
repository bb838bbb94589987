-- +goose Up
-- The audit trail is a Merkle log for each company, see store/audit.go. Rows of
-- before have seq -1 until the company's next row takes them in.
ALTER TABLE audit ADD COLUMN seq BIGINT NOT NULL DEFAULT -1;
ALTER TABLE audit ADD COLUMN salt BYTEA NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN before_value TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN after_value TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX audit_seq ON audit(company, seq) WHERE seq >= 0;
CREATE INDEX audit_actor ON audit(company, actor, seq);
CREATE INDEX audit_action ON audit(company, action, seq);
CREATE INDEX audit_subject ON audit(company, subject, seq);

-- The log as it stands: its size, its root, and the signature over both.
CREATE TABLE audit_logs (
  company TEXT   NOT NULL PRIMARY KEY,
  size    BIGINT NOT NULL,
  root    BYTEA  NOT NULL,
  head    BYTEA  NOT NULL
);

-- Nodes of the tree, numbered as golang.org/x/mod/sumdb/tlog numbers them.
CREATE TABLE audit_nodes (
  company TEXT   NOT NULL,
  node    BIGINT NOT NULL,
  hash    BYTEA  NOT NULL,
  PRIMARY KEY (company, node)
);
