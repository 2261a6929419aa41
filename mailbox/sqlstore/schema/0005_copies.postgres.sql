-- Equal in meaning to 0005_copies.sqlite.sql.
ALTER TABLE meta ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN program TEXT NOT NULL DEFAULT '';
