-- +goose Up
-- What computers are found by: the ends of what is searched in them, from each of its
-- characters on, cut to 16; bytes, for a text would be ordered by the database's
-- language. See devicesearch.go.
CREATE TABLE device_suffixes (
  company     TEXT   NOT NULL,
  suffix      BYTEA  NOT NULL,
  device      TEXT   NOT NULL,
  enrolled_at BIGINT NOT NULL,
  PRIMARY KEY (company, suffix, device)
);
CREATE INDEX device_suffixes_device ON device_suffixes(device);
-- What the suffixes that are there were made of; they are good while it is the
-- same as search.
ALTER TABLE devices ADD COLUMN suffixed TEXT NOT NULL DEFAULT '';
CREATE INDEX devices_unsuffixed ON devices(company) WHERE suffixed <> search AND code = '';
-- The charts count over time, without a look at the rows themselves.
CREATE INDEX credit_uses_sum ON credit_uses(company, at, lot, amount);
