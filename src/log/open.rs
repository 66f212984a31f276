//! Opening a log: a new one, one that was closed, one that a crash left.
//!
//! # Consistency
//! Nobody else has the log before this returns.
//!
//! # Crash safety
//! When this returns, everything that is in the log is on stable storage, and the recovery point stands behind it, given
//! that what an earlier process had written was made stable before (`Disk::sync_all`): a start does that once, not for
//! each log.
//! Nothing is thrown away that parses: segments behind a torn one are set aside under another name, and stay for a week.
//!
//! # Loss
//! A crash tears only what lies above the recovery point. Where files hold less than the checkpoint knows to have been
//! stable, or nothing is left of a log that was made before, somebody has lost files: see [`super::loss`].

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::disk::Disk;
use crate::model::{LeaderEpoch, Offset};

use super::aside;
use super::checkpoint::{self, Checkpoint, Recovery};
use super::epochs_file::{self, OpenedEpochs};
use super::error::{LogError, at};
use super::leader_epochs::{EpochEntry, LeaderEpochs};
use super::leftovers;
use super::loss;
use super::names;
use super::open_files::OpenFiles;
use super::options::LogOptions;
use super::partition_log::{Appender, PartitionLog};
use super::producer_snapshot;
use super::producers::Producers;
use super::recovery::{self, Trust};
use super::segment::Segment;

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

/// What is known of a log besides its files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// The log start in the catalog, for a topic whose log start may lie in the bucket.
    pub log_start: Option<Offset>,
    /// The bucket has everything below it that has not expired.
    pub tiered_to: Option<Offset>,
    /// The epoch that it is opened to be led in: none is newer.
    pub leader_epoch: Option<LeaderEpoch>,
    /// There was a log.
    pub made_before: bool,
    /// What was lost is given up; its offsets are not given again.
    pub accept_loss: bool,
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

