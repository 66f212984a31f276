//! Bounds of a client.

use std::time::Duration;

/// Bounds of a client.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// What it calls itself.
    pub client_id: String,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long an answer may take, beyond what the request itself asks to wait.
    pub timeout: Duration,
    /// How long whoever asks may try again where nobody answers.
    pub patience: Duration,
    /// The largest answer.
    pub frame_bytes_max: usize,
    /// Requests of one connection that wait for their answer.
    pub in_flight_max: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            client_id: "tidelog".to_owned(),
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            patience: Duration::from_secs(60),
            frame_bytes_max: 128 * 1024 * 1024,
            in_flight_max: 64,
        }
    }
}
