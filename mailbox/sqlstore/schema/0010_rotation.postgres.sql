-- New keys for accounts: as 0010_rotation.sqlite.sql, whose comments say what the
-- tables are for.

CREATE TABLE credential_public (
    account_id    BIGINT NOT NULL REFERENCES account,
    credential_id BIGINT NOT NULL,
    public_ct     BYTEA NOT NULL,
    PRIMARY KEY (account_id, credential_id)
);
ALTER TABLE account_key ADD COLUMN due BIGINT NOT NULL DEFAULT 0;

CREATE TABLE former_key (
    account_id BIGINT NOT NULL REFERENCES account,
    generation BIGINT NOT NULL,
    key_ct     BYTEA NOT NULL,
    PRIMARY KEY (account_id, generation)
);
