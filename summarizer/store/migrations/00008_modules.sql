-- +goose Up
-- A company's modules, by the names that people read. The signed files hold no
-- secret and are not kept.
CREATE TABLE modules (
  id         TEXT    NOT NULL PRIMARY KEY,
  company    TEXT    NOT NULL REFERENCES companies(id),
  name       TEXT    NOT NULL,
  enabled    BOOLEAN NOT NULL,
  created_at BIGINT  NOT NULL,
  expires_at BIGINT  NOT NULL,
  revoked_at BIGINT  NOT NULL,
  UNIQUE (company, name)
);
