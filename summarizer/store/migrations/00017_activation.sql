-- +goose Up
-- Companies that are in use already go on as before: who accepted which terms
-- was not kept then.
UPDATE companies SET settings = '{"activation":{"by":"before"},' || SUBSTR(settings, 2) WHERE settings LIKE '{"%';
