//! A partition as a whole: what is acknowledged, what is shown, what happens when the disk fails.

mod disks;

use std::sync::Arc;

use tokio::sync::watch;

use super::*;
use crate::clock::ManualClock;
use crate::disk::RealDisk;
use crate::log::{LogOptions, OpenFiles, PartitionLog};
use crate::model::{Codec, LeaderEpoch, Offset, TopicConfig, TopicId, TopicName, TopicPartition};
use crate::record::{BatchBuilder, BatchSpec, ValidBatch};

struct Bench {
    _folder: tempfile::TempDir,
    syncer: Arc<Syncer>,
    health: Arc<LogDirHealth>,
    lock: watch::Sender<bool>,
    partition: Partition,
}

impl Bench {
    /// A partition whose syncs are done by `threads` threads.
    fn new(config: TopicConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let syncer = Syncer::start(1).unwrap();
        let (health, lock) = (LogDirHealth::new(), watch::Sender::new(true));
        let files = OpenFiles::new(Arc::new(RealDisk), 10);
        let (log, _) =
            PartitionLog::open(&files, &folder.path().join("0"), LogOptions::from(&config), None, 0).unwrap();
        let partition = Partition::lead(PartitionParts {
            topic: TopicName::parse("t").unwrap(),
            tp: TopicPartition::new(TopicId::from_uuid(uuid::Uuid::nil()), 0),
            leader_epoch: LeaderEpoch::new(3),
            config: Arc::new(config),
            log: Arc::new(log),
            tier: None,
            health: Arc::clone(&health),
            leadership: Leadership::while_held(Some(lock.subscribe())),
            syncer: Arc::clone(&syncer),
            clock: ManualClock::new(0),
        });
        Self { _folder: folder, syncer, health, lock, partition }
    }

    fn read(&self, from: i64) -> Result<Read, ReadError> {
        self.partition.read(ReadBounds {
            from: Offset::new(from),
            max_bytes: 1_000,
            at_least_one: true,
            isolation: Isolation::ReadUncommitted,
        })
    }
}

fn batch() -> ValidBatch {
    let mut builder = BatchBuilder::new(BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, Codec::None));
    builder.push(Offset::ZERO, 1, None, Some(b"v"), std::iter::empty()).unwrap();
    builder.build().unwrap()
}

#[tokio::test]
async fn a_record_is_shown_once_it_is_stable_and_then_acknowledged() {
    let bench = Bench::new(TopicConfig::default());
    let mut waits = Vec::new();
    for expected in 0..100 {
        let appended = bench.partition.append(&batch(), Acks::All).unwrap();
        assert_eq!(appended.base_offset, Offset::new(expected));
        waits.push(bench.partition.committed(appended.last_offset.next()));
    }
    for wait in waits {
        wait.await.unwrap();
    }
    assert_eq!(bench.partition.watermarks().high_watermark, Offset::new(100));
    assert!(bench.read(0).unwrap().slice.is_some());
    assert!(bench.read(100).unwrap().slice.is_none());
    assert!(matches!(bench.read(101), Err(ReadError::OutOfRange { .. })));
    bench.syncer.close();
}

#[tokio::test]
async fn a_topic_may_trade_stable_storage_for_speed_by_name() {
    let mut config = TopicConfig::default();
    config.flush.on_ack = false;
    let bench = Bench::new(config);
    bench.syncer.close();
    bench.partition.append(&batch(), Acks::All).unwrap();
    assert_eq!(bench.partition.watermarks().high_watermark, Offset::new(1), "no sync, and yet it is shown");
    assert!(bench.read(0).unwrap().slice.is_some());
}

#[tokio::test]
async fn nobody_waits_for_a_directory_that_is_offline() {
    let bench = Bench::new(TopicConfig::default());
    bench.syncer.close();
    let appended = bench.partition.append(&batch(), Acks::All).unwrap();
    assert!(bench.read(0).unwrap().slice.is_none(), "not stable, not shown");
    let wait = bench.partition.committed(appended.last_offset.next());
    bench.partition.fail("the disk is gone");
    assert_eq!(wait.await, Err(Offline.into()));
    assert!(!bench.health.is_online());
    assert!(matches!(
        bench.partition.append(&batch(), Acks::Leader),
        Err(AppendError::NotServing(NotServing::Offline))
    ));
    assert!(matches!(bench.read(0), Err(ReadError::NotServing(NotServing::Offline))));
}

#[tokio::test]
async fn whoever_may_not_lead_any_more_acknowledges_and_serves_nothing() {
    let bench = Bench::new(TopicConfig::default());
    bench.syncer.close();
    let appended = bench.partition.append(&batch(), Acks::All).unwrap();
    let (waiting, stable) = (bench.partition.committed(Offset::new(1)), bench.partition.committed(Offset::ZERO));
    stable.await.unwrap();
    let stable = bench.partition.committed(Offset::ZERO);
    bench.lock.send_replace(false);
    bench.partition.depose();
    assert_eq!(waiting.await, Err(NotCommitted::NotLeader), "{appended:?}");
    assert_eq!(stable.await, Err(NotCommitted::NotLeader), "stable here, and yet not to be answered for");
    let refused = |error| matches!(error, NotServing::NotLeader);
    assert!(
        matches!(bench.partition.append(&batch(), Acks::Leader), Err(AppendError::NotServing(error)) if refused(error))
    );
    assert!(matches!(bench.read(0), Err(ReadError::NotServing(error)) if refused(error)));
    bench.partition.checkpoint().unwrap();
    assert_eq!(bench.partition.log().stable_end(), Offset::new(1), "its own disk is put in order all the same");
}

/// Seen on Kafka 4.3.1: one replica with `min.insync.replicas=2` takes acks=all.
#[tokio::test]
async fn no_more_replicas_are_asked_for_than_there_are() {
    let bench = Bench::new(TopicConfig { min_insync_replicas: 2, ..TopicConfig::default() });
    let appended = bench.partition.append(&batch(), Acks::All).unwrap();
    bench.partition.committed(appended.last_offset.next()).await.unwrap();
}

#[test]
fn epochs_of_others_are_fenced_or_unknown() {
    let bench = Bench::new(TopicConfig::default());
    let check = |epoch| bench.partition.check_epoch(Some(LeaderEpoch::new(epoch)));
    assert!(matches!(check(2), Err(EpochError::Fenced { .. })));
    assert_eq!(check(3), Ok(()));
    assert!(matches!(check(4), Err(EpochError::Unknown { .. })));
}
