-- +goose Up
-- The company's time zone, a name of the IANA database: its credit month begins
-- at midnight there, and its licence's days are days there.
ALTER TABLE companies ADD COLUMN zone TEXT NOT NULL DEFAULT 'UTC';

-- A licence's days, YYYY-MM-DD: its start, and its first renewal; then it renews
-- every year. The tier stands with the company.
CREATE TABLE licences (
  company    TEXT   NOT NULL PRIMARY KEY REFERENCES companies(id),
  starts     TEXT   NOT NULL,
  renews     TEXT   NOT NULL,
  updated_at BIGINT NOT NULL
);

-- An order of a pack: a full lot for what is left of the term, and one for each
-- term that follows until it is cancelled. token is the caller's own: the same
-- one orders once. price is in hundredths of the currency, for a whole term.
CREATE TABLE credit_orders (
  id           TEXT   NOT NULL PRIMARY KEY,
  company      TEXT   NOT NULL REFERENCES companies(id),
  token        TEXT   NOT NULL,
  pack         TEXT   NOT NULL,
  credits      BIGINT NOT NULL,
  price        BIGINT NOT NULL,
  currency     TEXT   NOT NULL,
  placed_by    TEXT   NOT NULL,
  placed_at    BIGINT NOT NULL,
  cancelled_at BIGINT NOT NULL,
  UNIQUE (company, token)
);

-- What a lot of an order cost: price × days left ÷ days of the term.
CREATE TABLE credit_charges (
  lot      TEXT   NOT NULL PRIMARY KEY,
  company  TEXT   NOT NULL,
  ordered  TEXT   NOT NULL REFERENCES credit_orders(id),
  starts   TEXT   NOT NULL,
  ends     TEXT   NOT NULL,
  days     BIGINT NOT NULL,
  of_days  BIGINT NOT NULL,
  amount   BIGINT NOT NULL,
  currency TEXT   NOT NULL,
  at       BIGINT NOT NULL
);
CREATE INDEX credit_charges_company ON credit_charges(company, at);

-- warn: a warning is due when so many credits are left or fewer; low_at: since
-- when that is so, 0: it is not.
CREATE TABLE credit_warnings (
  company TEXT   NOT NULL PRIMARY KEY REFERENCES companies(id),
  warn    BIGINT NOT NULL,
  low_at  BIGINT NOT NULL
);

CREATE INDEX credit_uses_at ON credit_uses(company, at, device, session);
