-- When mail and accounts go by themselves.

-- The last day on which somebody used the account, or its first.
ALTER TABLE account ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
UPDATE account SET seen = created;

-- The day by which ages were last judged. A clock that leaps ahead of it is not
-- believed at once.
ALTER TABLE meta ADD COLUMN calendar INTEGER NOT NULL DEFAULT 0;
