//! A row group that was written, decoded again and compared with the batches that it was made from.
//!
//! It goes the way that a consumer's read goes, and the records that it is compared with are parsed once more from the
//! log's bytes, so that no column that was built wrongly can agree with itself.

use crate::record::Record;
use crate::tiering::digest::RecordDigest;

use super::error::{Difference, WriteError};
use super::row_group::{Row, RowGroup};
use super::source::Taken;

/// What was counted while comparing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) rows: usize,
    pub(super) min_timestamp_ms: i64,
    pub(super) max_timestamp_ms: i64,
    /// The first row that has it.
    pub(super) max_timestamp_row: usize,
}

/// Compares record by record, and has every record that was found equal go into the digest.
pub(super) fn compare(found: &RowGroup, source: &Taken, digest: &mut RecordDigest) -> Result<Counted, WriteError> {
    let mut counted = Counted { rows: 0, min_timestamp_ms: i64::MAX, max_timestamp_ms: i64::MIN, max_timestamp_row: 0 };
    source.each(|record| {
        let row =
            found.row(counted.rows).ok_or(Difference::Count { expected: counted.rows + 1, found: found.rows() })?;
        if let Some(what) = difference(&row, &record) {
            return Err(WriteError::NotTheSame(Difference::Record { offset: record.offset, what }));
        }
        if row.timestamp_ms > counted.max_timestamp_ms {
            counted.max_timestamp_ms = row.timestamp_ms;
            counted.max_timestamp_row = counted.rows;
        }
        counted.min_timestamp_ms = counted.min_timestamp_ms.min(row.timestamp_ms);
        counted.rows += 1;
        digest.push(row.offset, row.timestamp_ms, row.key, row.value, row.headers);
        Ok(())
    })?;
    if counted.rows != found.rows() {
        return Err(Difference::Count { expected: counted.rows, found: found.rows() }.into());
    }
    Ok(counted)
}

/// In what a decoded record differs from its source.
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
