-- +goose Up
-- How many credits of each lot were used in each quarter of an hour. counted is 1 for
-- a use that is in it; a program that does not know the table leaves it at 0, and so
-- its uses are found. See counts.go.
CREATE TABLE credit_counts (
  company TEXT   NOT NULL,
  quarter BIGINT NOT NULL,
  lot     TEXT   NOT NULL,
  n       BIGINT NOT NULL,
  PRIMARY KEY (company, quarter, lot)
);
ALTER TABLE credit_uses ADD COLUMN counted BIGINT NOT NULL DEFAULT 0;
CREATE INDEX credit_uses_uncounted ON credit_uses(company, at) WHERE counted = 0 AND amount > 0;
