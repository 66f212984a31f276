//! The log as a whole: against a model, under damage, over time.

mod damage;
mod epochs;
mod faults;
mod loss;
mod model;
mod rolls;
mod times;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::disk::{Disk as _, RealDisk};
use crate::model::{Codec, LeaderEpoch, Offset, ProducerId, TopicConfig};
use crate::record::{BatchBuilder, BatchSpec, BatchView, ValidBatch};

const EPOCH: LeaderEpoch = LeaderEpoch::new(1);

/// A folder with one log in it, which may be opened again and again.
struct Bench {
    folder: TempDir,
    files: Arc<OpenFiles>,
    options: LogOptions,
}

impl Bench {
    fn new() -> Self {
        let mut options = LogOptions::from(&TopicConfig::default());
        options.segment_bytes = 2_000;
        options.index_interval_bytes = 200;
        Self { folder: tempfile::tempdir().unwrap(), files: OpenFiles::new(Arc::new(RealDisk), 4), options }
    }

    fn dir(&self) -> std::path::PathBuf {
        self.folder.path().join("topics/t/id/0")
    }

    fn open(&self) -> PartitionLog {
        self.open_reporting().0
    }

    fn open_reporting(&self) -> (PartitionLog, RecoveryReport) {
        PartitionLog::open(&self.files, &self.dir(), self.options.clone(), None, 1_000).unwrap()
    }
}

/// A batch of `count` records that say who they are.
fn batch(name: u32, count: u32) -> ValidBatch {
    stamped(name, count, 1_000 + i64::from(name), None)
}

fn stamped(name: u32, count: u32, timestamp_ms: i64, producer: Option<(ProducerId, i16, i32)>) -> ValidBatch {
    let mut spec = BatchSpec::plain(Offset::ZERO, LeaderEpoch::new(-1), Codec::None);
    spec.producer = producer;
    let mut builder = BatchBuilder::new(spec);
    for n in 0..count {
        let value = format!("{name}/{n}");
        builder
            .push(Offset::new(i64::from(n)), timestamp_ms, None, Some(value.as_bytes()), std::iter::empty())
            .unwrap();
    }
    builder.build().unwrap()
}

/// Every record from `from` on, as a consumer would read them.
fn values(log: &PartitionLog, from: Offset) -> Vec<(Offset, String)> {
    let mut found = Vec::new();
    let mut at = from;
    while let Some(slice) = log.read(at, 300, log.log_end_offset(), true).unwrap() {
        let mut bytes = vec![0; slice.length];
        slice.file.read_exact_at(&mut bytes, slice.position).unwrap();
        for view in crate::record::Batches::new(&bytes) {
            let view: BatchView<'_> = view.unwrap();
            view.verify_crc().unwrap();
            for record in &view.records().unwrap() {
                let record = record.unwrap();
                if record.offset >= at {
                    found.push((record.offset, String::from_utf8(record.value.unwrap().to_vec()).unwrap()));
                }
            }
            at = view.header().next_offset();
        }
    }
    found
}

fn files(dir: &Path, suffix: &str) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(suffix))
        .collect();
    found.sort();
    found
}

#[test]
fn duplicates_are_answered_with_their_old_offsets_also_after_a_restart() {
    let bench = Bench::new();
    let producer = |sequence| Some((ProducerId(9), 0, sequence));
    {
        let log = bench.open();
        for n in 0..20 {
            log.append(&stamped(n, 2, 5, producer(i32::try_from(n).unwrap() * 2)), EPOCH, 1).unwrap();
        }
        log.close().unwrap();
        log.append(&stamped(20, 2, 5, producer(40)), EPOCH, 1).unwrap();
    }
    let log = bench.open();
    let again = log.append(&stamped(20, 2, 5, producer(40)), EPOCH, 1).unwrap();
    assert!(again.duplicate);
    assert_eq!(again.base_offset, Offset::new(40));
    assert!(matches!(
        log.append(&stamped(21, 2, 5, producer(44)), EPOCH, 1),
        Err(AppendError::OutOfOrderSequence { expected: 42, got: 44, .. })
    ));
    assert_eq!(log.log_end_offset(), Offset::new(42));
}

