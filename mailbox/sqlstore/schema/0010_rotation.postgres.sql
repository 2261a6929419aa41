-- New keys for accounts: as 0010_rotation.sqlite.sql, whose comments say what the
-- columns are for.

ALTER TABLE credential ADD COLUMN public_ct BYTEA NOT NULL DEFAULT '';
ALTER TABLE account_key ADD COLUMN due BIGINT NOT NULL DEFAULT 0;

CREATE TABLE former_key (
    account_id BIGINT NOT NULL REFERENCES account,
    generation BIGINT NOT NULL,
    key_ct     BYTEA NOT NULL,
    PRIMARY KEY (account_id, generation)
);
