//! How many requests may be under way, and how long each may hold its place.
//!
//! Uploads, reads and small requests have a budget each: cold reads by the hundred must not keep an upload from
//! its connection, because then the disk fills. What an upload reads back is the upload's.
//!
//! # Cancellation
//! A dropped request gives its place back at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::clock::Clock;

use super::error::{BucketError, ErrorKind, Operation};
use super::layer::{Answer, Attempt, Call, Layer};
use super::options::BudgetOptions;

/// What a try may take beyond its fixed share, for each MiB that it moves: a slow line is not a dead one.
const ALLOWANCE_PER_MIB: Duration = Duration::from_secs(4);

/// The layer.
#[derive(Debug)]
pub(super) struct Budget {
    reads: Semaphore,
    uploads: Semaphore,
    control: Semaphore,
    options: BudgetOptions,
    clock: Arc<dyn Clock>,
}

impl Budget {
    pub(super) fn new(options: BudgetOptions, clock: Arc<dyn Clock>) -> Self {
        Self {
            reads: Semaphore::new(options.reads_max.max(1)),
            uploads: Semaphore::new(options.uploads_max.max(1)),
            control: Semaphore::new(options.control_max.max(1)),
            options,
            clock,
        }
    }

    fn places(&self, operation: Operation) -> &Semaphore {
        match operation {
            Operation::Read => &self.reads,
            Operation::WritePart | Operation::FinishUpload | Operation::ReadBack => &self.uploads,
            _ => &self.control,
        }
    }

    fn allowance(&self, call: &Call<'_>) -> Duration {
        let mebibytes = u32::try_from(call.bytes >> 20).unwrap_or(u32::MAX);
        let fixed = match call.operation {
            // The store puts the parts together, and a folder syncs all of them.
            Operation::FinishUpload => self.options.finish_attempt,
            _ => self.options.attempt,
        };
        fixed.saturating_add(ALLOWANCE_PER_MIB.saturating_mul(mebibytes))
    }
}

impl Layer for Budget {
    async fn around<'a, T: Answer>(&'a self, call: Call<'a>, attempt: Attempt<'a, T>) -> Result<T, BucketError> {
        let _place = self.places(call.operation).acquire().await;
        let allowance = self.allowance(&call);
        tokio::select! {
            biased;
            answer = attempt() => answer,
            () = self.clock.sleep(allowance) => {
                let detail = format!("no answer to one request within {} ms", allowance.as_millis());
                Err(BucketError::new(ErrorKind::TimedOut, call.operation, call.key, detail))
            }
        }
    }
}
