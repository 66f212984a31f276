//! Records by their timestamps: the first at or after a moment, the latest of all.
//!
//! Timestamps need not rise: indexes say where it is no use to look, the records decide.

use std::sync::Arc;

use crate::model::{LeaderEpoch, Offset};
use crate::record::BatchView;

use super::error::{LogError, at};
use super::partition_log::PartitionLog;
use super::segment::Segment;

/// A record that was found: offset, timestamp in milliseconds, leader epoch.
pub type FoundRecord = (Offset, i64, LeaderEpoch);

impl PartitionLog {
    /// The first record, in offset order, in `[log start, upper)` whose timestamp is at or after `timestamp_ms`.
    pub fn offset_for_timestamp(&self, timestamp_ms: i64, upper: Offset) -> Result<Option<FoundRecord>, LogError> {
        self.look(LogError::is_not_found, |segments| self.first_at(segments, timestamp_ms, upper))
    }

    fn first_at(
        &self,
        segments: &[Arc<Segment>],
        timestamp_ms: i64,
        upper: Offset,
    ) -> Result<Option<FoundRecord>, LogError> {
        let start = self.log_start_offset();
        for segment in segments {
            let late_enough = segment.max_timestamp().is_some_and(|max| max.timestamp_ms >= timestamp_ms);
            if !late_enough || segment.next_offset() <= start {
                continue;
            }
            let near =
                segment.time_index.offset_before(timestamp_ms).map_err(at(segment.time_index.file.path()))?.max(start);
            let found = first_record(segment, near, upper, |record_ms| record_ms >= timestamp_ms, start)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The first record below `upper` that has the greatest timestamp.
    pub fn max_timestamp(&self, upper: Offset) -> Result<Option<FoundRecord>, LogError> {
        self.look(LogError::is_not_found, |segments| self.latest_of(segments, upper))
    }

    fn latest_of(&self, segments: &[Arc<Segment>], upper: Offset) -> Result<Option<FoundRecord>, LogError> {
        let start = self.log_start_offset();
        let within = segments.iter().filter(|segment| segment.base < upper && segment.next_offset() > start);
        // No record of a segment is later than its greatest timestamp; that may be a marker's, or lie outside.
        let mut bounds: Vec<(i64, &Arc<Segment>)> =
            within.filter_map(|segment| Some((segment.max_timestamp()?.timestamp_ms, segment))).collect();
        bounds.sort_by_key(|(bound_ms, segment)| (std::cmp::Reverse(*bound_ms), segment.base));
        let mut latest: Option<FoundRecord> = None;
        for (bound_ms, segment) in bounds {
            if latest.is_some_and(|(_, known_ms, _)| bound_ms < known_ms) {
                break;
            }
            let Some(found) = latest_in(segment, bound_ms, start, upper)? else { continue };
            if latest.is_none_or(|known| (found.1, known.0) > (known.1, found.0)) {
                latest = Some(found);
            }
        }
        Ok(latest)
    }
}

/// The first record of `[start, upper)` in a segment that has the greatest timestamp, which is `bound_ms` at most.
fn latest_in(segment: &Segment, bound_ms: i64, start: Offset, upper: Offset) -> Result<Option<FoundRecord>, LogError> {
    let first_of = |wanted_ms: i64| {
        let near = segment.time_index.offset_before(wanted_ms).map_err(at(segment.time_index.file.path()))?.max(start);
        first_record(segment, near, upper, |record_ms| record_ms == wanted_ms, start)
    };
    if let Some(found) = first_of(bound_ms)? {
        return Ok(Some(found));
    }
    match greatest(segment, start, upper)? {
        Some(greatest_ms) => first_of(greatest_ms),
        None => Ok(None),
    }
}

/// The first record from `near` on that lies in `[start, upper)` and whose timestamp is wanted.
fn first_record(
    segment: &Segment,
    near: Offset,
    upper: Offset,
    wanted: impl Fn(i64) -> bool,
    start: Offset,
) -> Result<Option<FoundRecord>, LogError> {
    let mut scan = segment.scan_near(near)?;
    loop {
        let position = scan.position();
        let Some((_, batch)) = segment.scan_result(scan.next_batch(), position)? else { return Ok(None) };
        let header = *batch.header();
        if header.base_offset >= upper {
            return Ok(None);
        }
        if header.attributes.is_control() || header.last_offset() < start {
            continue;
        }
        if let Some((offset, timestamp_ms)) = in_batch(segment, &batch, position, |offset, timestamp_ms| {
            offset >= start && offset < upper && wanted(timestamp_ms)
        })? {
            return Ok(Some((offset, timestamp_ms, header.leader_epoch)));
        }
    }
}

fn in_batch(
    segment: &Segment,
    batch: &BatchView<'_>,
    position: u64,
    wanted: impl Fn(Offset, i64) -> bool,
) -> Result<Option<(Offset, i64)>, LogError> {
    let damaged = |source| LogError::Damaged { path: segment.path().to_owned(), position, source };
    for record in &batch.records().map_err(damaged)? {
        let record = record.map_err(damaged)?;
        if wanted(record.offset, record.timestamp_ms) {
            return Ok(Some((record.offset, record.timestamp_ms)));
        }
    }
    Ok(None)
}

/// The greatest timestamp of the batches in a part of a segment.
fn greatest(segment: &Segment, start: Offset, upper: Offset) -> Result<Option<i64>, LogError> {
    let mut scan = segment.scan_near(start)?;
    let mut max_ms = None;
    loop {
        let position = scan.position();
        let Some((_, batch)) = segment.scan_result(scan.next_batch(), position)? else { return Ok(max_ms) };
        if batch.header().base_offset >= upper {
            return Ok(max_ms);
        }
        if batch.header().attributes.is_control() {
            continue;
        }
        let damaged = |source| LogError::Damaged { path: segment.path().to_owned(), position, source };
        for record in &batch.records().map_err(damaged)? {
            let record = record.map_err(damaged)?;
            if record.offset >= start && record.offset < upper {
                max_ms = max_ms.max(Some(record.timestamp_ms));
            }
        }
    }
}
