//! What a segment really holds, after whatever happened.
//!
//! # Consistency
//! A segment is opened by one thread, before anybody reads it.
//!
//! # Crash safety
//! Below the recovery point batches and indexes were synced: they are believed, but for an index that is missing or ends
//! in nonsense. From it on every batch is read and its checksum compared; the first that does not hold ends the log. Its
//! bytes and what follows were never acknowledged as stable. Where a segment ends before what lies below the recovery
//! point, that is no torn tail but loss: it is refused before anything is cut, unless the operator has accepted it. No index entry above the recovery point is believed: only
//! its length says what an entry that was not synced holds.
//!
//! Indexes below the recovery point that have to be made anew are not stable until they are synced, though the
//! checkpoint says so: a file beside them says that, too, and stays until they are.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, Open};
use crate::model::Offset;
use crate::record::{BatchHeader, BatchView, control};

use super::checkpoint::{IndexEntries, Recovery};
use super::error::{LogError, at};
use super::leader_epochs::LeaderEpochs;
use super::leftovers;
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
    /// `None` where it was believed as it is.
    pub(super) scanned: Option<Scanned>,
    pub(super) rebuilt_indexes: bool,
}

/// A part of a segment that was read, and indexed anew.
#[derive(Clone, Debug)]
pub(super) struct Scanned {
    /// Its first offset.
    pub(super) from: Offset,
    /// Bytes of good batches.
    pub(super) bytes: u64,
    /// Bytes behind the last good batch, now cut off.
    pub(super) torn_bytes: u64,
    /// The epochs that its batches say.
    pub(super) epochs: LeaderEpochs,
}

/// How a segment is to be opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trust {
    pub(super) recovery: Recovery,
    /// The base of the next segment; `None` for the last.
    pub(super) next_base: Option<Offset>,
    /// What ends at or below it may be missing.
    pub(super) may_lack_below: Offset,
    pub(super) now_ms: i64,
}

/// What of a segment was synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stable {
    /// All of it; it ends there.
    All(Offset),
    /// What lies below the recovery point, and so many index entries.
    Below(Offset, IndexEntries),
    /// Perhaps nothing.
    Nothing,
}

impl Trust {
    fn of(&self, base: Offset) -> Stable {
        let point = Offset::new(self.recovery.point);
        if base.get() == self.recovery.base_offset && base < point {
            // Sealed right at the point or not: its last entry in the time index came later.
            return Stable::Below(point, self.recovery.entries);
        }
        self.next_base.filter(|end| *end <= point).map_or(Stable::Nothing, Stable::All)
    }

    /// Where the segment of that base has to reach, at least: what of it lies below the recovery point was stable.
    fn reaches(&self, base: Offset) -> Offset {
        self.next_base.unwrap_or(Offset::MAX).min(Offset::new(self.recovery.point)).max(base)
    }
}

/// Opens a segment and finds out how far it goes.
pub(super) fn open_segment(
    files: &Arc<OpenFiles>,
    dir: &Path,
    base: Offset,
    options: &LogOptions,
    trust: Trust,
) -> Result<Recovered, LogError> {
    let stable = trust.of(base);
    let marker = names::file(dir, base, names::REBUILDING);
    let mut rebuild = files.disk().try_exists(&marker).map_err(at(&marker))?;
    rebuild |= !cut_indexes(files.disk(), dir, base, stable)?;
    let segment = Segment::open(files, dir, base)?;
    segment.set_times(None, None, trust.now_ms);
    let file_bytes = segment.file()?.len().map_err(at(segment.path()))?;
    if let Stable::All(end) = stable
        && !rebuild
    {
        if believe(&segment, end, file_bytes, trust.now_ms)? {
            return Ok(Recovered { segment, scanned: None, rebuilt_indexes: false });
        }
        rebuild = true;
    }
    // Until this is published a scan would see an empty segment.
    segment.publish(Offset::MAX, file_bytes);
    let beginning = Start { position: 0, expected: base };
    let start = match stable {
        Stable::Below(point, _) if !rebuild && ends_sane(&segment, point, file_bytes)? => {
            start_of_scan(&segment, point)?
        }
        _ => None,
    };
    let reaches = trust.reaches(base);
    let rebuild = start.is_none() && reaches > base;
    if rebuild {
        files.disk().open(&marker, Open::Create).map_err(at(&marker))?;
        files.disk().sync_dir(dir).map_err(at(dir))?;
    }
    let known_max = start.and(trust.recovery.max_timestamp);
    let whole_to = if reaches <= trust.may_lack_below { base } else { reaches };
    let scanned = scan(&segment, file_bytes, start.unwrap_or(beginning), (known_max, whole_to), options)?;
    Ok(Recovered { segment, scanned: Some(scanned), rebuilt_indexes: rebuild })
}

