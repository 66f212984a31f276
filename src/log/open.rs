//! Opening a log: a new one, one that was closed, one that a crash left.
//!
//! # Crash safety
//! When this returns, everything that is in the log is on stable storage, and the recovery point stands behind it.
//! Nothing is thrown away that parses: segments behind a torn one are set aside under another name.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::disk::{Disk, with_suffix};
use crate::model::Offset;

use super::checkpoint;
use super::error::{LogError, at};
use super::leader_epochs::{EpochEntry, LeaderEpochs};
use super::names;
use super::open_files::OpenFiles;
use super::options::LogOptions;
use super::partition_log::{Appender, PartitionLog};
use super::producer_snapshot;
use super::producers::Producers;
use super::recovery::{self, Trust};
use super::segment::Segment;

/// The suffix of segments that follow a torn one.
const ASIDE: &str = ".aside";

/// What opening found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Bytes of batches that were read and compared with their checksums.
    pub scanned_bytes: u64,
    /// Bytes cut off behind the last good batch.
    pub torn_bytes: u64,
    /// Segments set aside behind a torn one.
    pub segments_aside: usize,
    /// Segments whose indexes were made anew.
    pub rebuilt_indexes: usize,
}

/// Where a log begins that has to begin anew: what the bucket holds lies below it.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The offset of its first record.
    pub start: Offset,
    /// The log start offset, in the bucket.
    pub log_start: Offset,
    /// The epochs of what lies below.
    pub epochs: Vec<EpochEntry>,
    /// The producers as they were there.
    pub producer_snapshot: Option<Vec<u8>>,
}

impl PartitionLog {
    /// Opens the log in `dir`, or makes an empty one. `log_start` is what the catalog knows, for a topic whose log start
    /// may lie in the bucket.
    pub fn open(
        files: &Arc<OpenFiles>,
        dir: &Path,
        options: LogOptions,
        log_start: Option<Offset>,
        now_ms: i64,
    ) -> Result<(Self, RecoveryReport), LogError> {
        let disk = files.disk();
        disk.create_dir_all_durable(dir).map_err(at(dir))?;
        let names: Vec<String> = disk.read_dir(dir).map_err(at(dir))?.into_iter().map(|entry| entry.name).collect();
        remove_leftovers(disk, dir, &names)?;
        let known = checkpoint::read(disk, dir).map_err(at(dir))?;
        let recovery_point = Offset::new(known.map_or(0, |known| known.recovery_point));
        let mut report = RecoveryReport::default();
        let bases: Vec<Offset> = names.iter().filter_map(|name| names::offset_of(name, names::LOG)).collect();
        let mut segments =
            open_segments(&Opening { files, dir, options: &options, now_ms }, &bases, recovery_point, &mut report)?;

        let checkpointed = known.map(|known| Offset::new(known.log_start_offset));
        let first = segments.first().map(|segment| segment.base);
        let log_start = log_start.into_iter().chain(checkpointed).max().or(first).unwrap_or(Offset::ZERO);
        let end = segments.last().map_or(Offset::ZERO, |segment| segment.next_offset());
        if segments.is_empty() || end < log_start {
            set_aside(disk, dir, &segments.iter().map(|segment| segment.base).collect::<Vec<_>>())?;
            report.segments_aside += segments.len();
            segments = vec![Arc::new(Segment::create(files, dir, log_start, 0)?)];
        }
        if let (Some(active), Some(known)) = (segments.last(), known)
            && active.base.get() == known.active_base_offset
        {
            active.set_times(active.max_timestamp(), known.active_first_append_ms, now_ms);
        }
        let log = Self::assemble(files, dir, options, segments, log_start, now_ms)?;
        log.sync_all_files()?;
        Ok((log, report))
    }

