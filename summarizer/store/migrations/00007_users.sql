-- +goose Up
-- A company's supporters, by the names that the people at computers read.
CREATE TABLE users (
  id           TEXT    NOT NULL PRIMARY KEY,
  company      TEXT    NOT NULL REFERENCES companies(id),
  name         TEXT    NOT NULL,
  log_sessions BOOLEAN NOT NULL,
  created_at   BIGINT  NOT NULL,
  disabled_at  BIGINT  NOT NULL
);

-- With one of these a user's programs speak to the server.
CREATE TABLE user_tokens (
  hash       BYTEA  NOT NULL PRIMARY KEY,
  owner      TEXT   NOT NULL REFERENCES users(id),
  created_at BIGINT NOT NULL,
  used_at    BIGINT NOT NULL
);

-- A user has announced a session on an enrolled computer. envelope is the signed
-- request; told_at is when the computer had it.
CREATE TABLE announcements (
  id         TEXT   NOT NULL PRIMARY KEY,
  company    TEXT   NOT NULL REFERENCES companies(id),
  device     TEXT   NOT NULL REFERENCES devices(id),
  owner      TEXT   NOT NULL REFERENCES users(id),
  envelope   BYTEA  NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  told_at    BIGINT NOT NULL
);
CREATE INDEX announcements_due ON announcements(company, device) WHERE told_at = 0;
