//! What the coordinator reports. One function per observation.

use metrics::{counter, gauge};

/// One transaction stored changes of so many groups, with so many committed offsets.
pub(super) fn stored(groups: usize, offsets: usize) {
    counter!("tidelog_coordinator_store_batches_total").increment(1);
    counter!("tidelog_coordinator_stored_groups_total").increment(groups as u64);
    counter!("tidelog_coordinator_committed_offsets_total").increment(offsets as u64);
}

/// A transaction failed.
pub(super) fn store_failed() {
    counter!("tidelog_coordinator_store_failures_total").increment(1);
}

/// A group could not be read.
pub(super) fn load_failed() {
    counter!("tidelog_coordinator_load_failures_total").increment(1);
}

/// Offsets' time was over.
pub(super) fn offsets_expired(offsets: usize) {
    counter!("tidelog_coordinator_expired_offsets_total").increment(offsets as u64);
}

/// What groups take in memory.
pub(super) fn in_memory(groups: usize, bytes: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    {
        gauge!("tidelog_coordinator_groups_count").set(groups as f64);
        gauge!("tidelog_coordinator_memory_bytes").set(bytes as f64);
    }
}
