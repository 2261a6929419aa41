-- Several addresses for an account: as 0006_addresses.sqlite.sql, whose comments
-- say what the tables are for.

ALTER TABLE account ADD COLUMN next_address BIGINT NOT NULL DEFAULT 2;
ALTER TABLE mailbox ADD COLUMN days BIGINT NOT NULL DEFAULT 0;

CREATE TABLE published (
    account_id BIGINT NOT NULL REFERENCES account,
    addr_mac   BYTEA NOT NULL,
    wkd_mac    BYTEA NOT NULL,
    fpr_mac    BYTEA NOT NULL,
    cert_ct    BYTEA NOT NULL,
    PRIMARY KEY (account_id, addr_mac)
);
CREATE UNIQUE INDEX published_wkd ON published (wkd_mac);
CREATE UNIQUE INDEX published_fpr ON published (fpr_mac);

CREATE TABLE retired (
    addr_mac BYTEA PRIMARY KEY
);

CREATE TABLE blocked (
    account_id BIGINT NOT NULL REFERENCES account,
    sender_mac BYTEA NOT NULL,
    sender_ct  BYTEA NOT NULL,
    PRIMARY KEY (account_id, sender_mac)
);

CREATE TABLE spent (
    token BYTEA PRIMARY KEY
);
