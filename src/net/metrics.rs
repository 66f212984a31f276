//! What the sockets report. One function per observation.

use metrics::{counter, gauge};

/// Bytes of a frame that came in whole, its prefix included.
pub(super) fn frame_received(bytes: usize) {
    counter!("tidelog_net_received_bytes_total").increment(bytes as u64);
}

/// Bytes given to sockets.
pub(super) fn sent(bytes: u64) {
    counter!("tidelog_net_sent_bytes_total").increment(bytes);
}

/// A connection was taken.
pub(super) fn connection_opened() {
    gauge!("tidelog_net_connections_count").increment(1.0);
    counter!("tidelog_net_connections_opened_total").increment(1);
}

/// A connection ended.
pub(super) fn connection_closed(reason: &'static str) {
    gauge!("tidelog_net_connections_count").decrement(1.0);
    counter!("tidelog_net_connections_closed_total", "reason" => reason).increment(1);
}

/// A connection over a cap was turned away.
pub(super) fn connection_refused(reason: &'static str) {
    counter!("tidelog_net_connections_refused_total", "reason" => reason).increment(1);
}
