//! Short lives, each made for one sync that random ones seldom need.

use tidelog::disk::recorded::{Change, RecordedDisk};
use tidelog::log::{LogOptions, PartitionLog};
use tidelog::model::{LeaderEpoch, Offset, ProducerId, TopicConfig};
use tidelog::record::control::Outcome;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::batches::{self, Wanted};
use crate::history::{NOW_MS, Setting, dir};

const EPOCH: LeaderEpoch = LeaderEpoch::new(1);

fn setting(tiered: bool) -> Setting {
    let mut options = LogOptions::from(&TopicConfig::default());
    options.segment_bytes = 500;
    Setting { options, tiered }
}

fn open(disk: &RecordedDisk, tiered: bool) -> PartitionLog {
    setting(tiered).open(disk, Offset::ZERO).expect("it opens").0
}

fn append(log: &PartitionLog, name: u64, producer: Option<(ProducerId, i16, i32)>) {
    let wanted = Wanted { name, count: 2, timestamp_ms: 1_000, producer, transactional: producer.is_some() };
    log.append(&batches::data(&wanted), EPOCH, NOW_MS).expect("it appends");
}

/// A transaction of this producer that is aborted.
fn abort(log: &PartitionLog, producer: i64) {
    let id = ProducerId(producer);
    append(log, 900, Some((id, 0, 0)));
    log.append(&batches::marker((id, 0), Outcome::Abort, 0, NOW_MS), EPOCH, NOW_MS).expect("it ends");
}

/// Many states of each moment from `from` on.
fn each_state(disk: &RecordedDisk, from: usize, seed: u64, check: impl Fn(&RecordedDisk)) {
    let mut random = StdRng::seed_from_u64(seed);
    for at in from..=disk.position() {
        let cut = disk.power_cut(at);
        match cut.every(600) {
            Some(states) => states.iter().for_each(&check),
            None => (0..100).for_each(|_| check(&cut.sample(&mut random))),
        }
    }
}

/// Two segments, each with an aborted transaction in it: what is indexed is found though no batch is read again.
pub fn run_aborted(seed: u64, disk: RecordedDisk) {
    let log = open(&disk, false);
    append(&log, 0, None);
    log.checkpoint().expect("it checkpoints");
    abort(&log, 7);
    log.sync().expect("it syncs");
    let aborted = || log.aborted_transactions(Offset::ZERO, Offset::MAX).expect("they can be read");
    let first = aborted();
    log.roll().expect("it rolls");
    abort(&log, 8);
    let from = disk.position();
    log.checkpoint().expect("it checkpoints");
    assert_eq!((first.len(), aborted().len()), (1, 2));
    each_state(&disk, from, seed, |state| {
        let log = open(state, false);
        let found = log.aborted_transactions(Offset::ZERO, Offset::MAX).expect("they can be read");
        assert!(found.starts_with(&first), "{found:?}\n{}", state.story());
    });
}

/// Segments that go from a full disk, before anything says so.
pub fn run_removed(seed: u64, disk: RecordedDisk) {
    let log = open(&disk, false);
    (0..30).for_each(|name| append(&log, name, None));
    log.checkpoint().expect("it checkpoints");
    let segments = log.segments();
    assert!(segments.len() > 4);
    let from = disk.position();
    // Not even when the first is gone is there room for a checkpoint.
    disk.watch(|event| match event.change {
        Change::Write if event.path.to_string_lossy().ends_with(".tmp") => Err(std::io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    });
    let below = segments[3].base;
    assert_eq!(log.delete_segments_below(below, NOW_MS).expect("they go"), 3);
    disk.unwatch();
    each_state(&disk, from, seed, |state| {
        let log = open(state, false);
        let found = batches::read_all(&log, log.local_start_offset());
        assert!(log.local_start_offset() <= below && !found.is_empty(), "{}", state.story());
        assert_eq!(log.log_end_offset(), segments.last().expect("there is one").end, "{}", state.story());
    });
}

/// A process that is killed between the checkpoint that announces a removal and its sync: the next one does what that says.
pub fn run_killed(seed: u64, disk: RecordedDisk) {
    let log = open(&disk, true);
    (0..30).for_each(|name| append(&log, name, None));
    log.checkpoint().expect("it checkpoints");
    let below = log.segments()[3].base;
    disk.watch(|event| match event.change {
        Change::SyncDir if event.path == dir() => Err(std::io::Error::other("killed")),
        _ => Ok(()),
    });
    log.delete_segments_below(below, NOW_MS).expect_err("it is killed");
    disk.unwatch();
    let end = log.log_end_offset();
    drop(log);
    let from = disk.position();
    let log = open(&disk, true);
    assert_eq!(log.local_start_offset(), below, "what was announced is done");
    each_state(&disk, from, seed, |state| {
        let log = open(state, true);
        assert!(log.local_start_offset() <= below && log.log_end_offset() == end, "{}", state.story());
    });
}

#[test]
fn short_lives_that_need_one_sync_end_well_with_it() {
    for run in [run_aborted, run_removed, run_killed] {
        run(0, RecordedDisk::new());
    }
}
