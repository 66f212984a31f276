//! What the tiers report. One function per observation. Those that Kafka has too carry the names that the usual JMX
//! exporter gives them, beside our own.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

/// An upload was tried.
pub(super) fn copy_began() {
    counter!("kafka_server_brokertopicmetrics_remotecopyrequests_total").increment(1);
}

/// An upload went well.
pub(super) fn copied(log_bytes: u64, object_bytes: u64, took: Duration) {
    counter!("kafka_server_brokertopicmetrics_remotecopybytes_total").increment(log_bytes);
    counter!("tidelog_tiering_uploaded_segments_total").increment(1);
    counter!("tidelog_tiering_uploaded_bytes_total").increment(object_bytes);
    histogram!("tidelog_tiering_upload_seconds").record(took);
}

/// An upload failed.
pub(super) fn copy_failed() {
    counter!("kafka_server_brokertopicmetrics_remotecopyerrors_total").increment(1);
}

/// How much of the log waits for its upload, over all partitions.
pub(super) fn copy_lag(bytes: u64, segments: u64) {
    set("kafka_server_brokertopicmetrics_remotecopylagbytes", bytes);
    set("kafka_server_brokertopicmetrics_remotecopylagsegments", segments);
}

/// Bytes that only the local tier has, over all tiered topics, the active segments' too.
pub(super) fn local_only(bytes: u64) {
    set("tidelog_tiering_local_only_bytes", bytes);
}

/// Partitions whose uploads stand still until somebody helps, and those that are paused.
pub(super) fn uploads_stopped(stopped: u64, paused: u64) {
    set("tidelog_tiering_stopped_partitions_count", stopped);
    set("tidelog_tiering_paused_partitions_count", paused);
}

/// A cold read was asked for.
pub(super) fn fetch_began() {
    counter!("kafka_server_brokertopicmetrics_remotefetchrequests_total").increment(1);
}

/// A cold read went out.
pub(super) fn fetched(bytes: u64) {
    counter!("kafka_server_brokertopicmetrics_remotefetchbytes_total").increment(bytes);
}

/// A cold read failed.
pub(super) fn fetch_failed() {
    counter!("kafka_server_brokertopicmetrics_remotefetcherrors_total").increment(1);
}

/// Objects, rows of the catalog and partitions' offsets that cannot be read though the bucket answers.
pub(super) fn damaged(damages: usize) {
    set("tidelog_tiering_damages_count", damages as u64);
}

/// The cache was asked.
pub(super) fn cache_asked(hit: bool) {
    counter!("tidelog_tiering_cache_requests_total", "outcome" => if hit { "hit" } else { "miss" }).increment(1);
}

/// What the cache holds.
pub(super) fn cache_size(bytes: u64) {
    set("tidelog_tiering_cache_bytes", bytes);
}

/// A row group was fetched and decoded.
pub(super) fn row_group_read(fetched_bytes: u64, decoded_bytes: u64, fetch: Duration, decode: Duration) {
    counter!("tidelog_tiering_fetched_bytes_total").increment(fetched_bytes);
    counter!("tidelog_tiering_decoded_bytes_total").increment(decoded_bytes);
    histogram!("tidelog_tiering_row_group_fetch_seconds").record(fetch);
    histogram!("tidelog_tiering_row_group_decode_seconds").record(decode);
}

/// An object was removed.
pub(super) fn object_deleted() {
    counter!("kafka_server_brokertopicmetrics_remotedeleterequests_total").increment(1);
}

/// An object could not be removed.
pub(super) fn deletion_failed() {
    counter!("kafka_server_brokertopicmetrics_remotedeleteerrors_total").increment(1);
}

/// Objects that the bucket does not let go.
pub(super) fn undeletable(objects: usize) {
    set("tidelog_tiering_undeletable_objects_count", objects as u64);
}

/// Objects that wait to be removed.
pub(super) fn deletions_waiting(segments: u64, bytes: u64) {
    set("kafka_server_brokertopicmetrics_remotedeletelagsegments", segments);
    set("kafka_server_brokertopicmetrics_remotedeletelagbytes", bytes);
}

/// What of the log is in the bucket.
pub(super) fn remote_size(segments: u64, log_bytes: u64, object_bytes: u64) {
    set("kafka_server_brokertopicmetrics_remotelogmetadatacount", segments);
    set("kafka_server_brokertopicmetrics_remotelogsizebytes", log_bytes);
    set("tidelog_tiering_objects_bytes", object_bytes);
}

/// Unfinished objects that are kept because nothing else has their offsets.
pub(super) fn orphans_kept(rows: usize) {
    set("tidelog_tiering_orphans_kept_count", rows as u64);
}

/// A log began anew from the newest object.
pub(super) fn rebuilt_from_bucket(ok: bool) {
    counter!("kafka_server_brokertopicmetrics_buildremotelogauxstaterequests_total").increment(1);
    if !ok {
        counter!("kafka_server_brokertopicmetrics_buildremotelogauxstateerrors_total").increment(1);
    }
}

fn set(name: &'static str, value: u64) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge need not be exact beyond 2^53")]
    gauge!(name).set(value as f64);
}
