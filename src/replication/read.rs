//! Reading a partition: below the watermark, or below the last stable offset, from whichever tier has the offset.
//!
//! The router decides, then one tier is read. The local one answers at once; what is in the bucket is answered at once
//! where it is cached, and by a future where it is not.
//!
//! Invariant: nothing at or above the bound of the reader's isolation level is ever part of an answer.

use std::sync::Arc;

use crate::log::{self, LogSlice};
use crate::model::Offset;
use crate::tiering::{Place, RemoteReadError, RemoteRecords, TieredLog, locate};

use super::errors::ReadError;
use super::partition::{Isolation, Partition, Watermarks};

/// What a reader asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadBounds {
    /// The first offset that it wants.
    pub from: Offset,
    /// How much it takes, in bytes.
    pub max_bytes: usize,
    /// Whether one batch is returned even where it is larger than `max_bytes`.
    pub at_least_one: bool,
    /// Which records it may see.
    pub isolation: Isolation,
}

/// What it gets.
#[derive(Debug)]
pub struct Read {
    /// The partition's offsets at that moment.
    pub watermarks: Watermarks,
    /// Batches on local disk, the first of which contains `from`; none at the end, and none where the bucket has them.
    pub slice: Option<LogSlice>,
    /// Who reads it from the bucket, where the bucket has it.
    pub remote: Option<Arc<TieredLog>>,
}

impl Partition {
    /// Reads whole batches. Never waits: at the end there is no slice, and where the bucket has the offset there is who
    /// reads it.
    pub fn read(&self, bounds: ReadBounds) -> Result<Read, ReadError> {
        self.check_serving()?;
        let Some(tier) = self.tier() else {
            let watermarks = self.watermarks();
            let end = self.log().log_end_offset();
            if bounds.from < watermarks.log_start || bounds.from > end {
                return Err(ReadError::OutOfRange { asked: bounds.from, start: watermarks.log_start, end });
            }
            return self.read_local(bounds, watermarks);
        };
        match self.read_tiered(tier, bounds) {
            // What the view said was local has been dropped since: a newer view says where it is.
            Err(ReadError::Log(log::ReadError::OutOfRange { .. })) => self.read_tiered(tier, bounds),
            other => other,
        }
    }

    fn read_tiered(&self, tier: &Arc<TieredLog>, bounds: ReadBounds) -> Result<Read, ReadError> {
        let view = tier.view();
        let mut watermarks = self.watermarks();
        watermarks.log_start = watermarks.log_start.max(view.log_start);
        let end = self.log().log_end_offset();
        match locate(&view, end, bounds.from) {
            Place::OutOfRange => Err(ReadError::OutOfRange { asked: bounds.from, start: view.log_start, end }),
            Place::Local => self.read_local(bounds, watermarks),
            Place::Remote(_) | Place::RemoteUnloaded => {
                Ok(Read { watermarks, slice: None, remote: Some(Arc::clone(tier)) })
            }
        }
    }

    fn read_local(&self, bounds: ReadBounds, watermarks: Watermarks) -> Result<Read, ReadError> {
        let upper = match bounds.isolation {
            Isolation::ReadUncommitted => watermarks.high_watermark,
            Isolation::ReadCommitted => watermarks.last_stable,
        };
        let read = self.log().read(bounds.from, bounds.max_bytes, upper, bounds.at_least_one);
        let slice = read.inspect_err(|error| match error {
            log::ReadError::Log(error @ log::LogError::Io { .. }) => {
                if !self.put_off(error) {
                    self.fail(&error.to_string());
                }
            }
            log::ReadError::Log(error) => self.unreadable(error),
            log::ReadError::OutOfRange { .. } => {}
        })?;
        Ok(Read { watermarks, slice, remote: None })
    }

    /// Reads from the bucket, waiting for it: for readers that are not in a hurry.
    pub async fn read_remote(&self, from: Offset) -> Option<Result<RemoteRecords, RemoteReadError>> {
        let tier = self.tier()?;
        match tier.read_cached(from) {
            Some(records) => Some(Ok(records)),
            None => Some(tier.read_remote(from).await),
        }
    }
}
