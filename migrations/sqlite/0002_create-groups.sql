-- Consumer groups and what they have committed. Names and metadata are bytes: clients choose them, and a text of
-- PostgreSQL cannot hold all that they may choose.

CREATE TABLE groups (
    group_id      BLOB    NOT NULL PRIMARY KEY,
    -- Empty for a group that only commits.
    protocol_type BLOB    NOT NULL,
    generation    INTEGER NOT NULL,
    protocol      BLOB,
    leader        BLOB,
    -- As the coordinator writes them.
    members       BLOB    NOT NULL,
    changed_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE group_offsets (
    group_id         BLOB    NOT NULL REFERENCES groups (group_id),
    topic_id         BLOB    NOT NULL,
    partition        INTEGER NOT NULL,
    committed_offset INTEGER NOT NULL,
    -- Of the last record that was consumed, where the client knows it.
    leader_epoch     INTEGER,
    metadata         BLOB    NOT NULL,
    committed_at_ms  INTEGER NOT NULL,
    -- Where the commit itself named its end, as old clients do.
    expires_at_ms    INTEGER,
    PRIMARY KEY (group_id, topic_id, partition)
) STRICT, WITHOUT ROWID;

CREATE INDEX group_offsets_by_topic ON group_offsets (topic_id, partition);
