//! The room's metrics, one function per observation.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use super::error::{ErrorKind, Operation};

/// A request began.
pub(super) fn began(operation: Operation) {
    gauge!("tidelog_object_storage_requests_in_flight", "operation" => operation.name()).increment(1.0);
}

/// A request ended: `outcome` is `ok`, `cancelled` or the kind of its error.
pub(super) fn ended(operation: Operation, outcome: &'static str, bytes: u64, took: Duration) {
    let operation = operation.name();
    gauge!("tidelog_object_storage_requests_in_flight", "operation" => operation).decrement(1.0);
    counter!("tidelog_object_storage_requests_total", "operation" => operation, "outcome" => outcome).increment(1);
    counter!("tidelog_object_storage_bytes_total", "operation" => operation).increment(bytes);
    histogram!("tidelog_object_storage_latency_seconds", "operation" => operation).record(took);
}

/// A request failed and is tried again.
pub(super) fn retried(operation: Operation, kind: ErrorKind) {
    let (operation, kind) = (operation.name(), kind.name());
    counter!("tidelog_object_storage_retries_total", "operation" => operation, "kind" => kind).increment(1);
}
