-- +goose Up
-- A policy that was deleted keeps its row and its versions, which records name.
-- deleted_name is what it was called, empty: it is not deleted. Its name is then
-- its id, so that another one may have the name.
ALTER TABLE policies ADD COLUMN deleted_name TEXT NOT NULL DEFAULT '';
