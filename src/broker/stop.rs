//! Stopping, in the reverse order of the start: groups are closed, tasks end, uploads stop between two steps, logs are
//! synced and checkpointed, the catalog is closed.
//!
//! # Crash safety
//! A stop that is cut off is a crash, and costs a longer recovery.

use std::sync::Arc;

use super::state::Broker;

impl Broker {
    /// Stops. The front end must have stopped before.
    pub async fn stop(self: &Arc<Self>) {
        self.stopping.cancel();
        self.coordinator.close();
        self.tasks.close();
        self.tasks.wait().await;
        self.tiers.close().await;
        let broker = Arc::clone(self);
        let closed = tokio::task::spawn_blocking(move || {
            broker.syncer.close();
            for partition in broker.partitions() {
                if let Err(error) = partition.checkpoint() {
                    tracing::warn!(%error, topic = partition.topic().as_str(), "a log was not closed cleanly");
                }
            }
        });
        if closed.await.is_err() {
            tracing::error!("closing the logs panicked");
        }
        self.catalog.close().await;
        tracing::info!("broker stopped");
    }
}
