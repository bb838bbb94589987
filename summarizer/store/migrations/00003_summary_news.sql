-- +goose Up
-- 1: the device has not been told yet what the company's summary of its session
-- is now, or that there is none any more.
ALTER TABLE streams ADD COLUMN summary_news BIGINT NOT NULL DEFAULT 0;
UPDATE streams SET summary_news = 1 WHERE erased_at = 0 AND EXISTS (
  SELECT 1 FROM summaries m WHERE m.company = streams.company AND m.device = streams.device AND m.session = streams.session);
CREATE INDEX streams_news ON streams(device) WHERE summary_news = 1;
