-- What devices that may not expunge have removed for themselves: as
-- 0007_hidden.sqlite.sql.
CREATE TABLE hidden (
    account_id BIGINT NOT NULL,
    mailbox_id BIGINT NOT NULL,
    uid        BIGINT NOT NULL,
    device     BIGINT NOT NULL,
    state      BIGINT NOT NULL,
    PRIMARY KEY (account_id, mailbox_id, uid, device)
);
