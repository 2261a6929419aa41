-- What was used once and need not be remembered for good: as 0011_spent.sqlite.sql.
ALTER TABLE spent ADD COLUMN last_day BIGINT NOT NULL DEFAULT 0;
CREATE INDEX spent_last_day ON spent (last_day) WHERE last_day > 0;
