-- +goose Up
-- Who has read what a company has of a session: once for each reader and hour, so
-- that a page that is looked at again leaves no second row. hour is its first
-- instant, at the time of the first look in it. It stays when the session is
-- erased, like the audit log.
CREATE TABLE session_reads (
  company TEXT   NOT NULL,
  ref     TEXT   NOT NULL,
  reader  TEXT   NOT NULL,
  hour    BIGINT NOT NULL,
  at      BIGINT NOT NULL,
  PRIMARY KEY (company, ref, reader, hour)
);

-- What is counted of sessions by what became of their consent.
CREATE INDEX streams_withdrawn ON streams(company, started_at) WHERE withdrawn_at > 0;
CREATE INDEX streams_objected ON streams(company, started_at) WHERE objected_at > 0;
