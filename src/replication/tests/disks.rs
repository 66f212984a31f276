//! Partitions over disks that are slow, full or failing: how many syncs serve how many appends, and who is told what.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use parking_lot::Mutex;

use super::*;
use crate::disk::Disk as _;
use crate::disk::recorded::{Change, RecordedDisk};
use crate::log::LogError;

/// Two partitions of one directory.
struct Directory {
    disk: RecordedDisk,
    syncer: Arc<Syncer>,
    health: Arc<LogDirHealth>,
    one: Partition,
    other: Partition,
}

impl Directory {
    fn new(config: &TopicConfig) -> Self {
        let directory = Self::untouched(config);
        // The epoch's file and the names are written with the first sync: they are not what is counted here.
        for partition in [&directory.one, &directory.other] {
            partition.append(&batch(), Acks::Leader).unwrap();
            partition.checkpoint().unwrap();
        }
        directory
    }

    fn untouched(config: &TopicConfig) -> Self {
        let disk = RecordedDisk::new();
        let syncer = Syncer::start(1).unwrap();
        let health = LogDirHealth::new();
        let files = OpenFiles::new(Arc::new(disk.clone()), 10);
        let lead = |number: i32| {
            let dir = std::path::PathBuf::from(format!("/data/{number}"));
            let (log, _) = PartitionLog::open(&files, &dir, LogOptions::from(config), None, 0).unwrap();
            Partition::lead(PartitionParts {
                topic: TopicName::parse("t").unwrap(),
                tp: TopicPartition::new(TopicId::from_uuid(uuid::Uuid::nil()), number),
                leader_epoch: LeaderEpoch::new(3),
                config: Arc::new(config.clone()),
                log: Arc::new(log),
                tier: None,
                health: Arc::clone(&health),
                leadership: Leadership::while_held(None),
                syncer: Arc::clone(&syncer),
                clock: ManualClock::new(0),
            })
        };
        let (one, other) = (lead(0), lead(1));
        Self { disk, syncer, health, one, other }
    }
}

/// Appends a record; what is returned ends when it is committed.
fn append_one(partition: &Partition) -> futures::future::BoxFuture<'static, Result<(), NotCommitted>> {
    let appended = partition.append(&batch(), Acks::All).unwrap();
    Box::pin(partition.committed(appended.last_offset.next()))
}

fn is_log(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

fn read(partition: &Partition, from: i64) -> Result<Read, ReadError> {
    partition.read(ReadBounds {
        from: Offset::new(from),
        max_bytes: 1_000,
        at_least_one: true,
        isolation: Isolation::ReadUncommitted,
    })
}

#[tokio::test]
async fn one_sync_serves_all_appends_that_wait_for_it() {
    let directory = Directory::new(&TopicConfig::default());
    let (begun, begins) = mpsc::channel();
    let (go, goes) = mpsc::channel::<()>();
    let goes = Mutex::new(goes);
    let syncs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&syncs);
    directory.disk.watch(move |event| {
        if event.change == Change::Sync && is_log(event.path) {
            counted.fetch_add(1, Ordering::SeqCst);
            begun.send(()).unwrap();
            goes.lock().recv().unwrap();
        }
        Ok(())
    });
    let mut waits = Vec::new();
    let mut append = |count: usize| {
        for _ in 0..count {
            let appended = directory.one.append(&batch(), Acks::All).unwrap();
            waits.push(directory.one.committed(appended.last_offset.next()));
        }
    };
    append(1);
    begins.recv().unwrap();
    // The first is being synced: whoever comes now waits for the next.
    append(500);
    assert_eq!(directory.one.watermarks().high_watermark, Offset::new(1));
    go.send(()).unwrap();
    begins.recv().unwrap();
    assert_eq!(directory.one.watermarks().high_watermark, Offset::new(2));
    go.send(()).unwrap();
    for wait in waits {
        wait.await.unwrap();
    }
    assert_eq!(syncs.load(Ordering::SeqCst), 2, "501 appends");
    directory.syncer.close();
    assert_eq!(directory.one.watermarks().high_watermark, Offset::new(502));
}

#[tokio::test]
async fn a_disk_without_room_for_the_file_of_the_epochs_is_full_and_not_broken() {
    let directory = Directory::untouched(&TopicConfig::default());
    directory.disk.set_room(Some(batch().bytes().len() as u64));
    let waits = append_one(&directory.one);
    directory.syncer.close();
    assert!(directory.health.is_online() && directory.health.is_full());
    assert!(matches!(directory.one.append(&batch(), Acks::All), Err(AppendError::DiskFull)));
    assert_eq!(directory.one.watermarks().high_watermark, Offset::ZERO);
    directory.disk.set_room(None);
    directory.one.checkpoint().unwrap();
    waits.await.expect("with room it is synced, and whoever waited is told");
}

