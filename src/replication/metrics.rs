//! What replication counts.

use metrics::{counter, gauge};

/// One group commit is done.
pub(super) fn sync_done() {
    counter!("tidelog_replication_syncs_total").increment(1);
}

/// A log directory failed.
pub(super) fn log_dir_offline() {
    gauge!("tidelog_replication_offline_log_directories_count").set(1.0);
    gauge!("kafka_log_logmanager_offlinelogdirectorycount").set(1.0);
}
