//! What the front end is told at start.

use std::time::Duration;

/// Bounds and addresses of the front end.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Where to listen, `host:port`.
    pub listen: String,
    /// `socket.request.max.bytes`.
    pub request_bytes_max: usize,
    /// What all half-read and unfinished large requests together may hold.
    pub request_memory_bytes: usize,
    /// Requests of one connection that may wait for their acknowledgement at once.
    pub in_flight_max: usize,
    /// `max.connections`.
    pub connections_max: usize,
    /// `max.connections.per.ip`.
    pub connections_per_address_max: usize,
    /// `connections.max.idle.ms`.
    pub idle_timeout: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9092".to_owned(),
            request_bytes_max: 100 * 1024 * 1024,
            request_memory_bytes: 128 * 1024 * 1024,
            in_flight_max: 128,
            connections_max: 10_000,
            connections_per_address_max: usize::MAX,
            idle_timeout: Duration::from_secs(600),
        }
    }
}