    /// Begins an empty log where the bucket ends. A folder that is there already is set aside, and its new name returned
    /// in the log.
    pub fn begin_at(
        files: &Arc<OpenFiles>,
        dir: &Path,
        options: LogOptions,
        beginning: &Beginning,
        now_ms: i64,
    ) -> Result<Self, LogError> {
        let disk = files.disk();
        if disk.try_exists(dir).map_err(at(dir))? {
            let aside = with_suffix(dir, &format!("{ASIDE}-{now_ms}"));
            disk.rename_durable(dir, &aside).map_err(at(dir))?;
            tracing::warn!(aside = %aside.display(), "a log that is not of this partition's history was set aside");
        }
        disk.create_dir_all_durable(dir).map_err(at(dir))?;
        let epochs = LeaderEpochs::from_entries(beginning.epochs.iter().copied());
        let path = dir.join(names::LEADER_EPOCHS);
        disk.replace_durable(&path, epochs.to_text().as_bytes()).map_err(at(&path))?;
        if let Some(snapshot) = &beginning.producer_snapshot {
            let path = names::file(dir, beginning.start, names::SNAPSHOT);
            disk.replace_durable(&path, snapshot).map_err(at(&path))?;
        }
        let segments = vec![Arc::new(Segment::create(files, dir, beginning.start, 0)?)];
        let log = Self::assemble(files, dir, options, segments, beginning.log_start, now_ms)?;
        log.sync_all_files()?;
        Ok(log)
    }

    fn assemble(
        files: &Arc<OpenFiles>,
        dir: &Path,
        options: LogOptions,
        segments: Vec<Arc<Segment>>,
        log_start: Offset,
        now_ms: i64,
    ) -> Result<Self, LogError> {
        let active = Arc::clone(segments.last().expect("a log has an active segment"));
        let end = active.next_offset();
        let epochs = read_epochs(files.disk(), dir)?;
        let rebuild_epochs = epochs.is_none();
        let mut epochs = epochs.unwrap_or_default();
        epochs.truncate_to(end.next());
        let (snapshot_at, mut producers) = read_snapshot(files.disk(), dir, end)?;
        let from = if rebuild_epochs { Offset::ZERO } else { snapshot_at };
        let mut seen = Vec::new();
        recovery::replay(&segments, from, &mut producers, now_ms, |header| {
            if rebuild_epochs {
                seen.push(EpochEntry { epoch: header.leader_epoch, start: header.base_offset });
            }
        })?;
        for entry in seen {
            epochs.begin(entry.epoch, entry.start);
        }
        producers.settle(end);
        let log = Self {
            dir: dir.to_owned(),
            files: Arc::clone(files),
            options: ArcSwap::from_pointee(options),
            syncing: Mutex::new(()),
            segments: ArcSwap::from_pointee(segments),
            epochs: ArcSwap::from_pointee(epochs),
            log_start: AtomicI64::new(log_start.get()),
            log_end: AtomicI64::new(end.get()),
            stable_end: AtomicI64::new(end.get()),
            recovery_point: AtomicI64::new(0),
            high_watermark: AtomicI64::new(end.get()),
            first_unstable: AtomicI64::new(i64::MAX),
            unsynced_bytes: AtomicU64::new(0),
            unsynced_records: AtomicU64::new(0),
            checkpoint_due: AtomicBool::new(false),
            doomed: Mutex::default(),
            appender: Mutex::new(Appender {
                active,
                bytes_since_index: 0,
                bytes_since_checkpoint: 0,
                producers,
                epochs_unwritten: rebuild_epochs,
                unsynced: Vec::new(),
                names_unsynced: true,
                indexes_unsynced: Vec::new(),
                broken: false,
            }),
        };
        log.publish_unstable(&log.appender.lock().producers);
        Ok(log)
    }

    /// Whatever recovery found or made is made stable before anybody reads it.
    fn sync_all_files(&self) -> Result<(), LogError> {
        for segment in self.segments.load().iter() {
            if segment.next_offset() > Offset::new(self.recovery_point.load(std::sync::atomic::Ordering::Relaxed)) {
                segment.sync()?;
                segment.sync_indexes()?;
            }
        }
        self.sync()?;
        self.checkpoint()
    }
}

