//! Whether the log directory can still be trusted.
//!
//! Invariant: an I/O error is for good. Only a restart, with its recovery, brings the directory back (Kafka's
//! KAFKA_STORAGE_ERROR means the same).

use std::sync::Arc;

use tokio::sync::watch;

/// The health of one log directory, shared by all its partitions.
#[derive(Debug)]
pub struct LogDirHealth {
    failure: watch::Sender<Option<Arc<str>>>,
}

impl LogDirHealth {
    /// A directory without a failure.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { failure: watch::Sender::new(None) })
    }

    /// Whether nothing has failed yet.
    pub fn is_online(&self) -> bool {
        self.failure.borrow().is_none()
    }

    /// Takes the directory offline. The first reason is kept.
    pub fn fail(&self, reason: &str) {
        let first = self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            if first {
                *failure = Some(Arc::from(reason));
            }
            first
        });
        if first {
            tracing::error!(reason, "log directory is offline: its partitions refuse reads and writes until a restart");
            super::metrics::log_dir_offline();
        }
    }

    /// Shows the failure once there is one.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.failure.subscribe()
    }
}
