-- Mail on its way to other relays. Times are milliseconds since 1970: when
-- something is to be done, not when anything came.

-- One message for the recipients at one domain. Its body is one of account 0.
CREATE TABLE job (
    job_id   INTEGER PRIMARY KEY,
    dest_mac BLOB NOT NULL,
    due      INTEGER NOT NULL,
    taken    INTEGER NOT NULL, -- token of the lease under which it was, 0 if of none
    attempts INTEGER NOT NULL,
    blob_id  BLOB NOT NULL,
    env_ct   BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX job_due ON job (dest_mac, due, job_id);

-- A domain for which there are jobs, or were a moment ago. It is due when the
-- first of them is, or before. Workers look here, where there is one row however
-- much mail waits for the domain.
CREATE TABLE destination (
    dest_mac BLOB PRIMARY KEY,
    due      INTEGER NOT NULL,
    token    INTEGER NOT NULL, -- of the lease, 0 if there is none
    until    INTEGER NOT NULL  -- end of the lease
) STRICT, WITHOUT ROWID;
CREATE INDEX destination_due ON destination (due);
