-- +goose Up
-- How many sessions began in each quarter of an hour, by what allowed them or that
-- they were erased. counted is what a session is counted as there; '': not yet. See
-- counts.go.
CREATE TABLE session_counts (
  company TEXT   NOT NULL,
  quarter BIGINT NOT NULL,
  what    TEXT   NOT NULL,
  n       BIGINT NOT NULL,
  PRIMARY KEY (company, quarter, what)
);
ALTER TABLE streams ADD COLUMN counted TEXT NOT NULL DEFAULT '';
CREATE INDEX streams_uncounted ON streams(company, started_at) WHERE counted <> CASE WHEN erased_at > 0 THEN 'erased' ELSE basis END;
