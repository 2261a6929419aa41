-- Copies of stores: backups, and stores that move from one engine to another.

-- What the store is for (place.go): 0 it is served, 1 a copy is coming in, 2 it is
-- a whole copy, 3 it has moved elsewhere.
ALTER TABLE meta ADD COLUMN place INTEGER NOT NULL DEFAULT 0;

-- The version of the program that made the schema what it is.
ALTER TABLE meta ADD COLUMN program TEXT NOT NULL DEFAULT '';
