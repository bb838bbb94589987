-- +goose Up
-- The checkpoints that a device showed of its log of records. size, root and
-- envelope: the newest of those that continue each other, from the first on. The
-- other_ columns: the newest of those that do not continue them, beside it; size 0
-- with an empty root: there is none. broken: how often one did not continue the one
-- before, first on broken_at.
CREATE TABLE device_logs (
  company        TEXT   NOT NULL,
  device         TEXT   NOT NULL,
  size           BIGINT NOT NULL,
  root           BYTEA  NOT NULL,
  envelope       BYTEA  NOT NULL,
  at             BIGINT NOT NULL,
  other_size     BIGINT NOT NULL,
  other_root     BYTEA  NOT NULL,
  other_envelope BYTEA  NOT NULL,
  other_at       BIGINT NOT NULL,
  broken         BIGINT NOT NULL,
  broken_at      BIGINT NOT NULL,
  PRIMARY KEY (company, device)
);
