//! What replication counts.

use metrics::{counter, gauge};

/// One group commit is done.
pub(super) fn sync_done() {
    counter!("tidelog_replication_syncs_total").increment(1);
}

/// Whether appends are refused for want of room.
pub(super) fn log_dir_full(full: bool) {
    gauge!("tidelog_replication_full_log_directories_count").set(if full { 1.0 } else { 0.0 });
}

/// Whether room is getting short.
pub(super) fn log_dir_low(low: bool) {
    gauge!("tidelog_replication_nearly_full_log_directories_count").set(if low { 1.0 } else { 0.0 });
}

/// What is free on the disk of the log directory.
pub(super) fn log_dir_free(bytes: u64) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    gauge!("tidelog_replication_log_directory_free_bytes").set(bytes as f64);
}

/// A log directory failed.
pub(super) fn log_dir_offline() {
    gauge!("tidelog_replication_offline_log_directories_count").set(1.0);
    gauge!("kafka_log_logmanager_offlinelogdirectorycount").set(1.0);
}