/// What was made anew is stable now.
pub(super) fn rebuilt(disk: &dyn Disk, dir: &Path, base: Offset) -> Result<(), LogError> {
    leftovers::remove_file(disk, &names::file(dir, base, names::REBUILDING))
}

/// Cuts off index entries that were not synced. False where there are fewer than were.
fn cut_indexes(disk: &dyn Disk, dir: &Path, base: Offset, stable: Stable) -> Result<bool, LogError> {
    let entries = match stable {
        Stable::All(_) => None,
        Stable::Below(_, entries) => Some(entries),
        Stable::Nothing => Some(IndexEntries::default()),
    };
    let mut whole = true;
    for (suffix, entry_bytes, count) in [
        (names::OFFSET_INDEX, 8, entries.map(|entries| entries.offset)),
        (names::TIME_INDEX, 12, entries.map(|entries| entries.time)),
        (names::TRANSACTION_INDEX, 34, entries.map(|entries| entries.transaction)),
    ] {
        let path = names::file(dir, base, suffix);
        let file = match disk.open(&path, Open::Write) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Aborted transactions are rare: without any there is no file.
                whole &= count.map_or(suffix == names::TRANSACTION_INDEX, |count| count == 0);
                continue;
            }
            Err(source) => return Err(LogError::Io { path, source }),
        };
        let length = file.len().map_err(at(&path))?;
        let wanted = count.map_or(length - length % entry_bytes, |count| count * entry_bytes);
        whole &= length >= wanted && (count.is_some() || length == wanted);
        if length > wanted {
            file.set_len(wanted).map_err(at(&path))?;
        } else if length % entry_bytes != 0 {
            file.set_len(0).map_err(at(&path))?;
        }
    }
    Ok(whole)
}

/// Takes a segment as it is that was synced and sealed. False where an index cannot be its.
fn believe(segment: &Segment, end: Offset, file_bytes: u64, now_ms: i64) -> Result<bool, LogError> {
    if !ends_sane(segment, end, file_bytes)? {
        return Ok(false);
    }
    // Its file may have been cut short, or the next segment is not the one that followed it.
    segment.publish(end, file_bytes);
    if start_of_scan(segment, end)?.is_none() {
        return Ok(false);
    }
    let last = segment.time_index.last().map_err(at(segment.path()))?;
    let Some((timestamp_ms, offset)) = last else { return Ok(false) };
    segment.set_times(Some(MaxTimestamp { timestamp_ms, offset }), None, now_ms);
    Ok(true)
}

/// Whether the last entries of the indexes make sense. Only they are looked at: a start must not read all indexes of a
/// large log.
fn ends_sane(segment: &Segment, end: Offset, file_bytes: u64) -> Result<bool, LogError> {
    let sane = || Ok(segment.offset_index.ends_sane(file_bytes)? && segment.time_index.ends_sane(end)?);
    sane().map_err(at(segment.path()))
}

