//! Disks that are full, fail, or are looked at closely: what a start reads, how many files are open.

use std::io;
use std::path::{Path, PathBuf};

use super::*;
use crate::disk::recorded::{Change, RecordedDisk};

/// A log on a disk that does as it is told.
pub(super) struct Home {
    pub(super) disk: RecordedDisk,
    files: Arc<OpenFiles>,
    options: LogOptions,
}

impl Home {
    pub(super) fn new() -> Self {
        let mut options = LogOptions::from(&TopicConfig::default());
        options.segment_bytes = 2_000;
        options.index_interval_bytes = 200;
        Self::with(options, 8)
    }

    pub(super) fn with(options: LogOptions, open_files: usize) -> Self {
        let disk = RecordedDisk::new();
        let files = OpenFiles::new(Arc::new(disk.clone()), open_files);
        Self { disk, files, options }
    }

    pub(super) fn dir() -> PathBuf {
        PathBuf::from("/data/0")
    }

    pub(super) fn open(&self) -> PartitionLog {
        self.open_reporting().0
    }

    pub(super) fn open_reporting(&self) -> (PartitionLog, RecoveryReport) {
        PartitionLog::open(&self.files, &Self::dir(), self.options.clone(), None, 0).unwrap()
    }

    pub(super) fn filled(&self, batches: u32) -> PartitionLog {
        let log = self.open();
        for name in 0..batches {
            log.append(&batch(name, 2), EPOCH, 0).unwrap();
        }
        log.checkpoint().unwrap();
        log
    }
}

fn is_full<T: std::fmt::Debug>(result: Result<T, LogError>) -> bool {
    result.unwrap_err().is_disk_full()
}

fn ends_with(path: &Path, suffix: &str) -> bool {
    path.to_string_lossy().ends_with(suffix)
}

#[test]
fn a_full_disk_refuses_appends_and_nothing_else() {
    let home = Home::new();
    let log = home.filled(100);
    let rows = values(&log, Offset::ZERO);
    let end = log.log_end_offset();
    for room in [0, 1, 40, 90] {
        home.disk.set_room(Some(room));
        for _ in 0..3 {
            let refused = log.append(&batch(900, 3), EPOCH, 0);
            assert!(matches!(&refused, Err(AppendError::Log(error)) if error.is_disk_full()), "{refused:?}");
        }
        assert_eq!(log.log_end_offset(), end);
        assert_eq!(log.sync().unwrap(), end);
        assert_eq!(values(&log, Offset::ZERO), rows);
    }
    home.disk.set_room(None);
    assert_eq!(log.append(&batch(901, 1), EPOCH, 0).unwrap().base_offset, end);
    drop(log);
    let log = home.open();
    assert_eq!(values(&log, Offset::ZERO)[..rows.len()], rows);
    assert_eq!(log.log_end_offset(), end.next());
}

#[test]
fn what_makes_room_needs_none() {
    let home = Home::new();
    let log = home.filled(100);
    let first_end = log.segments()[0].end;
    home.disk.set_room(Some(0));
    assert!(is_full(log.advance_log_start(first_end)));
    assert_eq!(log.log_start_offset(), Offset::ZERO, "what is not written down is not told");
    assert!(log.free_oldest_segment(first_end).unwrap());
    assert!(!log.free_oldest_segment(first_end).unwrap(), "no more than was asked for");
    assert!(home.disk.free_bytes(Path::new("/")).unwrap() > 1_000);
    assert!(log.advance_log_start(first_end).unwrap());

    home.disk.set_room(Some(0));
    let below = log.segments()[3].base;
    assert_eq!(log.delete_segments_below(below, 0).unwrap(), 3);
    assert_eq!(log.local_start_offset(), below);
    assert!(home.disk.free_bytes(Path::new("/")).unwrap() > 2_000, "at once, and not after the delay");
    home.disk.set_room(None);
    drop(log);
    assert_eq!(home.open().local_start_offset(), below);
}

#[test]
fn what_went_from_a_full_disk_without_a_word_is_no_loss_for_the_next_start() {
    let home = Home::new();
    let log = home.filled(100);
    let below = log.segments()[3].base;
    home.disk.watch(|event| match event.change {
        Change::Write if ends_with(event.path, "tidelog-checkpoint.tmp") => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    });
    assert_eq!(log.delete_segments_below(below, 0).unwrap(), 3);
    log.purge_deleted(i64::MAX).unwrap();
    drop(log);
    home.disk.unwatch();
    let marked = || home.disk.read_dir(&Home::dir()).unwrap().iter().filter(|e| e.name.ends_with(".deleted")).count();
    assert!(marked() > 0, "something says that it was meant");
    let log = home.open();
    assert_eq!(log.local_start_offset(), below);
    log.purge_deleted(0).unwrap();
    assert_eq!(marked(), 0);
    drop(log);
    assert_eq!(home.open().local_start_offset(), below);
}

#[test]
fn a_sync_that_failed_is_for_good() {
    let home = Home::new();
    let log = home.filled(5);
    let stable = log.stable_end();
    log.append(&batch(5, 2), EPOCH, 0).unwrap();
    home.disk.watch(|event| match event.change {
        Change::Sync if ends_with(event.path, ".log") => Err(io::Error::other("worn out")),
        _ => Ok(()),
    });
    assert!(log.sync().unwrap_err().to_string().contains("worn out"));
    home.disk.unwatch();
    assert!(matches!(log.sync(), Err(LogError::Broken)), "the kernel may have dropped what it could not write");
    assert!(matches!(log.append(&batch(6, 1), EPOCH, 0), Err(AppendError::Log(LogError::Broken))));
    assert!(matches!(log.checkpoint(), Err(LogError::Broken)));
    assert_eq!(log.stable_end(), stable);
    assert_eq!(values(&log, Offset::ZERO).len(), 12, "what is there can still be read");
    drop(log);
    assert_eq!(home.open().append(&batch(6, 1), EPOCH, 0).unwrap().base_offset, Offset::new(12));
}