#[test]
fn markers_decide_what_is_stable() {
    use crate::record::Attributes;
    use crate::record::control::{self, Marker, Outcome};
    let bench = Bench::new();
    let log = bench.open();
    log.append(&batch(0, 1), EPOCH, 0).unwrap();
    let mut spec = BatchSpec::plain(Offset::ZERO, EPOCH, Codec::None);
    spec.producer = Some((ProducerId(1), 0, 0));
    spec.attributes = Attributes::default().transactional();
    let mut builder = BatchBuilder::new(spec);
    builder.push(Offset::ZERO, 1, None, Some(b"x"), std::iter::empty()).unwrap();
    log.append(&builder.build().unwrap(), EPOCH, 0).unwrap();
    log.append(&batch(2, 1), EPOCH, 0).unwrap();
    assert_eq!(log.last_stable_offset(), Offset::new(1));
    let marker = Marker { outcome: Outcome::Abort, coordinator_epoch: 0 };
    let marker = control::build(Offset::ZERO, EPOCH, (ProducerId(1), 0), marker, 2).unwrap();
    log.append(&marker, EPOCH, 0).unwrap();
    assert_eq!(log.last_stable_offset(), Offset::new(1), "the marker is not below the watermark yet");
    log.set_high_watermark(Offset::new(4));
    assert_eq!(log.last_stable_offset(), Offset::new(4));
    let aborted = log.aborted_transactions(Offset::ZERO, Offset::new(4)).unwrap();
    assert_eq!(aborted.len(), 1);
    assert_eq!((aborted[0].first_offset, aborted[0].last_offset), (Offset::new(1), Offset::new(3)));
    drop(log);
    let log = bench.open();
    assert_eq!(log.aborted_transactions(Offset::ZERO, Offset::new(4)).unwrap(), aborted);
    assert_eq!(log.last_stable_offset(), Offset::new(4));
}

#[test]
fn a_stale_epoch_may_not_append() {
    let bench = Bench::new();
    let log = bench.open();
    log.begin_epoch(LeaderEpoch::new(3));
    log.append(&batch(0, 1), LeaderEpoch::new(3), 0).unwrap();
    assert!(matches!(log.append(&batch(1, 1), LeaderEpoch::new(2), 0), Err(AppendError::StaleEpoch { .. })));
    drop(log);
    for lost in [false, true] {
        if lost {
            std::fs::remove_file(bench.dir().join("leader-epoch-checkpoint")).unwrap();
        }
        let epochs = bench.open().epochs();
        assert_eq!(epochs.entries(), [EpochEntry { epoch: LeaderEpoch::new(3), start: Offset::ZERO }]);
    }
}

#[test]
fn the_bucket_may_give_a_log_its_beginning() {
    let bench = Bench::new();
    bench.open().append(&batch(0, 1), EPOCH, 0).unwrap();
    let beginning = Beginning {
        start: Offset::new(500),
        log_start: Offset::new(100),
        epochs: vec![EpochEntry { epoch: EPOCH, start: Offset::new(100) }],
        producer_snapshot: None,
    };
    let log = PartitionLog::begin_at(&bench.files, &bench.dir(), bench.options.clone(), &beginning, 7).unwrap();
    assert_eq!(log.append(&batch(1, 1), EPOCH, 0).unwrap().base_offset, Offset::new(500));
    assert_eq!((log.log_start_offset(), log.local_start_offset()), (Offset::new(100), Offset::new(500)));
    drop(log);
    let log_start = Some(Offset::new(100));
    let (log, _) = PartitionLog::open(&bench.files, &bench.dir(), bench.options.clone(), log_start, 1_000).unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (Offset::new(100), Offset::new(501)));
    let aside = files(bench.dir().parent().unwrap(), ".aside-7");
    assert_eq!(aside.len(), 1, "what was there is kept");
}

#[test]
fn a_slice_outlives_its_segment() {
    let bench = Bench::new();
    let log = bench.open();
    for n in 0..100 {
        log.append(&batch(n, 3), EPOCH, 0).unwrap();
    }
    log.sync().unwrap();
    let slice = log.read(Offset::ZERO, 100, log.log_end_offset(), true).unwrap().unwrap();
    let sealed_end = log.sealed_end().unwrap();
    log.advance_log_start(sealed_end).unwrap();
    assert!(log.delete_segments_below(sealed_end, 0).unwrap() > 1);
    let mut bytes = vec![0; slice.length];
    slice.file.read_exact_at(&mut bytes, slice.position).unwrap();
    assert!(BatchView::parse(&Bytes::from(bytes)).is_ok());
    assert!(matches!(log.read(Offset::ZERO, 100, log.log_end_offset(), true), Err(ReadError::OutOfRange { .. })));
    assert!(!files(&bench.dir(), ".deleted").is_empty());
    log.purge_deleted(i64::MAX).unwrap();
    assert!(files(&bench.dir(), ".deleted").is_empty());
}
