-- The first schema, equal in meaning to 0001_init.sqlite.sql, whose comments say
-- what the tables are for. It is written once and never edited.
--
-- Every key of what an account owns begins with account_id, no index promises
-- that something is unique among several accounts but in the directory
-- (address), and nothing comes from a sequence: so the tables can be distributed
-- by account_id over several machines, with the directory on each.

CREATE TABLE meta (
    one       BIGINT PRIMARY KEY CHECK (one = 1),
    schema    BIGINT NOT NULL,
    store_id  BYTEA NOT NULL,
    key_check BYTEA NOT NULL
);

-- Which history of the database the store was last served from (postgresnode.go).
CREATE TABLE cluster (
    one      BIGINT PRIMARY KEY CHECK (one = 1),
    system   TEXT NOT NULL,   -- the server's identity
    timeline BIGINT NOT NULL  -- raised when a standby is promoted
);

-- A change of an account updates its row, and a delivery that of a mailbox as
-- well. With half of each page left empty the new version finds room on the same
-- page, and no index has to learn of it.
CREATE TABLE account (
    account_id     BIGINT PRIMARY KEY,
    state          BIGINT NOT NULL,
    quota_bytes    BIGINT NOT NULL,
    quota_messages BIGINT NOT NULL,
    used_bytes     BIGINT NOT NULL,
    used_messages  BIGINT NOT NULL,
    change         BIGINT NOT NULL,
    next_mailbox   BIGINT NOT NULL,
    uidvalidity    BIGINT NOT NULL,
    created        BIGINT NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE account_key (
    account_id BIGINT PRIMARY KEY REFERENCES account,
    generation BIGINT NOT NULL,
    public     BYTEA NOT NULL
);

-- The directory is found by address, before it is known whose it is.
CREATE TABLE address (
    addr_mac   BYTEA PRIMARY KEY,
    account_id BIGINT NOT NULL,
    n          BIGINT NOT NULL,
    entry_ct   BYTEA NOT NULL
);
CREATE UNIQUE INDEX address_account ON address (account_id, n);

CREATE TABLE credential (
    account_id    BIGINT NOT NULL REFERENCES account,
    credential_id BIGINT NOT NULL,
    kind          BIGINT NOT NULL,
    selector      TEXT NOT NULL,
    kdf           BYTEA NOT NULL,
    verifier      BYTEA NOT NULL,
    wrapped       BYTEA NOT NULL,
    label_ct      BYTEA NOT NULL,
    created       BIGINT NOT NULL,
    PRIMARY KEY (account_id, credential_id)
);
CREATE UNIQUE INDEX credential_chosen ON credential (account_id) WHERE kind = 1;

CREATE TABLE mailbox (
    account_id    BIGINT NOT NULL REFERENCES account,
    mailbox_id    BIGINT NOT NULL,
    name_mac      BYTEA NOT NULL,
    name_ct       BYTEA NOT NULL,
    special_use   BIGINT NOT NULL,
    uidvalidity   BIGINT NOT NULL,
    uidnext       BIGINT NOT NULL,
    highestmodseq BIGINT NOT NULL,
    vanish_floor  BIGINT NOT NULL,
    messages      BIGINT NOT NULL,
    unseen        BIGINT NOT NULL,
    deleted       BIGINT NOT NULL,
    size          BIGINT NOT NULL,
    recent        BIGINT NOT NULL,
    PRIMARY KEY (account_id, mailbox_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX mailbox_name ON mailbox (account_id, name_mac);
CREATE UNIQUE INDEX mailbox_use ON mailbox (account_id, special_use) WHERE special_use <> 0;

CREATE TABLE subscription (
    account_id BIGINT NOT NULL REFERENCES account,
    name_mac   BYTEA NOT NULL,
    name_ct    BYTEA NOT NULL,
    PRIMARY KEY (account_id, name_mac)
);

CREATE TABLE keyword (
    account_id BIGINT NOT NULL REFERENCES account,
    n          BIGINT NOT NULL,
    name_mac   BYTEA NOT NULL,
    name_ct    BYTEA NOT NULL,
    PRIMARY KEY (account_id, n)
);
CREATE UNIQUE INDEX keyword_name ON keyword (account_id, name_mac);

CREATE TABLE message (
    account_id BIGINT NOT NULL,
    mailbox_id BIGINT NOT NULL,
    uid        BIGINT NOT NULL,
    modseq     BIGINT NOT NULL,
    flags      BIGINT NOT NULL CHECK (flags >= 0),
    stage      BIGINT NOT NULL,
    size       BIGINT NOT NULL CHECK (size >= 0),
    generation BIGINT NOT NULL,
    day        BIGINT NOT NULL,
    saved      BIGINT NOT NULL,
    blob_id    BYTEA NOT NULL,
    PRIMARY KEY (account_id, mailbox_id, uid)
);
CREATE INDEX message_modseq ON message (account_id, mailbox_id, modseq);

-- Ciphertext does not compress: EXTERNAL spares the attempt, here and below.
CREATE TABLE sealed (
    account_id BIGINT NOT NULL,
    mailbox_id BIGINT NOT NULL,
    uid        BIGINT NOT NULL,
    key_ct     BYTEA NOT NULL,
    env_ct     BYTEA NOT NULL,
    PRIMARY KEY (account_id, mailbox_id, uid)
);
ALTER TABLE sealed ALTER COLUMN key_ct SET STORAGE EXTERNAL, ALTER COLUMN env_ct SET STORAGE EXTERNAL;

CREATE TABLE expunged (
    account_id BIGINT NOT NULL,
    mailbox_id BIGINT NOT NULL,
    modseq     BIGINT NOT NULL,
    uid_low    BIGINT NOT NULL,
    uid_high   BIGINT NOT NULL,
    PRIMARY KEY (account_id, mailbox_id, modseq, uid_low)
);

-- A body of up to 64 KiB.
CREATE TABLE body (
    account_id BIGINT NOT NULL,
    blob_id    BYTEA NOT NULL,
    data       BYTEA NOT NULL,
    PRIMARY KEY (account_id, blob_id)
);
ALTER TABLE body ALTER COLUMN data SET STORAGE EXTERNAL;

-- A larger body. Its bytes are in chunk.
CREATE TABLE body_file (
    account_id BIGINT NOT NULL,
    blob_id    BYTEA NOT NULL,
    size       BIGINT NOT NULL,
    PRIMARY KEY (account_id, blob_id)
);

-- The bytes of a larger body, 65536 in each chunk but the last.
CREATE TABLE chunk (
    account_id BIGINT NOT NULL,
    blob_id    BYTEA NOT NULL,
    n          BIGINT NOT NULL,
    data       BYTEA NOT NULL,
    PRIMARY KEY (account_id, blob_id, n)
);
ALTER TABLE chunk ALTER COLUMN data SET STORAGE EXTERNAL;

-- Larger bodies without a row in body_file: those on their way in, and those that
-- were deleted less than an hour ago and may still be read by who opened them.
CREATE TABLE loose (
    account_id BIGINT NOT NULL,
    blob_id    BYTEA NOT NULL,
    hour       BIGINT NOT NULL, -- since 1970, of the last change
    PRIMARY KEY (account_id, blob_id)
);

CREATE TABLE shared (
    account_id BIGINT NOT NULL,
    blob_id    BYTEA NOT NULL,
    extra      BIGINT NOT NULL CHECK (extra > 0),
    PRIMARY KEY (account_id, blob_id)
);

CREATE TABLE delivered (
    account_id  BIGINT NOT NULL,
    delivery_id BYTEA NOT NULL,
    day         BIGINT NOT NULL,
    uidvalidity BIGINT NOT NULL,
    uid         BIGINT NOT NULL,
    modseq      BIGINT NOT NULL,
    PRIMARY KEY (account_id, delivery_id)
);
