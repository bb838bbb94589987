-- +goose Up
-- Key files that the servers of one database share, sealed with a key that only
-- the servers have. name is the path below the data folder.
CREATE TABLE sealed_files (
  name    TEXT   NOT NULL PRIMARY KEY,
  sealed  BYTEA  NOT NULL,
  made_at BIGINT NOT NULL
);
