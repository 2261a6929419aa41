-- Mail on its way to other relays, equal in meaning to 0002_queue.sqlite.sql,
-- whose comments say what the tables are for.

CREATE TABLE job (
    job_id   BIGINT PRIMARY KEY,
    dest_mac BYTEA NOT NULL,
    due      BIGINT NOT NULL,
    taken    BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    blob_id  BYTEA NOT NULL,
    env_ct   BYTEA NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE UNIQUE INDEX job_due ON job (dest_mac, due, job_id);

CREATE TABLE destination (
    dest_mac BYTEA PRIMARY KEY,
    due      BIGINT NOT NULL,
    token    BIGINT NOT NULL,
    until    BIGINT NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX destination_due ON destination (due);
