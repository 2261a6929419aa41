-- Copies of keys and envelopes, sealed together: as 0008_page.sqlite.sql.
CREATE TABLE page (
    account_id BIGINT NOT NULL,
    mailbox_id BIGINT NOT NULL,
    number     BIGINT NOT NULL,
    messages   BIGINT NOT NULL,
    data       BYTEA NOT NULL,
    PRIMARY KEY (account_id, mailbox_id, number)
);
ALTER TABLE page ALTER COLUMN data SET STORAGE EXTERNAL;
