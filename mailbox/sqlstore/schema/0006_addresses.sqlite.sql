-- Several addresses for an account, the keys that they publish, the senders that
-- it doesn't want to hear, and how long it wants mail kept.

-- The number of the next address: how many the account ever had.
ALTER TABLE account ADD COLUMN next_address INTEGER NOT NULL DEFAULT 2;

-- The owner's own term of a mailbox in days, 0 if the relay's holds.
ALTER TABLE mailbox ADD COLUMN days INTEGER NOT NULL DEFAULT 0;

-- The certificate that is published under an address. Anybody may ask for it by
-- the address, and no two addresses have the same.
CREATE TABLE published (
    account_id INTEGER NOT NULL REFERENCES account,
    addr_mac   BLOB NOT NULL,
    wkd_mac    BLOB NOT NULL,
    fpr_mac    BLOB NOT NULL,
    cert_ct    BLOB NOT NULL,
    PRIMARY KEY (account_id, addr_mac)
) STRICT;
CREATE UNIQUE INDEX published_wkd ON published (wkd_mac);
CREATE UNIQUE INDEX published_fpr ON published (fpr_mac);

-- Addresses that their owners gave up. Nobody gets them again, and whose they
-- were is forgotten.
CREATE TABLE retired (
    addr_mac BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE blocked (
    account_id INTEGER NOT NULL REFERENCES account,
    sender_mac BLOB NOT NULL,
    sender_ct  BLOB NOT NULL,
    PRIMARY KEY (account_id, sender_mac)
) STRICT, WITHOUT ROWID;

-- Sign-up tokens that were used, as hashes that lead to no account.
CREATE TABLE spent (
    token BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
