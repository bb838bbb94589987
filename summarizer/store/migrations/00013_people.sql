-- +goose Up
-- A user is one person of a company: what they may do, and how they sign in.
-- login is what they type, in lower case; empty: they have none. password is an
-- argon2id hash in PHC form; empty: none is set. fold is what a search looks in.
-- team is the group whose sessions count as theirs where the company says so.
ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT 'supporter';
ALTER TABLE users ADD COLUMN login TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN team TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN password TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN fold TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN signed_in_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN glass_seen_at BIGINT NOT NULL DEFAULT 0;
UPDATE users SET fold = LOWER(name);
CREATE UNIQUE INDEX users_login ON users(company, login) WHERE login <> '';
CREATE INDEX users_list ON users(company, fold, id);

-- A user as the company's identity provider knows them.
CREATE TABLE user_identities (
  company    TEXT   NOT NULL REFERENCES companies(id),
  issuer     TEXT   NOT NULL,
  subject    TEXT   NOT NULL,
  owner      TEXT   NOT NULL REFERENCES users(id),
  created_at BIGINT NOT NULL,
  PRIMARY KEY (company, issuer, subject)
);
CREATE INDEX user_identities_owner ON user_identities(company, owner);

-- One-time links with which a user sets a password.
CREATE TABLE invitations (
  hash       BYTEA  NOT NULL PRIMARY KEY,
  company    TEXT   NOT NULL REFERENCES companies(id),
  owner      TEXT   NOT NULL REFERENCES users(id),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at    BIGINT NOT NULL
);
CREATE INDEX invitations_owner ON invitations(company, owner);

-- The company's identity provider (OpenID Connect). settings is JSON owned by
-- summarizer/company; secret is sealed.
CREATE TABLE identity_providers (
  company  TEXT   NOT NULL PRIMARY KEY REFERENCES companies(id),
  settings TEXT   NOT NULL,
  secret   BYTEA  NOT NULL,
  set_at   BIGINT NOT NULL
);

-- Whose browser it is: a user's, or (empty) one that came by an administrator
-- link. via is link, password or oidc.
ALTER TABLE console_sessions ADD COLUMN id TEXT NOT NULL DEFAULT '';
ALTER TABLE console_sessions ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE console_sessions ADD COLUMN via TEXT NOT NULL DEFAULT 'link';
ALTER TABLE console_sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE console_sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';
CREATE INDEX console_sessions_owner ON console_sessions(company, owner);

-- Each time that an administrator link was used although administrators can
-- sign in themselves.
CREATE TABLE break_glass (
  id      TEXT   NOT NULL PRIMARY KEY,
  company TEXT   NOT NULL REFERENCES companies(id),
  at      BIGINT NOT NULL,
  reason  TEXT   NOT NULL,
  address TEXT   NOT NULL
);
CREATE INDEX break_glass_company ON break_glass(company, at);

-- The first-run wizard was completed: it works once.
CREATE TABLE company_setups (
  company TEXT   NOT NULL PRIMARY KEY REFERENCES companies(id),
  at      BIGINT NOT NULL,
  terms   TEXT   NOT NULL,
  owner   TEXT   NOT NULL
);

-- Secrets with which programs speak to the server, known by their SHA-256.
-- owner is the user whose they are; empty: the company's own. expires_at is 0
-- for those of a version in which they did not expire.
CREATE TABLE api_tokens (
  id         TEXT   NOT NULL PRIMARY KEY,
  company    TEXT   NOT NULL REFERENCES companies(id),
  hash       BYTEA  NOT NULL UNIQUE,
  prefix     TEXT   NOT NULL,
  name       TEXT   NOT NULL,
  owner      TEXT   NOT NULL,
  scopes     TEXT   NOT NULL,
  created_by TEXT   NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at    BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL
);
CREATE INDEX api_tokens_company ON api_tokens(company, created_at);
CREATE INDEX api_tokens_owner ON api_tokens(company, owner);
INSERT INTO api_tokens (id, company, hash, prefix, name, owner, scopes, created_by, created_at, expires_at, used_at, revoked_at)
  SELECT k.owner || '-' || k.created_at, u.company, k.hash, 'aval_user_', '', k.owner, 'codes:write', 'command', k.created_at, 0, k.used_at, 0
  FROM user_tokens k JOIN users u ON u.id = k.owner;
DROP TABLE user_tokens;
