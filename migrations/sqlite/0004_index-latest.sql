-- Answers which of a partition's objects have the greatest timestamp, without a look at the others.
CREATE INDEX remote_segments_by_latest ON remote_segments (topic_id, partition, max_timestamp_ms DESC, base_offset)
    WHERE state = 'LIVE' AND record_count > 0;
