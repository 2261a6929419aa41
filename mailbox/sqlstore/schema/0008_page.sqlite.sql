-- Copies of the keys and envelopes of 64 UIDs each, sealed together. A page is gone
-- as soon as one of its messages is. It has a rowid for the reason that sealed has.
CREATE TABLE page (
    account_id INTEGER NOT NULL,
    mailbox_id INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    messages   INTEGER NOT NULL,
    data       BLOB NOT NULL,
    PRIMARY KEY (account_id, mailbox_id, number)
) STRICT;
