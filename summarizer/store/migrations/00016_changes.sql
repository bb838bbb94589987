-- +goose Up
-- The history of a company's settings: what was changed by whom, what it was
-- before and is since, as JSON. Numbers go up by one, without a gap. undoes is
-- the number of the change that this one takes back; 0: none.
CREATE TABLE changes (
  company   TEXT   NOT NULL REFERENCES companies(id),
  number    BIGINT NOT NULL,
  at        BIGINT NOT NULL,
  actor     TEXT   NOT NULL,
  kind      TEXT   NOT NULL,
  subject   TEXT   NOT NULL,
  name      TEXT   NOT NULL,
  old_value TEXT   NOT NULL,
  new_value TEXT   NOT NULL,
  undoes    BIGINT NOT NULL,
  PRIMARY KEY (company, number)
);
CREATE INDEX changes_undoes ON changes(company, undoes);
ALTER TABLE companies ADD COLUMN changes BIGINT NOT NULL DEFAULT 0;
