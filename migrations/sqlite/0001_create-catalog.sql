-- Who this catalog belongs to, and what is in it: topics with their settings and partitions, what of them lies in the
-- bucket, and the producer ids that were given out.

CREATE TABLE clusters (
    singleton       INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
    cluster_id      TEXT    NOT NULL,
    format_version  INTEGER NOT NULL,
    -- Raised when a catalog is rebuilt or restored, so that nothing issued before is issued again.
    incarnation     INTEGER NOT NULL,
    -- Raised by every start of a broker.
    start_number    INTEGER NOT NULL,
    created_at_ms   INTEGER NOT NULL
) STRICT;

CREATE TABLE brokers (
    broker_id        INTEGER NOT NULL PRIMARY KEY,
    -- The data directories that this broker is known to have, by id, separated by spaces.
    directory_ids    TEXT    NOT NULL,
    registered_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE topics (
    topic_id        BLOB    NOT NULL PRIMARY KEY CHECK (length(topic_id) = 16),
    name            TEXT    NOT NULL,
    partition_count INTEGER NOT NULL CHECK (partition_count > 0),
    -- Raised by every change: also the version of the topic's control file in the bucket.
    version         INTEGER NOT NULL,
    -- 1 once deleted: the row stays until its folders and objects are gone.
    deleted         INTEGER NOT NULL,
    created_at_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX topics_by_name ON topics (name) WHERE deleted = 0;

CREATE TABLE topic_configs (
    topic_id BLOB NOT NULL REFERENCES topics (topic_id),
    name     TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (topic_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE partitions (
    topic_id         BLOB    NOT NULL REFERENCES topics (topic_id),
    partition        INTEGER NOT NULL CHECK (partition >= 0),
    -- Broker numbers, separated by commas; the first is preferred.
    replicas         TEXT    NOT NULL,
    leader           INTEGER NOT NULL,
    leader_epoch     INTEGER NOT NULL,
    isr              TEXT    NOT NULL,
    partition_epoch  INTEGER NOT NULL,
    log_start_offset INTEGER NOT NULL CHECK (log_start_offset >= 0),
    -- The first offset that is not in the bucket; null where that is not known.
    tiered_to        INTEGER CHECK (tiered_to >= log_start_offset),
    PRIMARY KEY (topic_id, partition)
) STRICT, WITHOUT ROWID;

CREATE TABLE producer_ids (
    -- The next number to give; the id is (incarnation << 40) + number.
    singleton   INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
    next_number INTEGER NOT NULL
) STRICT;

CREATE TABLE remote_segments (
    segment_id        TEXT    NOT NULL PRIMARY KEY,
    topic_id          BLOB    NOT NULL REFERENCES topics (topic_id),
    partition         INTEGER NOT NULL,
    base_offset       INTEGER NOT NULL,
    end_offset        INTEGER NOT NULL CHECK (end_offset >= base_offset),
    leader_epoch      INTEGER NOT NULL,
    generation        INTEGER NOT NULL,
    object_key        TEXT    NOT NULL,
    upload_id         TEXT,
    object_size_bytes INTEGER NOT NULL,
    log_size_bytes    INTEGER NOT NULL,
    record_count      INTEGER NOT NULL,
    min_timestamp_ms  INTEGER NOT NULL,
    max_timestamp_ms  INTEGER NOT NULL,
    -- At most 40 bytes per row group.
    row_groups        BLOB    NOT NULL,
    digest            BLOB    NOT NULL,
    state             TEXT    NOT NULL CHECK (state IN ('WRITING', 'LIVE', 'DELETING')),
    incarnation       INTEGER NOT NULL,
    start_number      INTEGER NOT NULL,
    created_at_ms     INTEGER NOT NULL,
    -- When it took its present state.
    changed_at_ms     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX remote_segments_live ON remote_segments (topic_id, partition, base_offset) WHERE state = 'LIVE';
CREATE INDEX remote_segments_by_state ON remote_segments (state, topic_id, partition) WHERE state <> 'LIVE';
-- Answers what is asked of a whole partition (sums, timestamps, overlaps) without the rows and their blobs.
CREATE INDEX remote_segments_by_range ON remote_segments (topic_id, partition, base_offset, end_offset, state, generation,
    max_timestamp_ms, record_count, log_size_bytes, object_size_bytes, segment_id);
