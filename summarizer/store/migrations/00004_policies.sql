-- +goose Up
-- A company's policies: the draft that is being worked on, and every version
-- that was published. Versions only go up.
CREATE TABLE policies (
  id         TEXT   NOT NULL PRIMARY KEY,
  company    TEXT   NOT NULL REFERENCES companies(id),
  name       TEXT   NOT NULL,
  draft      TEXT   NOT NULL,
  version    BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (company, name)
);

-- release is the signed envelope of the company's release key; empty: none.
CREATE TABLE policy_versions (
  policy       TEXT   NOT NULL REFERENCES policies(id),
  version      BIGINT NOT NULL,
  settings     TEXT   NOT NULL,
  release      BYTEA  NOT NULL,
  published_at BIGINT NOT NULL,
  PRIMARY KEY (policy, version)
);

-- device is empty for the policy of all devices that have none of their own.
CREATE TABLE policy_assignments (
  company TEXT NOT NULL REFERENCES companies(id),
  device  TEXT NOT NULL,
  policy  TEXT NOT NULL REFERENCES policies(id),
  PRIMARY KEY (company, device)
);
