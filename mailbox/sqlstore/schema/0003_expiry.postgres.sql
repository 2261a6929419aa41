-- When mail and accounts go by themselves: as 0003_expiry.sqlite.sql.

-- The last day on which somebody used the account, or its first.
ALTER TABLE account ADD COLUMN seen BIGINT NOT NULL DEFAULT 0;
UPDATE account SET seen = created;

-- The day by which ages were last judged. A clock that leaps ahead of it is not
-- believed at once.
ALTER TABLE meta ADD COLUMN calendar BIGINT NOT NULL DEFAULT 0;
