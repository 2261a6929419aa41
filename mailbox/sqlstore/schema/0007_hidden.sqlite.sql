-- What devices that may not expunge have removed for themselves: messages that they
-- have marked (1), or that are gone for them (2).
CREATE TABLE hidden (
    account_id INTEGER NOT NULL,
    mailbox_id INTEGER NOT NULL,
    uid        INTEGER NOT NULL,
    device     INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    PRIMARY KEY (account_id, mailbox_id, uid, device)
) STRICT, WITHOUT ROWID;
