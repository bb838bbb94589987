-- +goose Up
-- What sessions are found by: folded words, and exact values of their fields.
-- The first byte of a term is its kind, the rest UTF-8: bytes, for a text would
-- be ordered by the database's language. See search.go.
CREATE TABLE session_terms (
  company    TEXT   NOT NULL,
  term       BYTEA  NOT NULL,
  started_at BIGINT NOT NULL,
  ref        TEXT   NOT NULL
);
CREATE UNIQUE INDEX session_terms_list ON session_terms(company, term, started_at DESC, ref);
CREATE INDEX session_terms_ref ON session_terms(company, ref, term);

-- has_terms: the terms are written. title is that of the summary in force.
ALTER TABLE streams ADD COLUMN has_terms BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE streams ADD COLUMN title TEXT NOT NULL DEFAULT '';
CREATE INDEX streams_termless ON streams(started_at) WHERE has_terms = FALSE;
CREATE INDEX streams_open ON streams(company, started_at DESC, ref) WHERE ended_at = 0;
CREATE INDEX streams_erased ON streams(company, started_at DESC, ref) WHERE erased_at > 0;
CREATE INDEX jobs_company ON jobs(company, state, ref);