/// The segments of a log and where its producers are to be found.
#[derive(Debug)]
struct LogParts {
    segments: Vec<Arc<Segment>>,
    epochs: OpenedEpochs,
    log_start: Offset,
    removed_below: Offset,
    given_up_below: Offset,
    /// A snapshot above it may not be believed, or does not help.
    snapshot_limit: Offset,
    /// Where it is known that there was no producer.
    none_at: Option<Offset>,
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
        Self::open_known(files, dir, options, Known { log_start, ..Known::default() }, now_ms)
    }

    /// The same, with more that is known of it.
    pub fn open_known(
        files: &Arc<OpenFiles>,
        dir: &Path,
        options: LogOptions,
        besides: Known,
        now_ms: i64,
    ) -> Result<(Self, RecoveryReport), LogError> {
        let disk = files.disk();
        let log_start = besides.log_start;
        let known = checkpoint::read(disk, dir).map_err(at(dir))?;
        let held = loss::LossBounds::of(&besides, known.as_ref());
        held.refuse_older_catalog(dir)?;
        if known.is_none() {
            held.refuse_gone(disk, dir)?;
            disk.create_dir_all_durable(dir).map_err(at(dir))?;
        }
        let mut removed_below = Offset::new(known.map_or(0, |known| known.local_start_offset));
        let mut stays = leftovers::remove(disk, dir, removed_below)?;
        stays.bases = leftovers::without_empty(disk, dir, &stays.bases)?;
        aside::remove_old_asides(disk, dir, now_ms).map_err(at(dir))?;
        let recovery = known.map_or_else(Recovery::default, |known| known.recovery);
        let recovery_point = Offset::new(recovery.point);
        let front_gone = held.front_gone(dir, &stays)?;
        let opening = Opening { files, dir, options: &options, held, now_ms };
        let mut recovered = open_segments(&opening, &stays.bases, recovery)?;
        let tail_lost = recovered.reach(&opening, recovery_point)?;

        let checkpointed = known.map(|known| Offset::new(known.log_start_offset));
        let first = recovered.segments.first().map(|segment| segment.base);
        // Without a bucket nothing lies below the first segment, whatever was written down.
        let lowest = if log_start.is_some() { None } else { first };
        let log_start = log_start.into_iter().chain(checkpointed).chain(lowest).max().or(first).unwrap_or(Offset::ZERO);
        recovered.begin_anew_below(&opening, log_start.max(removed_below))?;
        if let Some(active) = recovered.segments.last() {
            // What has records has an age, or it would never roll: at worst it counts from this start.
            let counted = active.first_append_ms().or((active.size_bytes() > 0).then_some(now_ms));
            let known = known.filter(|known| known.active_base_offset == active.base.get());
            let first_append_ms = known.and_then(|known| known.active_first_append_ms).or(counted);
            active.set_times(active.max_timestamp(), first_append_ms, now_ms);
        }
        let Segments { segments, unsynced, lowest_scanned, scanned_epochs, report } = recovered;
        let moved = front_gone || tail_lost;
        if moved {
            removed_below = removed_below.max(segments.first().map_or(Offset::ZERO, |segment| segment.base));
        }
        let given_up_below = held.given_up_below(removed_below);
        let gives_up = known.is_some_and(|known| given_up_below > Offset::new(known.given_up_below));
        let found = LogParts {
            given_up_below,
            snapshot_limit: lowest_scanned.min(recovery_point).max(segments.first().map_or(Offset::ZERO, |s| s.base)),
            none_at: known.filter(|known| !known.recovery.has_producers).map(|_| recovery_point),
            epochs: epochs_file::open(disk, dir, &segments, &scanned_epochs, besides.leader_epoch)?,
            segments,
            log_start,
            removed_below,
        };
        let log = Self::assemble(files, dir, options, found, now_ms)?;
        log.doomed.lock().extend(stays.marked.into_iter().map(|(_, path)| (i64::MIN, path)));
        log.settle(known.as_ref(), &unsynced, report == RecoveryReport::default() && !moved && !gives_up)?;
        aside::note_begun(disk, dir).map_err(at(dir))?;
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
            let aside = aside::free_name(disk, dir, now_ms).map_err(at(dir))?;
            aside::note_beginning(disk, dir).map_err(at(dir))?;
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
        let found = LogParts {
            segments: vec![Arc::new(Segment::create(files, dir, beginning.start, 0)?)],
            epochs: OpenedEpochs { epochs, unwritten: false },
            log_start: beginning.log_start,
            removed_below: beginning.start,
            given_up_below: Offset::ZERO,
            snapshot_limit: beginning.start,
            none_at: None,
        };
        let log = Self::assemble(files, dir, options, found, now_ms)?;
        log.settle(None, &[], false)?;
        aside::note_begun(disk, dir).map_err(at(dir))?;
        Ok(log)
    }

    fn assemble(
        files: &Arc<OpenFiles>,
        dir: &Path,
        options: LogOptions,
        found: LogParts,
        now_ms: i64,
    ) -> Result<Self, LogError> {
        let LogParts { segments, epochs, log_start, removed_below, given_up_below, snapshot_limit, none_at } = found;
        let active = Arc::clone(segments.last().expect("a log has an active segment"));
        let end = active.next_offset();
        let none = none_at.filter(|at| *at <= snapshot_limit).map(|at| (at, Producers::default()));
        let newest = producer_snapshot::newest(files.disk(), dir, snapshot_limit, end)?;
        let known = newest.into_iter().chain(none).max_by_key(|(offset, _)| *offset);
        let (from, mut producers) = known.unwrap_or((Offset::ZERO, Producers::default()));
        recovery::replay(&segments, from, &mut producers, now_ms)?;
        producers.settle(end);
        let log = Self {
            dir: dir.to_owned(),
            files: Arc::clone(files),
            options: ArcSwap::from_pointee(options),
            syncing: Mutex::new(()),
            writing_epochs: Mutex::new(()),
            segments: ArcSwap::from_pointee(segments),
            epochs: ArcSwap::from_pointee(epochs.epochs),
            log_start: AtomicI64::new(log_start.get()),
            log_end: AtomicI64::new(end.get()),
            stable_end: AtomicI64::new(end.get()),
            recovery_point: AtomicI64::new(0),
            recovery: Mutex::default(),
            removed_below: AtomicI64::new(removed_below.get()),
            given_up_below,
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
                epochs_unwritten: epochs.unwritten.then_some(Offset::ZERO),
                unsynced: Vec::new(),
                names_unsynced: true,
                indexes_unsynced: Vec::new(),
                broken: false,
            }),
        };
        log.publish_unstable(&log.appender.lock().producers);
        Ok(log)
    }

    /// Makes whatever recovery found or made stable before anybody reads it, and moves the recovery point behind it. After
    /// a clean stop there is nothing to do.
    fn settle(&self, known: Option<&Checkpoint>, unsynced: &[Arc<Segment>], whole: bool) -> Result<(), LogError> {
        // What the file says is what is counted on until another is written.
        self.set_recovery(known.map_or_else(Recovery::default, |known| known.recovery));
        let epochs_known = self.appender.lock().epochs_unwritten.is_none() || self.epochs.load().entries().is_empty();
        if whole && epochs_known && known.is_some_and(|known| known.recovery.point == self.log_end_offset().get()) {
            return Ok(());
        }
        for segment in unsynced {
            segment.sync()?;
            segment.sync_indexes()?;
        }
        self.disk().sync_dir(&self.dir).map_err(at(&self.dir))?;
        for segment in unsynced {
            recovery::rebuilt(self.disk(), &self.dir, segment.base)?;
        }
        if !epochs_known {
            self.write_owed_epochs()?;
        }
        self.checkpoint().map(|_| ())
    }
}