#[tokio::test]
async fn a_topic_without_flush_on_ack_syncs_by_kafkas_settings() {
    let mut config = TopicConfig::default();
    config.flush.on_ack = false;
    config.flush.messages = 3;
    config.flush.ms = 1_000;
    let directory = Directory::new(&config);
    let (synced, syncs) = mpsc::channel();
    directory.disk.watch(move |event| {
        if event.change == Change::Sync && is_log(event.path) {
            synced.send(()).unwrap();
        }
        Ok(())
    });
    let partition = &directory.one;
    for n in 1..=2 {
        partition.append(&batch(), Acks::All).unwrap();
        assert_eq!(partition.watermarks().high_watermark, Offset::new(1 + n), "shown at once");
    }
    partition.flush_if_due(999);
    assert!(syncs.try_recv().is_err(), "neither as many nor as old");
    partition.append(&batch(), Acks::All).unwrap();
    syncs.recv().unwrap();
    // Its thread is done once it takes the next partition.
    directory.other.append(&batch(), Acks::All).unwrap();
    directory.other.flush_if_due(1_000);
    syncs.recv().unwrap();
    assert_eq!(partition.log().stable_end(), Offset::new(4));
    partition.flush_if_due(2_000);
    directory.syncer.close();
    assert!(syncs.try_recv().is_err(), "nothing is left to sync");
    assert_eq!(directory.other.log().stable_end(), Offset::new(2));
}

#[tokio::test]
async fn a_sync_that_fails_takes_the_directory_offline_and_nobody_waits_for_ever() {
    let directory = Directory::new(&TopicConfig::default());
    let (begun, begins) = mpsc::channel();
    let (go, goes) = mpsc::channel::<()>();
    let goes = Mutex::new(goes);
    directory.disk.watch(move |event| {
        if event.change == Change::Sync && is_log(event.path) {
            begun.send(()).unwrap();
            goes.lock().recv().unwrap();
            return Err(io::Error::other("worn out"));
        }
        Ok(())
    });
    let first = append_one(&directory.one);
    begins.recv().unwrap();
    // These come while the disk is still believed.
    let more = append_one(&directory.one);
    let elsewhere = append_one(&directory.other);
    go.send(()).unwrap();
    assert_eq!(first.await, Err(Offline.into()));
    assert_eq!(more.await, Err(Offline.into()));
    // The other partition's own sync meets the same disk.
    begins.recv().unwrap();
    go.send(()).unwrap();
    assert_eq!(elsewhere.await, Err(Offline.into()));
    assert!(!directory.health.is_online());
    for partition in [&directory.one, &directory.other] {
        let refused = partition.append(&batch(), Acks::Leader);
        assert!(matches!(refused, Err(AppendError::NotServing(NotServing::Offline))));
        assert!(matches!(read(partition, 0), Err(ReadError::NotServing(NotServing::Offline))));
    }
    directory.syncer.close();
}

#[tokio::test]
async fn a_read_that_fails_takes_the_directory_offline() {
    let directory = Directory::new(&TopicConfig::default());
    assert!(read(&directory.one, 0).unwrap().slice.is_some());
    directory.disk.make_unreadable(Some(".log"));
    assert!(matches!(read(&directory.one, 0), Err(ReadError::Log(_))));
    assert!(matches!(read(&directory.other, 0), Err(ReadError::NotServing(NotServing::Offline))));
    directory.syncer.close();
}

#[tokio::test]
async fn a_full_disk_refuses_appends_until_there_is_room() {
    let directory = Directory::new(&TopicConfig::default());
    directory.disk.set_room(Some(10));
    let refused = directory.one.append(&batch(), Acks::All).unwrap_err();
    assert!(matches!(refused, AppendError::DiskFull), "{refused}");
    assert!(refused.to_string().contains("tidelog.log.dir.reserve.bytes"), "{refused}");
    assert!(directory.health.is_full() && directory.health.is_online());
    directory.disk.set_room(None);
    assert!(matches!(directory.other.append(&batch(), Acks::All), Err(AppendError::DiskFull)), "until it is looked");
    assert!(read(&directory.one, 0).unwrap().slice.is_some(), "what is there is served");
    directory.health.note_room(DiskSpace { free_bytes: 1 << 30, total_bytes: 1 << 31, reserve_bytes: 1 << 20 }, || 0);
    for partition in [&directory.one, &directory.other] {
        let appended = partition.append(&batch(), Acks::All).unwrap();
        assert_eq!(appended.base_offset, Offset::new(1));
        partition.committed(Offset::new(2)).await.unwrap();
    }
    directory.syncer.close();
}

