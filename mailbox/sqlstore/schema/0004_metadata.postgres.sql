-- What owners note beside their mailboxes, and what it takes to wake their devices,
-- equal in meaning to 0004_metadata.sqlite.sql, whose comments say what the tables
-- are for.

CREATE TABLE metadata (
    account_id BIGINT NOT NULL REFERENCES account,
    mailbox_id BIGINT NOT NULL,
    name_mac   BYTEA NOT NULL,
    entry_ct   BYTEA NOT NULL,
    PRIMARY KEY (account_id, mailbox_id, name_mac)
);

CREATE TABLE push_token (
    account_id BIGINT NOT NULL REFERENCES account,
    token_mac  BYTEA NOT NULL,
    token_ct   BYTEA NOT NULL,
    day        BIGINT NOT NULL,
    n          BIGINT NOT NULL,
    PRIMARY KEY (account_id, token_mac)
);
CREATE UNIQUE INDEX push_token_order ON push_token (account_id, n);
