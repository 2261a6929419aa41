-- The first schema. It is written once and never edited: a later change is a
-- new file with the next number.
--
-- Nothing here is readable without a key: names and addresses are MACs and
-- ciphertext, times are days, sizes are padded sizes. Every key of what an
-- account owns begins with account_id, and no key is drawn from a sequence, so
-- that the same tables can be spread over several machines.

CREATE TABLE meta (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    schema    INTEGER NOT NULL,
    store_id  BLOB NOT NULL,
    key_check BLOB NOT NULL
) STRICT;

-- A delivery changes this row, so it is kept narrow: the public key, which is
-- over a kilobyte, stands in a table of its own.
CREATE TABLE account (
    account_id    INTEGER PRIMARY KEY,
    state         INTEGER NOT NULL,
    quota_bytes   INTEGER NOT NULL,
    quota_messages INTEGER NOT NULL,
    used_bytes    INTEGER NOT NULL,
    used_messages INTEGER NOT NULL,
    change        INTEGER NOT NULL,
    next_mailbox  INTEGER NOT NULL,
    uidvalidity   INTEGER NOT NULL, -- the highest any of its mailboxes had
    created       INTEGER NOT NULL
) STRICT;

CREATE TABLE account_key (
    account_id INTEGER PRIMARY KEY REFERENCES account,
    generation INTEGER NOT NULL,
    public     BLOB NOT NULL
) STRICT;

CREATE TABLE address (
    addr_mac   BLOB PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES account,
    n          INTEGER NOT NULL, -- counts the addresses of an account as they come
    entry_ct   BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX address_account ON address (account_id, n);

CREATE TABLE credential (
    account_id    INTEGER NOT NULL REFERENCES account,
    credential_id INTEGER NOT NULL,
    kind          INTEGER NOT NULL,
    selector      TEXT NOT NULL,
    kdf           BLOB NOT NULL,
    verifier      BLOB NOT NULL,
    wrapped       BLOB NOT NULL,
    label_ct      BLOB NOT NULL,
    created       INTEGER NOT NULL,
    PRIMARY KEY (account_id, credential_id)
) STRICT, WITHOUT ROWID;
-- At most one chosen password.
CREATE UNIQUE INDEX credential_chosen ON credential (account_id) WHERE kind = 1;

CREATE TABLE mailbox (
    account_id    INTEGER NOT NULL REFERENCES account,
    mailbox_id    INTEGER NOT NULL,
    name_mac      BLOB NOT NULL,
    name_ct       BLOB NOT NULL,
    special_use   INTEGER NOT NULL,
    uidvalidity   INTEGER NOT NULL,
    uidnext       INTEGER NOT NULL,
    highestmodseq INTEGER NOT NULL,
    vanish_floor  INTEGER NOT NULL,
    messages      INTEGER NOT NULL,
    unseen        INTEGER NOT NULL,
    deleted       INTEGER NOT NULL,
    size          INTEGER NOT NULL,
    recent        INTEGER NOT NULL,
    PRIMARY KEY (account_id, mailbox_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX mailbox_name ON mailbox (account_id, name_mac);
CREATE UNIQUE INDEX mailbox_use ON mailbox (account_id, special_use) WHERE special_use <> 0;

CREATE TABLE subscription (
    account_id INTEGER NOT NULL REFERENCES account,
    name_mac   BLOB NOT NULL,
    name_ct    BLOB NOT NULL,
    PRIMARY KEY (account_id, name_mac)
) STRICT, WITHOUT ROWID;

CREATE TABLE keyword (
    account_id INTEGER NOT NULL REFERENCES account,
    n          INTEGER NOT NULL,
    name_mac   BLOB NOT NULL,
    name_ct    BLOB NOT NULL,
    PRIMARY KEY (account_id, n)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX keyword_name ON keyword (account_id, name_mac);

-- A message is two rows. A listing reads (uid, flags, modseq) of every message
-- of a mailbox and nothing else, so what it reads is a narrow row, some 60 bytes,
-- clustered in the order in which it is read: 50,000 take 27 ms
-- (BenchmarkChanges), and would drag 90 MB of keys and envelopes along if they
-- stood in the same row.
CREATE TABLE message (
    account_id INTEGER NOT NULL,
    mailbox_id INTEGER NOT NULL,
    uid        INTEGER NOT NULL,
    modseq     INTEGER NOT NULL,
    flags      INTEGER NOT NULL CHECK (flags >= 0),
    stage      INTEGER NOT NULL,
    size       INTEGER NOT NULL CHECK (size >= 0),
    generation INTEGER NOT NULL,
    day        INTEGER NOT NULL,
    saved      INTEGER NOT NULL,
    blob_id    BLOB NOT NULL,
    PRIMARY KEY (account_id, mailbox_id, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_modseq ON message (account_id, mailbox_id, modseq);

-- The wide half of a message: its key (1.2 KB until it is wrapped again) and
-- its envelope. It has a rowid: rows of this size are appended two to a page,
-- while WITHOUT ROWID would give each an overflow page of its own, which made a
-- delivery cost 216 µs instead of 145 (BenchmarkAccept/group/64, 2 cores of an
-- EPYC with ext4).
CREATE TABLE sealed (
    account_id INTEGER NOT NULL,
    mailbox_id INTEGER NOT NULL,
    uid        INTEGER NOT NULL,
    key_ct     BLOB NOT NULL,
    env_ct     BLOB NOT NULL,
    PRIMARY KEY (account_id, mailbox_id, uid)
) STRICT;

-- Ranges of UIDs that an expunge took away, for VANISHED.
CREATE TABLE expunged (
    account_id INTEGER NOT NULL,
    mailbox_id INTEGER NOT NULL,
    modseq     INTEGER NOT NULL,
    uid_low    INTEGER NOT NULL,
    uid_high   INTEGER NOT NULL,
    PRIMARY KEY (account_id, mailbox_id, modseq, uid_low)
) STRICT, WITHOUT ROWID;

-- A body of up to 64 KiB. Larger ones are files, and have a row in body_file.
CREATE TABLE body (
    account_id INTEGER NOT NULL,
    blob_id    BLOB NOT NULL,
    data       BLOB NOT NULL,
    PRIMARY KEY (account_id, blob_id)
) STRICT;

CREATE TABLE body_file (
    account_id INTEGER NOT NULL,
    blob_id    BLOB NOT NULL,
    size       INTEGER NOT NULL,
    PRIMARY KEY (account_id, blob_id)
) STRICT, WITHOUT ROWID;
-- The sweep looks for the rows of one folder of files.
CREATE UNIQUE INDEX body_file_blob ON body_file (blob_id);

-- How many messages share a body besides the first. Most bodies are never
-- copied and have no row here, which saves each delivery one.
CREATE TABLE shared (
    account_id INTEGER NOT NULL,
    blob_id    BLOB NOT NULL,
    extra      INTEGER NOT NULL CHECK (extra > 0),
    PRIMARY KEY (account_id, blob_id)
) STRICT, WITHOUT ROWID;

-- Deliveries of the last days, apart from the messages: a message may be moved
-- or deleted long before its sender stops trying.
CREATE TABLE delivered (
    account_id  INTEGER NOT NULL,
    delivery_id BLOB NOT NULL,
    day         INTEGER NOT NULL,
    uidvalidity INTEGER NOT NULL,
    uid         INTEGER NOT NULL,
    modseq      INTEGER NOT NULL,
    PRIMARY KEY (account_id, delivery_id)
) STRICT, WITHOUT ROWID;
