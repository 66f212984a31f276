-- Who this catalog belongs to, and what is in it: topics with their settings and partitions, what of them lies in the
-- bucket, and the producer ids that were given out.

CREATE TABLE clusters (
    singleton       BIGINT NOT NULL PRIMARY KEY CHECK (singleton = 1),
    cluster_id      TEXT   COLLATE "C" NOT NULL,
    format_version  BIGINT NOT NULL,
    -- Raised when a catalog is rebuilt or restored, so that nothing issued before is issued again.
    incarnation     BIGINT NOT NULL,
    -- Raised by every start of a broker.
    start_number    BIGINT NOT NULL,
    created_at_ms   BIGINT NOT NULL
);

CREATE TABLE brokers (
    broker_id        BIGINT NOT NULL PRIMARY KEY,
    -- The data directories that this broker is known to have, by id, separated by spaces.
    directory_ids    TEXT   COLLATE "C" NOT NULL,
    registered_at_ms BIGINT NOT NULL
);

CREATE TABLE topics (
    topic_id        BYTEA   NOT NULL PRIMARY KEY CHECK (length(topic_id) = 16),
    name            TEXT   COLLATE "C" NOT NULL,
    partition_count BIGINT NOT NULL CHECK (partition_count > 0),
    -- Raised by every change: also the version of the topic's control file in the bucket.
    version         BIGINT NOT NULL,
    -- 1 once deleted: the row stays until its folders and objects are gone.
    deleted         BIGINT NOT NULL,
    created_at_ms   BIGINT NOT NULL
);

CREATE UNIQUE INDEX topics_by_name ON topics (name) WHERE deleted = 0;

CREATE TABLE topic_configs (
    topic_id BYTEA NOT NULL REFERENCES topics (topic_id),
    name     TEXT COLLATE "C" NOT NULL,
    value    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (topic_id, name)
);

CREATE TABLE partitions (
    topic_id         BYTEA   NOT NULL REFERENCES topics (topic_id),
    partition        BIGINT NOT NULL CHECK (partition >= 0),
    -- Broker numbers, separated by commas; the first is preferred.
    replicas         TEXT   COLLATE "C" NOT NULL,
    leader           BIGINT NOT NULL,
    leader_epoch     BIGINT NOT NULL,
    isr              TEXT   COLLATE "C" NOT NULL,
    partition_epoch  BIGINT NOT NULL,
    log_start_offset BIGINT NOT NULL CHECK (log_start_offset >= 0),
    -- The first offset that is not in the bucket; null where that is not known.
    tiered_to        BIGINT  CHECK (tiered_to >= log_start_offset),
    PRIMARY KEY (topic_id, partition)
);

CREATE TABLE producer_ids (
    -- The next number to give; the id is (incarnation << 40) + number.
    singleton   BIGINT NOT NULL PRIMARY KEY CHECK (singleton = 1),
    next_number BIGINT NOT NULL
);

CREATE TABLE remote_segments (
    segment_id        TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    topic_id          BYTEA   NOT NULL REFERENCES topics (topic_id),
    partition         BIGINT NOT NULL,
    base_offset       BIGINT NOT NULL,
    end_offset        BIGINT NOT NULL CHECK (end_offset >= base_offset),
    leader_epoch      BIGINT NOT NULL,
    generation        BIGINT NOT NULL,
    object_key        TEXT    COLLATE "C" NOT NULL,
    upload_id         TEXT    COLLATE "C",
    object_size_bytes BIGINT NOT NULL,
    log_size_bytes    BIGINT NOT NULL,
    record_count      BIGINT NOT NULL,
    min_timestamp_ms  BIGINT NOT NULL,
    max_timestamp_ms  BIGINT NOT NULL,
    -- At most 40 bytes per row group.
    row_groups        BYTEA   NOT NULL,
    digest            BYTEA   NOT NULL,
    state             TEXT    COLLATE "C" NOT NULL CHECK (state IN ('WRITING', 'LIVE', 'DELETING')),
    incarnation       BIGINT NOT NULL,
    start_number      BIGINT NOT NULL,
    created_at_ms     BIGINT NOT NULL,
    -- When it took its present state.
    changed_at_ms     BIGINT NOT NULL
);

CREATE UNIQUE INDEX remote_segments_live ON remote_segments (topic_id, partition, base_offset) WHERE state = 'LIVE';
CREATE INDEX remote_segments_by_state ON remote_segments (state, topic_id, partition) WHERE state <> 'LIVE';
-- Answers what is asked of a whole partition (sums, timestamps, overlaps) without the rows and their blobs.
CREATE INDEX remote_segments_by_range ON remote_segments (topic_id, partition, base_offset, end_offset, state, generation,
    max_timestamp_ms, record_count, log_size_bytes, object_size_bytes, segment_id);
