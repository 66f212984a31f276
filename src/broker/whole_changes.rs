//! Changes of topics and settings, each run to its end whether or not whoever asked still waits for it.
//!
//! # Consistency
//! One at a time, under the topic lock, which is waited for by whoever asks: who hangs up before the change has begun takes
//! it along, so that no more than one of them runs without anybody who wants it.
//!
//! # Retries
//! None. A change that panicked leaves a doubt, and the catalog is followed.
//!
//! # Cancellation
//! What the catalog has committed has to become what everybody sees, so a change that has begun is a task of the broker and
//! not of the connection. Only a stop drops it, between any two of its steps: then nobody is served any more.
//!
//! # Crash safety
//! A start makes topics and settings anew from what the catalog says, wherever a change was.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::OwnedMutexGuard;

use crate::catalog::StorageError;

use super::state::Broker;

/// The topic lock, held.
pub(super) type ChangeTurn = OwnedMutexGuard<()>;

/// Raises the doubt when it is dropped before the change has ended.
struct Unended(Option<Arc<Broker>>);

impl Unended {
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Unended {
    fn drop(&mut self) {
        if let Some(broker) = &self.0 {
            broker.doubt.raise();
        }
    }
}

impl Broker {
    /// Runs a change under the topic lock; a broker that stops has closed its catalog for it.
    pub(super) async fn whole<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(Arc<Self>, ChangeTurn) -> BoxFuture<'static, T> + Send,
    ) -> Result<T, StorageError> {
        let turn = Arc::clone(&self.changing).lock_owned().await;
        let change = change(Arc::clone(self), turn);
        let (stopping, unended) = (self.stopping.clone(), Unended(Some(Arc::clone(self))));
        let ended = self.tasks.spawn(async move {
            let ended = tokio::select! {
                biased;
                () = stopping.cancelled() => None,
                changed = change => Some(changed),
            };
            unended.ended();
            ended
        });
        match ended.await {
            Ok(ended) => ended.ok_or(StorageError::Closed),
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(StorageError::Closed),
            },
        }
    }
}
