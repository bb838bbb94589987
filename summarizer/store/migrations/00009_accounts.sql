-- +goose Up
-- A computer that asks to be signed in to a user's account: for ten minutes, by
-- a code that the user enters. It is the company's of that user then, and before
-- no company's. Both codes are kept as hashes, the one that
-- people type as a keyed one, for it has only 40 bits.
CREATE TABLE sign_ins (
  id            TEXT   NOT NULL PRIMARY KEY,
  company       TEXT   NOT NULL,
  user_code     BYTEA  NOT NULL UNIQUE,
  device_code   BYTEA  NOT NULL UNIQUE,
  public_key    BYTEA  NOT NULL,
  name          TEXT   NOT NULL,
  address       TEXT   NOT NULL,
  agent_version TEXT   NOT NULL,
  created_at    BIGINT NOT NULL,
  expires_at    BIGINT NOT NULL,
  polled_at     BIGINT NOT NULL,
  owner         TEXT   NOT NULL,
  decided_at    BIGINT NOT NULL,
  device        TEXT   NOT NULL
);

-- The user in whose account a computer is signed in. Empty: an enrolled one, or
-- the key of one session.
ALTER TABLE devices ADD COLUMN account TEXT NOT NULL DEFAULT '';
