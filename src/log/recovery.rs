//! What a segment really holds, after whatever happened.
//!
//! # Consistency
//! A segment is opened by one thread, before anybody reads it.
//!
//! # Crash safety
//! Below the recovery point batches and indexes were synced: they are believed, but for an index that contradicts itself.
//! From it on every batch is read and its checksum compared; the first that does not hold ends the log. Its bytes and
//! what follows were never acknowledged as stable.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::disk::Open;
use crate::model::Offset;
use crate::record::{BatchHeader, BatchView, control};

use super::error::{LogError, at};
use super::names;
use super::open_files::OpenFiles;
use super::options::LogOptions;
use super::producers::Producers;
use super::scan::{Scan, ScanError};
use super::segment::{MaxTimestamp, Segment};

/// What was found in one segment.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) segment: Segment,
    /// Bytes behind the last good batch, now cut off.
    pub(super) torn_bytes: u64,
    /// Bytes of batches that were read.
    pub(super) scanned_bytes: u64,
    pub(super) rebuilt_indexes: bool,
}

/// How a segment is to be opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trust {
    /// Everything below it was synced.
    pub(super) recovery_point: Offset,
    /// The base of the next segment; `None` for the last.
    pub(super) next_base: Option<Offset>,
    pub(super) now_ms: i64,
}

/// Opens a segment and finds out how far it goes.
pub(super) fn open_segment(
    files: &Arc<OpenFiles>,
    dir: &Path,
    base: Offset,
    options: &LogOptions,
    trust: Trust,
) -> Result<Recovered, LogError> {
    let mut rebuild = mend_index_lengths(files, dir, base)?;
    let segment = Segment::open(files, dir, base)?;
    segment.set_times(None, None, trust.now_ms);
    let file_bytes = segment.file()?.len().map_err(at(segment.path()))?;
    let sealed_end = trust.next_base.filter(|next| *next <= trust.recovery_point);
    let end = sealed_end.unwrap_or(Offset::MAX);
    let sane = segment.offset_index.is_sane(file_bytes).map_err(at(segment.path()))?
        && segment.time_index.is_sane(end).map_err(at(segment.path()))?;
    rebuild |= !sane;
    if let Some(end) = sealed_end.filter(|_| !rebuild) {
        segment.publish(end, file_bytes);
        let last = segment.time_index.last().map_err(at(segment.path()))?;
        if let Some((timestamp_ms, offset)) = last {
            segment.set_times(Some(MaxTimestamp { timestamp_ms, offset }), None, trust.now_ms);
            return Ok(Recovered { segment, torn_bytes: 0, scanned_bytes: 0, rebuilt_indexes: false });
        }
        rebuild = file_bytes > 0;
    }
    let from = if rebuild { None } else { Some(trust.recovery_point) };
    let (torn_bytes, scanned_bytes) = scan(&segment, file_bytes, from, options)?;
    Ok(Recovered { segment, torn_bytes, scanned_bytes, rebuilt_indexes: rebuild })
}

/// An index that is missing, or ends within an entry, is begun anew. Says whether that was so.
fn mend_index_lengths(files: &Arc<OpenFiles>, dir: &Path, base: Offset) -> Result<bool, LogError> {
    let mut mended = false;
    for (suffix, entry_bytes) in [(names::OFFSET_INDEX, 8), (names::TIME_INDEX, 12), (names::TRANSACTION_INDEX, 34)] {
        let path = names::file(dir, base, suffix);
        let file = match files.disk().open(&path, Open::Write) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                mended |= suffix != names::TRANSACTION_INDEX;
                continue;
            }
            Err(source) => return Err(LogError::Io { path, source }),
        };
        if file.len().map_err(at(&path))? % entry_bytes != 0 {
            file.set_len(0).map_err(at(&path))?;
            mended = true;
        }
    }
    Ok(mended)
}