/// Reads the batches from `start` on, indexes them, and cuts the file behind the last good one; if that ends below
/// `whole_to`, something is lost, and the file is left as it is.
fn scan(
    segment: &Segment,
    file_bytes: u64,
    start: Start,
    (known_max, whole_to): (Option<(i64, i64)>, Offset),
    options: &LogOptions,
) -> Result<Scanned, LogError> {
    segment
        .offset_index
        .truncate_to(start.position)
        .and_then(|()| segment.time_index.truncate_to(start.expected))
        .and_then(|()| segment.transactions.truncate_to(start.expected))
        .map_err(at(segment.path()))?;
    let known = known_max.map(|(timestamp_ms, offset)| (timestamp_ms, Offset::new(offset)));
    let indexed = segment.time_index.last().map_err(at(segment.path()))?;
    if let Some((timestamp_ms, offset)) = known.or(indexed) {
        segment.set_times(Some(MaxTimestamp { timestamp_ms, offset }), None, segment.last_append_ms());
    }
    let now_ms = segment.last_append_ms();
    if known.is_none() {
        note_unindexed(segment, start.position)?;
    }
    let mut scan = Scan::new(segment.file()?, start.position, file_bytes);
    let mut expected = start.expected;
    let mut since_index = 0;
    let mut epochs = LeaderEpochs::default();
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
                epochs.begin(header.leader_epoch, header.base_offset);
                segment.note_times(&header, header.last_offset(), now_ms);
                if since_index > options.index_interval_bytes {
                    segment.index(header.last_offset(), position).map_err(at(segment.path()))?;
                    since_index = 0;
                }
                since_index += header.size_bytes() as u64;
            }
        }
    };
    if expected < whole_to {
        let dir = crate::disk::parent_of(segment.path());
        return Err(LogError::Lost { path: dir.to_owned(), from: expected, to: whole_to });
    }
    segment.publish(expected, good_end);
    segment.index_time().map_err(at(segment.path()))?;
    if good_end < file_bytes {
        segment.file()?.set_len(good_end).map_err(at(segment.path()))?;
    }
    let (bytes, torn_bytes) = (good_end - start.position, file_bytes - good_end);
    Ok(Scanned { from: start.expected, bytes, torn_bytes, epochs })
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

#[derive(Clone, Copy, Debug)]
struct Start {
    position: u64,
    expected: Offset,
}

/// Where the batch begins whose base is the recovery point, or where the file ends there, as it does after a clean stop.
/// Headers above the recovery point may say anything, so only a chain that leads to it without a gap counts.
fn start_of_scan(segment: &Segment, point: Offset) -> Result<Option<Start>, LogError> {
    let mut headers = segment.scan_near(point)?;
    let mut chain: Option<Start> = None;
    loop {
        match headers.next_header() {
            Ok(Some((_, header))) => {
                let follows = chain.is_none_or(|before| header.base_offset == before.expected);
                if !follows || header.base_offset >= point || header.last_offset_delta < 0 {
                    break;
                }
                chain = Some(Start { position: headers.position(), expected: header.next_offset() });
            }
            Ok(None) | Err(ScanError::Damaged(_)) => break,
            Err(ScanError::Io(source)) => return Err(LogError::Io { path: segment.path().to_owned(), source }),
        }
    }
    Ok(chain.filter(|start| start.expected == point))
}

/// Plays the batches of `[from, …)` to the producers, and indexes the aborted transactions that no index has.
pub(super) fn replay(
    segments: &[Arc<Segment>],
    from: Offset,
    producers: &mut Producers,
    now_ms: i64,
) -> Result<(), LogError> {
    for segment in segments.iter().filter(|segment| segment.next_offset() > from) {
        let mut scan = segment.scan_near(from)?;
        loop {
            let position = scan.position();
            let Some(header) = segment.scan_result(scan.peek_header(), position)? else { break };
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

/// Shows the headers of all batches.
pub(super) fn headers(segments: &[Arc<Segment>], mut seen: impl FnMut(&BatchHeader)) -> Result<(), LogError> {
    for segment in segments {
        let mut scan = Scan::new(segment.file()?, 0, segment.size_bytes());
        while let Some((_, header)) = segment.scanned(scan.next_header(), &scan)? {
            seen(&header);
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
    // The folder is synced before anything that was recovered is called stable.
    segment.transactions.append(&aborted).map(|_| ()).map_err(at(path))
}
