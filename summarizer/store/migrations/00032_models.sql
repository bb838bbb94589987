-- +goose Up
-- A company's own language model: how it is reached. secret is the key, sealed by
-- a key that is not in the database; empty: none is needed.
CREATE TABLE company_models (
  company TEXT   NOT NULL PRIMARY KEY REFERENCES companies(id),
  config  TEXT   NOT NULL,
  secret  BYTEA  NOT NULL,
  set_at  BIGINT NOT NULL
);
