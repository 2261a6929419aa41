-- What was used once and need not be remembered for good has a last day; 0 has none.
ALTER TABLE spent ADD COLUMN last_day INTEGER NOT NULL DEFAULT 0;
CREATE INDEX spent_last_day ON spent (last_day) WHERE last_day > 0;
