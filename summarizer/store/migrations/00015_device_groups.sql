-- +goose Up
-- Groups of a company's devices. policy is the one assigned to the group; empty:
-- none. A group that was deleted keeps its row, so that it can come back with
-- the devices that are still in it.
CREATE TABLE device_groups (
  id         TEXT   NOT NULL PRIMARY KEY,
  company    TEXT   NOT NULL REFERENCES companies(id),
  name       TEXT   NOT NULL,
  policy     TEXT   NOT NULL,
  created_at BIGINT NOT NULL,
  deleted_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX device_groups_name ON device_groups(company, name) WHERE deleted_at = 0;

-- hostname is what the computer calls itself, name what people here call it;
-- search is both, folded to small letters without accents.
ALTER TABLE devices ADD COLUMN hostname TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN search TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN device_group TEXT NOT NULL DEFAULT '';
-- What the last bundle that was signed for the device says: its policy in which
-- version, since when, and which version of the company's settings it is of.
ALTER TABLE devices ADD COLUMN policy TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN policy_version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN policy_since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN settings_version BIGINT NOT NULL DEFAULT 0;
UPDATE devices SET hostname = name, search = LOWER(name);
-- Every device gets a new bundle, and with it what the columns above say.
UPDATE companies SET settings_version = settings_version + 1;
CREATE INDEX devices_managed ON devices(company, enrolled_at, id) WHERE code = '';
CREATE INDEX devices_group ON devices(company, device_group, enrolled_at, id) WHERE code = '';
CREATE INDEX devices_policy ON devices(company, policy) WHERE code = '';
