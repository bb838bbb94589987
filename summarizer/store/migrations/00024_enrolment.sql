-- +goose Up
-- Enrolment tokens for more than one computer. id is how people name one; those of
-- before have none, and end within a day. uses: how many computers it may enrol;
-- used: how many it has.
ALTER TABLE enrol_tokens ADD COLUMN id TEXT NOT NULL DEFAULT '';
ALTER TABLE enrol_tokens ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE enrol_tokens ADD COLUMN device_group TEXT NOT NULL DEFAULT '';
ALTER TABLE enrol_tokens ADD COLUMN uses BIGINT NOT NULL DEFAULT 1;
ALTER TABLE enrol_tokens ADD COLUMN used BIGINT NOT NULL DEFAULT 0;
ALTER TABLE enrol_tokens ADD COLUMN revoked_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE enrol_tokens ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
UPDATE enrol_tokens SET used = 1 WHERE used_at > 0;
CREATE INDEX enrol_tokens_list ON enrol_tokens(company, created_at, id) WHERE id <> '';

-- By which token a computer was enrolled, and in which try of its own: a try whose
-- answer was lost is answered again, a copy of the computer is not. left_at: it said
-- itself that it is the company's no more; it is revoked with that.
ALTER TABLE devices ADD COLUMN enrol_token TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN enrol_try TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN left_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX device_keys_key ON device_keys(key_id);
