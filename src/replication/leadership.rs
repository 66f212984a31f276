//! Whether this broker may still lead.
//!
//! Invariant: a lock that was lost is lost for good. Another may have led in between, so only a new start, in a new epoch,
//! leads again; until then nothing is acknowledged and nothing is served.

use tokio::sync::watch;

/// The right to lead, shared by all partitions of a broker.
#[derive(Debug, Clone)]
pub struct Leadership {
    /// Shows false once the lock is lost; none where the lock cannot get lost while the process runs.
    held: Option<watch::Receiver<bool>>,
}

impl Leadership {
    /// Leads as long as `held` shows true.
    pub fn while_held(held: Option<watch::Receiver<bool>>) -> Self {
        Self { held }
    }

    /// Whether this broker may lead.
    pub fn is_held(&self) -> bool {
        self.held.as_ref().is_none_or(|held| *held.borrow())
    }

    /// Ends when it may not any more.
    pub async fn lost(&self) {
        let Some(mut held) = self.held.clone() else { return std::future::pending().await };
        if held.wait_for(|held| !held).await.is_err() {
            // The lock was given back by a stop.
            std::future::pending().await
        }
    }
}
