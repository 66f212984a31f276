-- Consumer groups and what they have committed. Names and metadata are bytes: clients choose them, and a text of
-- PostgreSQL cannot hold all that they may choose.

CREATE TABLE groups (
    group_id      BYTEA  NOT NULL PRIMARY KEY,
    -- Empty for a group that only commits.
    protocol_type BYTEA  NOT NULL,
    generation    BIGINT NOT NULL,
    protocol      BYTEA,
    leader        BYTEA,
    -- As the coordinator writes them.
    members       BYTEA  NOT NULL,
    changed_at_ms BIGINT NOT NULL
);

CREATE TABLE group_offsets (
    group_id         BYTEA  NOT NULL REFERENCES groups (group_id),
    topic_id         BYTEA  NOT NULL,
    partition        BIGINT NOT NULL,
    committed_offset BIGINT NOT NULL,
    -- Of the last record that was consumed, where the client knows it.
    leader_epoch     BIGINT,
    metadata         BYTEA  NOT NULL,
    committed_at_ms  BIGINT NOT NULL,
    -- Where the commit itself named its end, as old clients do.
    expires_at_ms    BIGINT,
    PRIMARY KEY (group_id, topic_id, partition)
);

CREATE INDEX group_offsets_by_topic ON group_offsets (topic_id, partition);
