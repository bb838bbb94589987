-- +goose Up
-- Types are chosen so that the same statements run on SQLite and PostgreSQL.
-- Times are nanoseconds since 1970-01-01T00:00:00Z; 0 means "not yet" or "never".

CREATE TABLE companies (
  id               TEXT    NOT NULL PRIMARY KEY,
  name             TEXT    NOT NULL,
  tier             TEXT    NOT NULL,
  lang             TEXT    NOT NULL,
  settings         TEXT    NOT NULL,
  settings_version BIGINT  NOT NULL,
  created_at       BIGINT  NOT NULL
);

CREATE TABLE devices (
  id            TEXT   NOT NULL PRIMARY KEY,
  company       TEXT   NOT NULL REFERENCES companies(id),
  name          TEXT   NOT NULL,
  agent_version TEXT   NOT NULL,
  enrolled_at   BIGINT NOT NULL,
  last_seen_at  BIGINT NOT NULL,
  clock_skew    BIGINT NOT NULL,
  revoked_at    BIGINT NOT NULL
);
CREATE INDEX devices_company ON devices(company, enrolled_at);

CREATE TABLE device_keys (
  device     TEXT   NOT NULL REFERENCES devices(id),
  key_id     TEXT   NOT NULL,
  public_key BYTEA  NOT NULL,
  added_at   BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL,
  PRIMARY KEY (device, key_id)
);

-- Every bundle that was published to a device: a grant may name its version.
CREATE TABLE device_options (
  device           TEXT   NOT NULL REFERENCES devices(id),
  version          BIGINT NOT NULL,
  settings_version BIGINT NOT NULL,
  signed_at        BIGINT NOT NULL,
  expires_at       BIGINT NOT NULL,
  envelope         BYTEA  NOT NULL,
  PRIMARY KEY (device, version)
);

CREATE TABLE enrol_tokens (
  hash       BYTEA  NOT NULL PRIMARY KEY,
  company    TEXT   NOT NULL REFERENCES companies(id),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at    BIGINT NOT NULL,
  device     TEXT   NOT NULL
);

CREATE TABLE admin_links (
  hash       BYTEA  NOT NULL PRIMARY KEY,
  company    TEXT   NOT NULL REFERENCES companies(id),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at    BIGINT NOT NULL
);

CREATE TABLE console_sessions (
  hash         BYTEA  NOT NULL PRIMARY KEY,
  company      TEXT   NOT NULL REFERENCES companies(id),
  created_at   BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL
);

-- A stream is one company's part of one session of one device.
CREATE TABLE streams (
  company      TEXT    NOT NULL,
  device       TEXT    NOT NULL REFERENCES devices(id),
  session      TEXT    NOT NULL,
  ref          TEXT    NOT NULL UNIQUE,
  tool         TEXT    NOT NULL,
  supporter    TEXT    NOT NULL,
  supporter_verified BOOLEAN NOT NULL,
  direction    TEXT    NOT NULL,
  basis        TEXT    NOT NULL,
  provenance   TEXT    NOT NULL,
  groups       TEXT    NOT NULL,
  started_at   BIGINT  NOT NULL,
  opened_at    BIGINT  NOT NULL,
  updated_at   BIGINT  NOT NULL,
  acked        BIGINT  NOT NULL,
  acked_hash   BYTEA   NOT NULL,
  last_event_at BIGINT NOT NULL,
  ended_at     BIGINT  NOT NULL,
  end_reason   TEXT    NOT NULL,
  withdrawn_at BIGINT  NOT NULL,
  objected_at  BIGINT  NOT NULL,
  erased_at    BIGINT  NOT NULL,
  PRIMARY KEY (company, device, session)
);
CREATE INDEX streams_list ON streams(company, started_at DESC, ref);

CREATE TABLE grants (
  company    TEXT    NOT NULL,
  device     TEXT    NOT NULL,
  id         TEXT    NOT NULL,
  session    TEXT    NOT NULL,
  key_id     TEXT    NOT NULL,
  envelope   BYTEA   NOT NULL,
  tool       TEXT    NOT NULL,
  supporter  TEXT    NOT NULL,
  direction  TEXT    NOT NULL,
  basis      TEXT    NOT NULL,
  provenance TEXT    NOT NULL,
  groups     TEXT    NOT NULL,
  made_at    BIGINT  NOT NULL,
  not_before BIGINT  NOT NULL,
  expires    BIGINT  NOT NULL,
  received_at  BIGINT NOT NULL,
  withdrawn_at BIGINT NOT NULL,
  PRIMARY KEY (company, device, id),
  FOREIGN KEY (company, device, session) REFERENCES streams(company, device, session)
);
CREATE INDEX grants_session ON grants(company, device, session, made_at);

