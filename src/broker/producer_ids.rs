//! Ids for idempotent producers, taken from the catalog in blocks, given one by one.
//!
//! # Consistency
//! One block at a time, under a lock; the catalog gives no block twice.
//!
//! # Cancellation
//! Whoever goes away while a block is taken leaves it unused.
//!
//! # Crash safety
//! A block is committed before its first id is given; what is left of it at a stop is never given again.

use tokio::sync::Mutex;

use crate::catalog::{Catalog, StorageError};
use crate::model::ProducerId;

use super::state::Broker;

/// Ids of a block, as Kafka's.
const BLOCK: i64 = 1000;

/// What is left of the present block.
#[derive(Debug, Default)]
pub(super) struct ProducerIds {
    left: Mutex<std::ops::Range<i64>>,
}

impl ProducerIds {
    async fn next(&self, catalog: &Catalog) -> Result<ProducerId, StorageError> {
        let mut left = self.left.lock().await;
        if left.is_empty() {
            let first = catalog.take_producer_ids(BLOCK).await?.0;
            *left = first..first + BLOCK;
        }
        let id = left.start;
        left.start += 1;
        Ok(ProducerId(id))
    }
}

impl Broker {
    /// An id that no producer has had.
    pub async fn new_producer_id(&self) -> Result<ProducerId, StorageError> {
        self.producer_ids.next(&self.catalog).await
    }
}
