-- New keys for accounts.

-- The public half of each credential's own key pair, sealed to the owner: to it a new
-- root secret is handed. It has a rowid: WITHOUT ROWID, rows of this size would have an
-- overflow page each. Credentials from before this schema have none.
CREATE TABLE credential_public (
    account_id    INTEGER NOT NULL REFERENCES account,
    credential_id INTEGER NOT NULL,
    public_ct     BLOB NOT NULL,
    PRIMARY KEY (account_id, credential_id)
) STRICT;

-- Whether the account gets new keys at its owner's next login.
ALTER TABLE account_key ADD COLUMN due INTEGER NOT NULL DEFAULT 0;

-- The root secrets of former generations to which messages are still sealed, under
-- the present keys. Generation 0 is the key of EMAILIDs, which stays for life.
CREATE TABLE former_key (
    account_id INTEGER NOT NULL REFERENCES account,
    generation INTEGER NOT NULL,
    key_ct     BLOB NOT NULL,
    PRIMARY KEY (account_id, generation)
) STRICT, WITHOUT ROWID;