/// What every segment is opened with.
struct Opening<'a> {
    files: &'a Arc<OpenFiles>,
    dir: &'a Path,
    options: &'a LogOptions,
    held: loss::LossBounds,
    now_ms: i64,
}

/// Segments as recovery found them.
struct Segments {
    segments: Vec<Arc<Segment>>,
    /// Those of which not everything is known to be stable.
    unsynced: Vec<Arc<Segment>>,
    /// The first offset that was indexed anew: aborted transactions are to be looked for from there.
    lowest_scanned: Offset,
    /// What the batches that were scanned say.
    scanned_epochs: LeaderEpochs,
    report: RecoveryReport,
}

fn open_segments(opening: &Opening<'_>, bases: &[Offset], recovery: Recovery) -> Result<Segments, LogError> {
    let Opening { files, dir, options, held, now_ms } = *opening;
    let mut found = Segments {
        segments: Vec::with_capacity(bases.len()),
        unsynced: Vec::new(),
        lowest_scanned: Offset::MAX,
        scanned_epochs: LeaderEpochs::default(),
        report: RecoveryReport::default(),
    };
    for (number, &base) in bases.iter().enumerate() {
        let rest = bases.get(number..).unwrap_or_default();
        let follows = found.segments.last().is_none_or(|before| before.next_offset() == base);
        if !follows && rest.len() == 1 && leftovers::is_empty(files.disk(), dir, base)? {
            leftovers::remove_segment(files.disk(), dir, base)?;
            break;
        }
        let follows = follows || found.give_up_to(opening, base)?;
        if !follows {
            tracing::warn!(dir = %dir.display(), base = base.get(), "segments do not follow what was recovered: they are set aside");
            set_aside(files.disk(), dir, rest, now_ms)?;
            found.report.segments_aside += rest.len();
            break;
        }
        let trust = Trust { recovery, next_base: rest.get(1).copied(), may_lack_below: held.may_lack_below(), now_ms };
        let recovered = recovery::open_segment(files, dir, base, options, trust)?;
        found.report.rebuilt_indexes += usize::from(recovered.rebuilt_indexes);
        let segment = Arc::new(recovered.segment);
        if let Some(scanned) = recovered.scanned {
            found.report.scanned_bytes += scanned.bytes;
            found.report.torn_bytes += scanned.torn_bytes;
            found.lowest_scanned = found.lowest_scanned.min(scanned.from);
            for entry in scanned.epochs.entries() {
                found.scanned_epochs.begin(entry.epoch, entry.start);
            }
            found.unsynced.push(Arc::clone(&segment));
        }
        found.segments.push(segment);
    }
    Ok(found)
}

