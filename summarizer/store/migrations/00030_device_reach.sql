-- +goose Up
-- What a managed computer said last of whether somebody there could be asked: a
-- word of agent/wire/reach.go, empty: nothing yet; when that was; what could show
-- a question; and where there is no helper, what starts it.
ALTER TABLE devices ADD COLUMN reach TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN reach_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN reach_window BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE devices ADD COLUMN reach_dialog BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE devices ADD COLUMN reach_file TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN reach_line TEXT NOT NULL DEFAULT '';
CREATE INDEX devices_reach ON devices(company, reach, enrolled_at, id) WHERE code = '' AND account = '' AND revoked_at = 0;
