//! A row group that was written, decoded again and compared with the batches that it was made from.
//!
//! It goes the way that a consumer's read goes, and the records that it is compared with are parsed once more from the
//! log's bytes, so that no column that was built wrongly can agree with itself.

use crate::model::Offset;
use crate::record::Record;
use crate::tiering::digest::RecordDigest;

use super::error::{Difference, WriteError};
use super::row_group::{Row, RowGroup};

/// A comparison under way.
#[derive(Debug)]
pub(super) struct Comparison<'d, S> {
    source: S,
    digest: &'d mut RecordDigest,
    counted: Counted,
}

/// What was counted while comparing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) rows: usize,
    /// The first record's.
    pub(super) base_offset: Offset,
    pub(super) min_timestamp_ms: i64,
    pub(super) max_timestamp_ms: i64,
    /// The first record that has it.
    pub(super) max_timestamp_offset: Offset,
}

impl<'d, 's, S> Comparison<'d, S>
where
    S: Iterator<Item = Result<Record<'s>, WriteError>>,
{
    /// Will compare with `source`, and have every record that was found equal go into the digest.
    pub(super) fn new(source: S, digest: &'d mut RecordDigest) -> Self {
        let counted = Counted {
            rows: 0,
            base_offset: Offset::MAX,
            min_timestamp_ms: i64::MAX,
            max_timestamp_ms: i64::MIN,
            max_timestamp_offset: Offset::MAX,
        };
        Self { source, digest, counted }
    }

    /// Compares the next rows, record by record.
    pub(super) fn part(&mut self, found: &RowGroup) -> Result<(), WriteError> {
        let before = self.counted.rows;
        for row in found.iter() {
            let Some(record) = self.source.next() else {
                let found = before + found.rows();
                return Err(Difference::Count { expected: self.counted.rows, found }.into());
            };
            let record = record?;
            if let Some(what) = difference(&row, &record) {
                return Err(Difference::Record { offset: record.offset, what }.into());
            }
            self.count(&row);
            self.digest.push(row.offset, row.timestamp_ms, row.key, row.value, row.headers);
        }
        Ok(())
    }

    fn count(&mut self, row: &Row<'_>) {
        let counted = &mut self.counted;
        if counted.rows == 0 {
            counted.base_offset = row.offset;
        }
        if row.timestamp_ms > counted.max_timestamp_ms {
            counted.max_timestamp_ms = row.timestamp_ms;
            counted.max_timestamp_offset = row.offset;
        }
        counted.min_timestamp_ms = counted.min_timestamp_ms.min(row.timestamp_ms);
        counted.rows += 1;
    }

    /// Nothing may be left.
    pub(super) fn finish(mut self) -> Result<Counted, WriteError> {
        match self.source.next().transpose()? {
            None => Ok(self.counted),
            Some(_) => {
                let found = self.counted.rows;
                Err(Difference::Count { expected: found + 1 + self.source.count(), found }.into())
            }
        }
    }
}

/// In what a decoded record differs from its source.
#[inline]
fn difference(row: &Row<'_>, record: &Record<'_>) -> Option<&'static str> {
    if row.offset != record.offset {
        return Some("offset");
    }
    if row.timestamp_ms != record.timestamp_ms {
        return Some("timestamp");
    }
    if row.key != record.key {
        return Some("key");
    }
    if row.value != record.value {
        return Some("value");
    }
    let same = row.headers.len() == record.headers.len() && row.headers.clone().eq(record.headers.iter());
    (!same).then_some("headers")
}