impl Segments {
    /// Gives up what is missing before a segment that was stable, where that was accepted. Says whether the segment
    /// follows now.
    fn give_up_to(&mut self, opening: &Opening<'_>, base: Offset) -> Result<bool, LogError> {
        let held = opening.held;
        let Some(before) = self.segments.last().filter(|before| before.next_offset() < base) else { return Ok(false) };
        if base > held.recovery_point.min(held.may_lack_below()) {
            return Ok(false);
        }
        let from = before.next_offset();
        if base > held.elsewhere_below {
            loss::accepted(opening.dir, from.max(held.elsewhere_below), base);
        }
        if from >= held.elsewhere_below {
            loss::fill(opening.files.disk(), opening.dir, before, base)?;
        } else {
            // What lies before it is nobody's any more, or in the bucket.
            self.set_all_aside(opening)?;
        }
        Ok(true)
    }

    /// Sees to it that the log reaches the recovery point. Says whether something was lost, and given up.
    fn reach(&mut self, opening: &Opening<'_>, recovery_point: Offset) -> Result<bool, LogError> {
        let elsewhere = opening.held.elsewhere_below;
        let end = self.segments.last().map_or(Offset::ZERO, |segment| segment.next_offset());
        if end >= recovery_point || elsewhere >= recovery_point {
            return Ok(false);
        }
        let path = opening.dir.to_owned();
        if !opening.held.accept_loss {
            return Err(LogError::Lost { path, from: end.max(elsewhere), to: recovery_point });
        }
        loss::accepted(opening.dir, end.max(elsewhere), recovery_point);
        match self.segments.last().filter(|_| end >= elsewhere) {
            Some(last) => loss::fill(opening.files.disk(), opening.dir, last, recovery_point)?,
            None => self.begin_anew_below(opening, recovery_point)?,
        }
        Ok(true)
    }

    fn set_all_aside(&mut self, opening: &Opening<'_>) -> Result<(), LogError> {
        let bases: Vec<_> = self.segments.drain(..).map(|segment| segment.base).collect();
        self.unsynced.clear();
        self.scanned_epochs = LeaderEpochs::default();
        set_aside(opening.files.disk(), opening.dir, &bases, opening.now_ms)?;
        self.report.segments_aside += bases.len();
        Ok(())
    }

    /// Where everything ends below `start`, or there is nothing, an empty segment begins there; what was is set aside.
    fn begin_anew_below(&mut self, opening: &Opening<'_>, start: Offset) -> Result<(), LogError> {
        let end = self.segments.last().map(|segment| segment.next_offset());
        if end.is_some_and(|end| end >= start) {
            return Ok(());
        }
        self.set_all_aside(opening)?;
        let empty = Arc::new(Segment::create(opening.files, opening.dir, start, 0)?);
        self.segments = vec![Arc::clone(&empty)];
        self.unsynced = vec![empty];
        Ok(())
    }
}

/// Renames all files of these segments, so that they are neither read nor lost.
fn set_aside(disk: &dyn Disk, dir: &Path, bases: &[Offset], now_ms: i64) -> Result<(), LogError> {
    for base in bases {
        for suffix in names::SEGMENT_FILES {
            let path = names::file(dir, *base, suffix);
            let aside = aside::free_name(disk, &path, now_ms).map_err(at(&path))?;
            match disk.rename(&path, &aside) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                other => other.map_err(at(&path))?,
            }
        }
    }
    disk.sync_dir(dir).map_err(at(dir))
}
