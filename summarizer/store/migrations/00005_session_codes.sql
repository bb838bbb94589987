-- +goose Up
-- A session code: once, for ten minutes, from one supporter. hash is keyed, for
-- a code has only 40 bits.
CREATE TABLE session_codes (
  id             TEXT    NOT NULL PRIMARY KEY,
  company        TEXT    NOT NULL REFERENCES companies(id),
  hash           BYTEA   NOT NULL UNIQUE,
  supporter      TEXT    NOT NULL,
  log_sessions   BOOLEAN NOT NULL,
  module         TEXT    NOT NULL,
  module_enabled BOOLEAN NOT NULL,
  created_by     TEXT    NOT NULL,
  created_at     BIGINT  NOT NULL,
  expires_at     BIGINT  NOT NULL,
  used_at        BIGINT  NOT NULL,
  device         TEXT    NOT NULL
);
CREATE INDEX session_codes_device ON session_codes(device);

-- Failed tries of an address, by its keyed hash, since the first of a series.
CREATE TABLE code_tries (
  address BYTEA  NOT NULL PRIMARY KEY,
  since   BIGINT NOT NULL,
  n       BIGINT NOT NULL
);

-- The code whose redemption certified a device's key: it is one session's, and
-- no computer of the company's. Empty: an enrolled computer.
ALTER TABLE devices ADD COLUMN code TEXT NOT NULL DEFAULT '';
