-- Equal in meaning to 0009_objects.postgres.sql. In SQLite it is always empty.
ALTER TABLE meta ADD COLUMN objects TEXT NOT NULL DEFAULT '';
