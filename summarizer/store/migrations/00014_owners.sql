-- +goose Up
-- The user who started a session, where the company knows it: they announced it,
-- or their code was redeemed. Empty: it does not.
ALTER TABLE streams ADD COLUMN owner TEXT NOT NULL DEFAULT '';
CREATE INDEX streams_owner ON streams(company, owner, started_at DESC, ref) WHERE owner <> '';
