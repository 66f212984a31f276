//! Reading a partition: below the watermark, or below the last stable offset.
//!
//! Invariant: nothing at or above the bound of the reader's isolation level is ever part of a slice.

use crate::log::LogSlice;
use crate::model::Offset;

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
    /// Batches, the first of which contains `from`; none at the end.
    pub slice: Option<LogSlice>,
}

impl Partition {
    /// Reads whole batches. Never waits: at the end there is no slice.
    pub fn read(&self, bounds: ReadBounds) -> Result<Read, ReadError> {
        self.check_serving()?;
        let watermarks = self.watermarks();
        let end = self.log().log_end_offset();
        if bounds.from < watermarks.log_start || bounds.from > end {
            return Err(ReadError::OutOfRange { asked: bounds.from, start: watermarks.log_start, end });
        }
        let upper = match bounds.isolation {
            Isolation::ReadUncommitted => watermarks.high_watermark,
            Isolation::ReadCommitted => watermarks.last_stable,
        };
        let slice = self.log().read(bounds.from, bounds.max_bytes, upper, bounds.at_least_one)?;
        Ok(Read { watermarks, slice })
    }
}
