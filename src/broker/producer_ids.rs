//! Ids for idempotent producers, taken from the catalog in blocks, given one by one.
//!
//! # Consistency
//! One block at a time, under a lock; the catalog gives no block twice. A catalog that was put back from a copy would give
//! again what it gave behind that copy: so only numbers are given that the bucket has set aside for this start
//! (`tiering::cluster_file`).
//!
//! # Retries
//! More numbers are set aside with every tick from when half of them are used up; where the bucket was away until the last
//! of them, whoever asks for an id asks the bucket too, and a client is told to come again.
//!
//! # Cancellation
//! Whoever goes away while a block is taken leaves it unused.
//!
//! # Crash safety
//! A block is committed before its first id is given; what is left of it at a stop is never given again.

use std::ops::Range;

use tokio::sync::Mutex;

use crate::catalog::{Catalog, StorageError, producer_number};
use crate::model::ProducerId;
use crate::tiering::cluster_file::{BucketRefused, PRODUCER_NUMBERS};

use super::state::Broker;

/// Ids of a block, as Kafka's.
const BLOCK: i64 = 1000;

/// No id can be given now.
#[derive(Debug, thiserror::Error)]
pub enum ProducerIdError {
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] StorageError),
    /// The bucket, where numbers are set aside.
    #[error("no more producer ids are set aside in the bucket: {0}")]
    Bucket(#[from] BucketRefused),
}

/// What is left of the present block, and of what is set aside.
#[derive(Debug)]
pub(super) struct ProducerIds {
    left: Mutex<Left>,
}

#[derive(Debug)]
struct Left {
    ids: Range<i64>,
    /// Numbers that are this start's.
    numbers: Range<i64>,
}

impl ProducerIds {
    pub(super) fn new(numbers: Range<i64>) -> Self {
        Self { left: Mutex::new(Left { ids: 0..0, numbers }) }
    }
}

impl Left {
    async fn fill(&mut self, catalog: &Catalog) -> Result<(), StorageError> {
        if self.ids.is_empty() {
            let first = catalog.take_producer_ids(BLOCK, self.numbers.start).await?.0;
            self.ids = first..first + BLOCK;
        }
        Ok(())
    }

    fn number(&self) -> i64 {
        producer_number(ProducerId(self.ids.start))
    }
}

impl Broker {
    /// An id that no producer has had.
    pub async fn new_producer_id(&self) -> Result<ProducerId, ProducerIdError> {
        let mut left = self.producer_ids.left.lock().await;
        left.fill(&self.catalog).await?;
        if left.number() >= left.numbers.end {
            self.set_numbers_aside(&mut left).await?;
        }
        let id = left.ids.start;
        left.ids.start += 1;
        Ok(ProducerId(id))
    }

    /// Sees to it that the bucket is asked for more long before they are needed.
    pub(super) async fn keep_producer_numbers(&self) {
        let mut left = self.producer_ids.left.lock().await;
        if left.ids.is_empty() || left.number() < left.numbers.end - PRODUCER_NUMBERS / 2 {
            return;
        }
        if let Err(error) = self.set_numbers_aside(&mut left).await {
            tracing::warn!(%error, "no more numbers for producer ids can be set aside now");
        }
    }

    async fn set_numbers_aside(&self, left: &mut Left) -> Result<(), BucketRefused> {
        let below = left.number().max(left.numbers.end) + PRODUCER_NUMBERS;
        left.numbers.end = self.tiers.reserve_producer_numbers(below).await?;
        Ok(())
    }
}