#[tokio::test]
async fn retention_makes_room_on_a_full_disk() {
    let mut config = TopicConfig::default();
    config.segment.bytes = 200;
    config.retention.total_bytes = Some(400);
    let directory = Directory::new(&config);
    let Directory { one, .. } = directory;
    let one = Arc::new(one);
    for _ in 0..20 {
        one.append(&batch(), Acks::Leader).unwrap();
    }
    one.checkpoint().unwrap();
    directory.disk.set_room(Some(0));
    assert!(one.retain(0).await.unwrap() > 3);
    assert!(one.watermarks().log_start > Offset::new(5));
    // The first went at once, so that the log start could be written down; the others after file.delete.delay.ms.
    one.retain(config.retention.file_delete_delay_ms).await.unwrap();
    assert!(directory.disk.free_bytes(std::path::Path::new("/")).unwrap() > 500);
    one.append(&batch(), Acks::Leader).unwrap();
    directory.syncer.close();
}

#[tokio::test]
async fn records_that_are_shown_before_they_are_stable_can_be_deleted() {
    let mut config = TopicConfig::default();
    config.flush.on_ack = false;
    let directory = Directory::new(&config);
    for _ in 0..5 {
        directory.one.append(&batch(), Acks::Leader).unwrap();
    }
    let to = Offset::new(4);
    assert_eq!(directory.one.delete_records(Some(to)).await.unwrap(), to, "as many as it answers for");
    assert!(directory.one.log().stable_end() >= to);
    directory.syncer.close();
}

#[tokio::test]
async fn a_directory_that_is_offline_is_left_alone() {
    let directory = Directory::new(&TopicConfig::default());
    directory.health.fail("worn out");
    let position = directory.disk.position();
    assert!(!directory.one.roll_if_due(i64::MAX, None).unwrap());
    directory.one.checkpoint().unwrap();
    assert_eq!(directory.disk.position(), position);
    directory.syncer.close();
}

#[test]
fn work_that_fails_every_few_seconds_is_told_now_and_then_and_a_full_disk_not_at_all() {
    let directory = Directory::new(&TopicConfig::default());
    let failure =
        |kind| LogError::Io { path: "/data/0/00000000000000000000.log".into(), source: io::Error::from(kind) };
    let full = failure(io::ErrorKind::StorageFull);
    assert!(!directory.one.work_failed(&full) && !directory.one.work_failed(&full));
    assert!(directory.one.append(&batch(), Acks::Leader).is_ok(), "a full disk takes nothing offline");
    let denied = failure(io::ErrorKind::PermissionDenied);
    let told = (0..5).filter(|_| directory.one.work_failed(&denied)).count();
    assert_eq!(told, 1, "once within a minute");
    assert!(directory.other.work_failed(&denied), "another partition is other news");
    assert!(directory.one.append(&batch(), Acks::Leader).is_err(), "and the log directory is offline");
}

#[tokio::test]
async fn too_many_open_files_put_off_what_needs_one_and_nothing_else() {
    let mut config = TopicConfig::default();
    config.segment.bytes = 200;
    config.flush.on_ack = false;
    let directory = Directory::new(&config);
    let partition = &directory.one;
    for _ in 0..20 {
        partition.append(&batch(), Acks::Leader).unwrap();
    }
    let end = partition.watermarks().high_watermark;
    directory.disk.set_open_files_max(Some(0));
    let of_files = |error: &LogError| error.is_out_of_files();
    assert!(
        matches!(read(partition, 0), Err(ReadError::Log(crate::log::ReadError::Log(error))) if of_files(&error)),
        "the pool has closed the first segment's"
    );
    let refused = (0..20).find_map(|_| partition.append(&batch(), Acks::Leader).err());
    assert!(
        matches!(&refused, Some(AppendError::Log(crate::log::AppendError::Log(error))) if of_files(error)),
        "a segment that rolls needs files: {refused:?}"
    );
    let error = partition.checkpoint().unwrap_err();
    assert!(of_files(&error) && !partition.work_failed(&error), "{error}");
    let waits = partition.committed(partition.log().log_end_offset());
    partition.flush_if_due(i64::MAX);
    directory.syncer.close();
    assert!(directory.health.is_online() && !partition.log().is_broken(), "{:?}", directory.health.failure());

    directory.disk.set_open_files_max(None);
    assert!(read(partition, 0).unwrap().slice.is_some());
    let appended = partition.append(&batch(), Acks::Leader).unwrap();
    assert!(appended.base_offset >= end);
    partition.checkpoint().unwrap();
    assert_eq!(partition.log().stable_end(), appended.last_offset.next(), "what could not be synced was not forgotten");
    waits.await.unwrap();
}
