-- Large bodies in an object store: what the names of this database's objects begin
-- with, or nothing if it has none. Bodies without a row are spared by quarters of an
-- hour now.
ALTER TABLE meta ADD COLUMN objects TEXT NOT NULL DEFAULT '';
ALTER TABLE loose RENAME COLUMN hour TO quarter;
UPDATE loose SET quarter = quarter * 4;
