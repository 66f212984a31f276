//! What the catalog counts; one function for each observation.

/// A transaction was committed for so many callers.
pub(super) fn committed(callers: usize) {
    metrics::counter!("tidelog_catalog_commits_total").increment(1);
    metrics::counter!("tidelog_catalog_writes_total").increment(callers as u64);
}

/// A transaction failed.
pub(super) fn commit_failed() {
    metrics::counter!("tidelog_catalog_commit_failures_total").increment(1);
}

/// Whether the room for commits on a full disk is there.
pub(super) fn reserve_held(held: bool) {
    metrics::gauge!("tidelog_catalog_reserve_held").set(if held { 1.0 } else { 0.0 });
}

/// Whether this process holds the catalog's lock.
pub(super) fn lock_held(held: bool) {
    metrics::gauge!("tidelog_catalog_lock_held").set(if held { 1.0 } else { 0.0 });
}