/// What every segment is opened with.
struct Opening<'a> {
    files: &'a Arc<OpenFiles>,
    dir: &'a Path,
    options: &'a LogOptions,
    now_ms: i64,
}

fn open_segments(
    opening: &Opening<'_>,
    bases: &[Offset],
    recovery_point: Offset,
    report: &mut RecoveryReport,
) -> Result<Vec<Arc<Segment>>, LogError> {
    let Opening { files, dir, options, now_ms } = *opening;
    let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(bases.len());
    for (number, &base) in bases.iter().enumerate() {
        let rest = bases.get(number..).unwrap_or_default();
        let follows = segments.last().is_none_or(|before| before.next_offset() == base);
        if !follows {
            tracing::warn!(dir = %dir.display(), base = base.get(), "segments do not follow what was recovered: they are set aside");
            set_aside(files.disk(), dir, rest)?;
            report.segments_aside += rest.len();
            break;
        }
        let trust = Trust { recovery_point, next_base: rest.get(1).copied(), now_ms };
        let recovered = recovery::open_segment(files, dir, base, options, trust)?;
        report.scanned_bytes += recovered.scanned_bytes;
        report.torn_bytes += recovered.torn_bytes;
        report.rebuilt_indexes += usize::from(recovered.rebuilt_indexes);
        segments.push(Arc::new(recovered.segment));
    }
    Ok(segments)
}

/// Files that a crash left on their way in or out.
fn remove_leftovers(disk: &dyn Disk, dir: &Path, names: &[String]) -> Result<(), LogError> {
    for name in names.iter().filter(|name| name.ends_with(names::DELETED) || name.ends_with(names::TEMPORARY)) {
        let path = dir.join(name);
        disk.remove_file(&path).map_err(at(&path))?;
    }
    Ok(())
}

/// Renames all files of these segments, so that they are neither read nor lost.
fn set_aside(disk: &dyn Disk, dir: &Path, bases: &[Offset]) -> Result<(), LogError> {
    for base in bases {
        for suffix in names::SEGMENT_FILES {
            let path = names::file(dir, *base, suffix);
            match disk.rename(&path, &with_suffix(&path, ASIDE)) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                other => other.map_err(at(&path))?,
            }
        }
    }
    disk.sync_dir(dir).map_err(at(dir))
}

fn read_epochs(disk: &dyn Disk, dir: &Path) -> Result<Option<LeaderEpochs>, LogError> {
    let path = dir.join(names::LEADER_EPOCHS);
    let bytes = disk.read_all(&path).map_err(at(&path))?;
    Ok(bytes.and_then(|bytes| LeaderEpochs::parse(std::str::from_utf8(&bytes).ok()?)))
}

/// The newest snapshot that is whole and not of records that were lost, and the offset it was taken at.
fn read_snapshot(disk: &dyn Disk, dir: &Path, end: Offset) -> Result<(Offset, Producers), LogError> {
    let names = disk.read_dir(dir).map_err(at(dir))?;
    let mut snapshots: Vec<_> =
        names.iter().filter_map(|entry| names::offset_of(&entry.name, names::SNAPSHOT)).collect();
    snapshots.sort_unstable();
    for offset in snapshots.into_iter().rev() {
        let path = names::file(dir, offset, names::SNAPSHOT);
        if offset > end {
            disk.remove_file(&path).map_err(at(&path))?;
            continue;
        }
        let bytes = disk.read_all(&path).map_err(at(&path))?;
        if let Some(producers) = bytes.and_then(|bytes| producer_snapshot::decode(&bytes)) {
            return Ok((offset, producers));
        }
    }
    Ok((Offset::ZERO, Producers::default()))
}
