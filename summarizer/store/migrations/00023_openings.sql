-- +goose Up
-- Modules that wait for a supporter: somebody has opened one without a code. number
-- is what the person reads out; code is the row of session_codes that came of it
-- when somebody took it. closed_at: it does not wait any more.
CREATE TABLE openings (
  id            TEXT   NOT NULL PRIMARY KEY,
  company       TEXT   NOT NULL REFERENCES companies(id),
  module        TEXT   NOT NULL,
  number        TEXT   NOT NULL,
  public_key    BYTEA  NOT NULL,
  agent_version TEXT   NOT NULL,
  created_at    BIGINT NOT NULL,
  expires_at    BIGINT NOT NULL,
  polled_at     BIGINT NOT NULL,
  closed_at     BIGINT NOT NULL,
  code          TEXT   NOT NULL
);
CREATE UNIQUE INDEX openings_number ON openings(company, number) WHERE closed_at = 0;
CREATE INDEX openings_old ON openings(expires_at);