CREATE TABLE events (
  company  TEXT   NOT NULL,
  device   TEXT   NOT NULL,
  session  TEXT   NOT NULL,
  seq      BIGINT NOT NULL,
  grant_id TEXT   NOT NULL,
  kind     TEXT   NOT NULL,
  at       BIGINT NOT NULL,
  fields   TEXT   NOT NULL,
  PRIMARY KEY (company, device, session, seq),
  FOREIGN KEY (company, device, grant_id) REFERENCES grants(company, device, id)
);

-- Signed records other than grants: refusals, withdrawals, objections, …
CREATE TABLE records (
  company     TEXT   NOT NULL,
  device      TEXT   NOT NULL REFERENCES devices(id),
  id          TEXT   NOT NULL,
  type        TEXT   NOT NULL,
  session     TEXT   NOT NULL,
  made_at     BIGINT NOT NULL,
  received_at BIGINT NOT NULL,
  envelope    BYTEA  NOT NULL,
  PRIMARY KEY (company, device, id)
);
CREATE INDEX records_session ON records(company, device, session, made_at);

-- Grants that were withdrawn, known here or not: one that arrives after its own
-- withdrawal is refused.
CREATE TABLE withdrawals (
  company  TEXT   NOT NULL,
  device   TEXT   NOT NULL,
  grant_id TEXT   NOT NULL,
  session  TEXT   NOT NULL,
  at       BIGINT NOT NULL,
  PRIMARY KEY (company, device, grant_id)
);

CREATE TABLE jobs (
  id          TEXT   NOT NULL PRIMARY KEY,
  kind        TEXT   NOT NULL,
  ref         TEXT   NOT NULL,
  company     TEXT   NOT NULL,
  device      TEXT   NOT NULL,
  session     TEXT   NOT NULL,
  state       TEXT   NOT NULL,
  run_at      BIGINT NOT NULL,
  lease_until BIGINT NOT NULL,
  attempts    BIGINT NOT NULL,
  last_error  TEXT   NOT NULL,
  created_at  BIGINT NOT NULL,
  done_at     BIGINT NOT NULL,
  UNIQUE (kind, ref)
);
CREATE INDEX jobs_due ON jobs(state, run_at);

CREATE TABLE summaries (
  company    TEXT   NOT NULL,
  device     TEXT   NOT NULL,
  session    TEXT   NOT NULL,
  version    BIGINT NOT NULL,
  json       TEXT   NOT NULL,
  engine     TEXT   NOT NULL,
  lang       TEXT   NOT NULL,
  author     TEXT   NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (company, device, session, version)
);

CREATE TABLE credit_lots (
  id         TEXT   NOT NULL PRIMARY KEY,
  company    TEXT   NOT NULL REFERENCES companies(id),
  kind       TEXT   NOT NULL,
  period     TEXT   NOT NULL,
  granted    BIGINT NOT NULL,
  remaining  BIGINT NOT NULL CHECK (remaining >= 0),
  valid_from BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (company, kind, period)
);

-- One use a session, ever. lot is empty where the rule makes it free.
CREATE TABLE credit_uses (
  company TEXT   NOT NULL,
  device  TEXT   NOT NULL,
  session TEXT   NOT NULL,
  lot     TEXT   NOT NULL,
  amount  BIGINT NOT NULL,
  at      BIGINT NOT NULL,
  PRIMARY KEY (company, device, session)
);

CREATE TABLE audit (
  id      TEXT   NOT NULL PRIMARY KEY,
  company TEXT   NOT NULL,
  at      BIGINT NOT NULL,
  actor   TEXT   NOT NULL,
  action  TEXT   NOT NULL,
  subject TEXT   NOT NULL,
  detail  TEXT   NOT NULL
);
CREATE INDEX audit_company ON audit(company, at);
