-- What owners note beside their mailboxes, and what it takes to wake their devices.

-- Entries of METADATA. Those of the account itself are of mailbox 0.
CREATE TABLE metadata (
    account_id INTEGER NOT NULL REFERENCES account,
    mailbox_id INTEGER NOT NULL,
    name_mac   BLOB NOT NULL,
    entry_ct   BLOB NOT NULL,
    PRIMARY KEY (account_id, mailbox_id, name_mac)
) STRICT, WITHOUT ROWID;

-- Push tokens, sealed to the relay. n says which was added last.
CREATE TABLE push_token (
    account_id INTEGER NOT NULL REFERENCES account,
    token_mac  BLOB NOT NULL,
    token_ct   BLOB NOT NULL,
    day        INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    PRIMARY KEY (account_id, token_mac)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX push_token_order ON push_token (account_id, n);