/// Reads the batches from the recovery point on, or all of them; indexes them, and cuts the file behind the last good
/// one. Returns the bytes cut and the bytes read.
fn scan(
    segment: &Segment,
    file_bytes: u64,
    from: Option<Offset>,
    options: &LogOptions,
) -> Result<(u64, u64), LogError> {
    // Until this is published a scan would see an empty segment.
    segment.publish(Offset::MAX, file_bytes);
    let start = start_of_scan(segment, from)?;
    let index_error = at(segment.path());
    segment
        .offset_index
        .truncate_to(start.position)
        .and_then(|()| segment.time_index.truncate_to(start.expected))
        .and_then(|()| segment.transactions.truncate_to(start.expected))
        .map_err(index_error)?;
    if let Some((timestamp_ms, offset)) = segment.time_index.last().map_err(at(segment.path()))? {
        segment.set_times(Some(MaxTimestamp { timestamp_ms, offset }), None, segment.last_append_ms());
    }
    let now_ms = segment.last_append_ms();
    note_unindexed(segment, start.position)?;
    let mut scan = Scan::new(segment.file()?, start.position, file_bytes);
    let mut expected = start.expected;
    let mut since_index = 0;
    let good_end = loop {
        let position = scan.position();
        match scan.next_batch() {
            Ok(None) => break position,
            Err(ScanError::Io(source)) => return Err(LogError::Io { path: segment.path().to_owned(), source }),
            Err(ScanError::Damaged(_)) => break position,
            Ok(Some((_, batch))) => {
                let header = *batch.header();
                if header.base_offset != expected || header.last_offset_delta < 0 || batch.verify_crc().is_err() {
                    break position;
                }
                expected = header.next_offset();
                segment.note_times(&header, header.last_offset(), now_ms);
                if since_index > options.index_interval_bytes {
                    segment.index(header.last_offset(), position).map_err(at(segment.path()))?;
                    since_index = 0;
                }
                since_index += header.size_bytes() as u64;
            }
        }
    };
    segment.publish(expected, good_end);
    segment.index_time().map_err(at(segment.path()))?;
    if good_end < file_bytes {
        segment.file()?.set_len(good_end).map_err(at(segment.path()))?;
    }
    Ok((file_bytes - good_end, good_end - start.position))
}

/// Looks at the batches behind the last entry of the time index, up to `until`: one of them may hold the greatest
/// timestamp, and no index says so.
pub(super) fn note_unindexed(segment: &Segment, until: u64) -> Result<(), LogError> {
    let indexed = segment.max_timestamp().map_or(segment.base, |max| max.offset);
    let position = segment.offset_index.position_before(indexed).map_err(at(segment.path()))?;
    let mut scan = Scan::new(segment.file()?, position, until);
    loop {
        let position = scan.position();
        let Some((_, header)) = segment.scan_result(scan.next_header(), position)? else { return Ok(()) };
        segment.note_times(&header, header.last_offset(), segment.last_append_ms());
    }
}

struct Start {
    position: u64,
    expected: Offset,
}

/// Where the batch that holds the recovery point begins, and its base offset; the segment's beginning where that cannot
/// be found.
fn start_of_scan(segment: &Segment, from: Option<Offset>) -> Result<Start, LogError> {
    let beginning = Start { position: 0, expected: segment.base };
    let Some(from) = from.filter(|from| *from > segment.base) else { return Ok(beginning) };
    let mut headers = segment.scan_near(from)?;
    let mut end = None;
    loop {
        match headers.next_header() {
            Ok(Some((position, header))) if header.last_offset() >= from => {
                return Ok(Start { position, expected: header.base_offset });
            }
            Ok(Some((_, header))) => end = Some((headers.position(), header.next_offset())),
            Ok(None) => break,
            Err(ScanError::Io(source)) => return Err(LogError::Io { path: segment.path().to_owned(), source }),
            Err(ScanError::Damaged(_)) => return Ok(beginning),
        }
    }
    // The file ends at the recovery point, as it does after a clean stop.
    Ok(end.map_or(beginning, |(position, expected)| Start { position, expected }))
}

/// Plays the batches of `[from, …)` to the producers.
pub(super) fn replay(
    segments: &[Arc<Segment>],
    from: Offset,
    producers: &mut Producers,
    now_ms: i64,
    mut header_seen: impl FnMut(&BatchHeader),
) -> Result<(), LogError> {
    for segment in segments.iter().filter(|segment| segment.next_offset() > from) {
        let mut scan = segment.scan_near(from)?;
        loop {
            let position = scan.position();
            let Some(header) = segment.scan_result(scan.peek_header(), position)? else { break };
            header_seen(&header);
            if header.last_offset() < from || !header.producer_id.is_some() || !header.attributes.is_control() {
                segment.scan_result(scan.next_header(), position)?;
                if header.last_offset() >= from {
                    producers.appended(&header, header.base_offset, now_ms);
                }
                continue;
            }
            let Some((_, batch)) = segment.scan_result(scan.next_batch(), position)? else { break };
            replay_marker(segment, &batch, producers, now_ms)?;
        }
    }
    Ok(())
}

fn replay_marker(
    segment: &Segment,
    batch: &BatchView<'_>,
    producers: &mut Producers,
    now_ms: i64,
) -> Result<(), LogError> {
    let header = batch.header();
    let Ok(Some(marker)) = control::parse(batch) else { return Ok(()) };
    let Some(aborted) = producers.ended(header, marker, header.base_offset, now_ms) else { return Ok(()) };
    let path = segment.transactions.path();
    let known = segment.transactions.entries().map_err(at(path))?;
    if known.iter().any(|entry| entry.last_offset == aborted.last_offset) {
        return Ok(());
    }
    segment.transactions.append(&aborted).map_err(at(path))
}
