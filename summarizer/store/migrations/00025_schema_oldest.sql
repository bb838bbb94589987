-- +goose Up
-- One row: the schema that a server has brought, and the oldest one whose programs
-- may go on with it. See store/schema.go.
CREATE TABLE schema_oldest (
  version BIGINT NOT NULL,
  oldest  BIGINT NOT NULL
);
INSERT INTO schema_oldest (version, oldest) VALUES (0, 0);
