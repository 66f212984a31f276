//! Stopping, in the reverse order of the start: groups are closed, tasks end, uploads stop between two steps, logs are
//! synced and checkpointed, the catalog is closed.
//!
//! The logs are checkpointed once before anybody is waited for, too, and nobody waits long for the catalog: a database that
//! another process has locked makes a stop no crash.
//!
//! # Crash safety
//! A stop that is cut off is a crash, and costs a longer recovery.

use std::sync::Arc;

use super::state::Broker;

impl Broker {
    /// Tells that a stop follows: requests that are still answered wait no longer for the catalog than it will.
    pub fn begin_stop(&self) {
        self.catalog.begin_stop();
    }

    /// Stops. The front end must have stopped before.
    pub async fn stop(self: &Arc<Self>) {
        self.begin_stop();
        self.stopping.cancel();
        self.coordinator.close();
        self.tasks.close();
        self.checkpoint_all(|_| ()).await;
        self.tasks.wait().await;
        self.tiers.close().await;
        // What was done meanwhile.
        self.checkpoint_all(|broker| broker.syncer.close()).await;
        self.catalog.close().await;
        tracing::info!("broker stopped");
    }

    async fn checkpoint_all(self: &Arc<Self>, first: impl FnOnce(&Self) + Send + 'static) {
        let broker = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            first(&broker);
            for partition in broker.partitions() {
                if let Err(error) = partition.checkpoint() {
                    tracing::warn!(%error, topic = partition.topic().as_str(), "a log was not closed cleanly");
                }
            }
        });
        if done.await.is_err() {
            tracing::error!("closing the logs panicked");
        }
    }
}
