-- +goose Up
-- Answers to requests that named a key: the same request is answered by the same
-- answer and done once. status 0: it is being done.
CREATE TABLE request_keys (
  company    TEXT   NOT NULL,
  actor      TEXT   NOT NULL,
  key        TEXT   NOT NULL,
  request    BYTEA  NOT NULL,
  status     BIGINT NOT NULL,
  headers    TEXT   NOT NULL,
  body       BYTEA  NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (company, actor, key)
);
CREATE INDEX request_keys_old ON request_keys(created_at);

-- What people add to the report of a session: how it is billed, and a note.
CREATE TABLE report_notes (
  company       TEXT   NOT NULL,
  device        TEXT   NOT NULL,
  session       TEXT   NOT NULL,
  billing_state TEXT   NOT NULL,
  note          TEXT   NOT NULL,
  updated_at    BIGINT NOT NULL,
  PRIMARY KEY (company, device, session)
);
CREATE INDEX streams_ended ON streams(company, direction, ended_at DESC, ref);