#[test]
fn a_half_written_batch_that_cannot_be_cut_off_breaks_the_log() {
    let home = Home::new();
    let log = home.filled(5);
    home.disk.set_room(Some(20));
    home.disk.watch(|event| match event.change {
        Change::SetLen => Err(io::Error::other("worn out")),
        _ => Ok(()),
    });
    assert!(log.append(&batch(5, 2), EPOCH, 0).is_err());
    home.disk.unwatch();
    home.disk.set_room(None);
    assert!(matches!(log.append(&batch(5, 2), EPOCH, 0), Err(AppendError::Log(LogError::Broken))));
    drop(log);
    let (log, report) = home.open_reporting();
    assert_eq!(report.torn_bytes, 20);
    assert_eq!(values(&log, Offset::ZERO).len(), 10);
}

#[test]
fn an_index_that_cannot_be_written_costs_time_and_no_record() {
    let mut options = LogOptions::from(&TopicConfig::default());
    options.index_interval_bytes = 200;
    let home = Home::with(options, 8);
    let log = home.open();
    home.disk.watch(|event| match event.change {
        Change::Write if ends_with(event.path, "index") => Err(io::Error::other("worn out")),
        _ => Ok(()),
    });
    for name in 0..20 {
        log.append(&batch(name, 2), EPOCH, 0).unwrap();
    }
    home.disk.unwatch();
    assert_eq!(values(&log, Offset::ZERO).len(), 40);
    assert_eq!(values(&log, Offset::new(31)).len(), 9);
}

#[test]
fn open_files_are_bounded_however_many_segments_there_are() {
    let mut options = LogOptions::from(&TopicConfig::default());
    options.segment_bytes = 300;
    let home = Home::with(options, 16);
    let log = home.filled(400);
    assert!(log.segments().len() > 100);
    assert!(home.disk.open_files() <= 16, "{} after appends", home.disk.open_files());
    assert_eq!(values(&log, Offset::ZERO).len(), 800);
    assert!(home.disk.open_files() <= 16, "{} after reads", home.disk.open_files());
    drop(log);
    let log = home.open();
    assert!(home.disk.open_files() <= 16, "{} after a start", home.disk.open_files());
    // Whoever holds a slice keeps its file, and nobody else's.
    let slices: Vec<_> =
        (0..50).map(|n| log.read(Offset::new(n * 16), 1, log.log_end_offset(), true).unwrap().unwrap()).collect();
    assert!(home.disk.open_files() <= 16 + slices.len());
}

#[test]
fn a_start_reads_what_lies_behind_the_recovery_point_and_no_more() {
    let mut options = LogOptions::from(&TopicConfig::default());
    options.segment_bytes = 400_000;
    let home = Home::with(options, 100);
    let log = home.open();
    let producer = |n: u32| Some((ProducerId(7), 0, i32::try_from(n).unwrap() * 100));
    for n in 0..800 {
        log.append(&stamped(n, 100, 1_000, producer(n)), EPOCH, 0).unwrap();
    }
    let total = log.size_bytes();
    assert!(total > 1_000_000 && log.segments().len() >= 3);
    log.checkpoint().unwrap();
    let behind: u64 = (800..810)
        .map(|n| {
            let batch = stamped(n, 100, 1_000, producer(n));
            log.append(&batch, EPOCH, 0).unwrap();
            batch.bytes().len() as u64
        })
        .sum();
    drop(log);
    let is_log = |path: &Path| ends_with(path, ".log");
    let before = home.disk.bytes_read(is_log);
    let (log, report) = home.open_reporting();
    assert_eq!(report.scanned_bytes, behind);
    let read = home.disk.bytes_read(is_log) - before;
    // Its own bytes, headers once more for the producers, and what lies between two index entries.
    assert!(read <= 3 * behind + 64 * 1024, "{read} bytes of {total} for {behind}");
    assert!(log.append(&stamped(809, 100, 1_000, producer(809)), EPOCH, 0).unwrap().duplicate);
}

#[test]
fn after_a_clean_stop_a_start_writes_nothing() {
    let home = Home::new();
    home.filled(100).close().unwrap();
    let is_log = |path: &Path| ends_with(path, ".log");
    let (position, read) = (home.disk.position(), home.disk.bytes_read(is_log));
    let (log, report) = home.open_reporting();
    assert_eq!(report, RecoveryReport::default());
    assert_eq!(home.disk.position(), position, "{:?}", home.disk.journal().split_off(position));
    let few = 500 * log.segments().len() as u64;
    assert!(home.disk.bytes_read(is_log) - read < few, "only the way to the end of each segment");
    assert_eq!(values(&log, Offset::ZERO).len(), 200);
}

#[test]
fn a_segment_that_goes_while_it_is_looked_for_is_not_missed() {
    let home = Home::with(Home::new().options, 1);
    let log = home.filled(100);
    let below = log.segments()[3].base;
    let looks = std::cell::Cell::new(0);
    let found = log.look(LogError::is_not_found, |segments| {
        looks.set(looks.get() + 1);
        if looks.get() == 1 {
            // Retention, between the snapshot and the opening.
            log.delete_segments_below(below, 0)?;
        }
        segments[0].file().map(|_| segments[0].base)
    });
    assert_eq!((found.unwrap(), looks.get()), (below, 2));
}
