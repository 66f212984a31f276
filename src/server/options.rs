//! What the front end is told at start.

use std::time::Duration;

use crate::model::settings::BrokerSettings;
use crate::net::Contention;

/// What `queued.max.request.bytes` = -1 means here.
const REQUEST_MEMORY_BYTES: usize = 256 * 1024 * 1024;
/// As good as never, and still a time that clocks can add.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

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
    /// Whether somebody waits for memory that replies hold.
    pub replies: Contention,
}

impl From<&BrokerSettings> for ServerOptions {
    fn from(settings: &BrokerSettings) -> Self {
        Self {
            listen: "127.0.0.1:9092".to_owned(),
            request_bytes_max: settings.count("socket.request.max.bytes"),
            request_memory_bytes: match settings.number("queued.max.request.bytes") {
                bytes @ 1.. => usize::try_from(bytes).unwrap_or(usize::MAX),
                _ => REQUEST_MEMORY_BYTES,
            },
            in_flight_max: 128,
            connections_max: settings.count("max.connections"),
            connections_per_address_max: settings.count("max.connections.per.ip"),
            // Kafka's: below zero nobody is idle too long.
            idle_timeout: u64::try_from(settings.number("connections.max.idle.ms"))
                .map_or(NEVER, |ms| Duration::from_millis(ms).min(NEVER)),
            replies: Contention::default(),
        }
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self::from(&BrokerSettings::default())
    }
}
