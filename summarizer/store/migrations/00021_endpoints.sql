-- +goose Up
-- Where a company wants to be told: webhooks, and other systems that keep its
-- summaries. config is JSON owned by summarizer/integration; secrets are sealed by
-- a key that is not in the database. events: ',type,type,'.
CREATE TABLE endpoints (
  id         TEXT    NOT NULL PRIMARY KEY,
  company    TEXT    NOT NULL REFERENCES companies(id),
  kind       TEXT    NOT NULL,
  name       TEXT    NOT NULL,
  config     TEXT    NOT NULL,
  secrets    BYTEA   NOT NULL,
  events     TEXT    NOT NULL,
  enabled    BOOLEAN NOT NULL,
  off_reason TEXT    NOT NULL,
  version    BIGINT  NOT NULL,
  created_at BIGINT  NOT NULL,
  updated_at BIGINT  NOT NULL
);
CREATE INDEX endpoints_company ON endpoints(company, created_at);

-- One thing to be told to one endpoint, written with what it tells; its work is
-- the job (delivery, id). data is JSON and holds no captured text. happening names
-- what happened: the same is told to an endpoint once.
CREATE TABLE deliveries (
  id         TEXT   NOT NULL PRIMARY KEY,
  company    TEXT   NOT NULL,
  endpoint   TEXT   NOT NULL REFERENCES endpoints(id),
  event      TEXT   NOT NULL,
  happening  TEXT   NOT NULL,
  type       TEXT   NOT NULL,
  device     TEXT   NOT NULL,
  session    TEXT   NOT NULL,
  revision   BIGINT NOT NULL,
  at         BIGINT NOT NULL,
  data       TEXT   NOT NULL,
  status     BIGINT NOT NULL,
  remote     TEXT   NOT NULL,
  skipped    BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (endpoint, happening)
);
CREATE INDEX deliveries_list ON deliveries(company, id);
CREATE INDEX deliveries_endpoint ON deliveries(endpoint, id);
CREATE INDEX deliveries_session ON deliveries(endpoint, device, session, id);

-- What an endpoint keeps of a session: the other system's record and the revision
-- of the summary that it holds.
CREATE TABLE endpoint_notes (
  endpoint   TEXT   NOT NULL REFERENCES endpoints(id),
  company    TEXT   NOT NULL,
  device     TEXT   NOT NULL,
  session    TEXT   NOT NULL,
  remote     TEXT   NOT NULL,
  revision   BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (endpoint, device, session)
);
