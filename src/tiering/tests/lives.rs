//! What may happen to a topic and its log while it is tiered: none of it wedges tiering, loses what should stay, or brings
//! back what went.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::stage::{Stage, batch, config};
use crate::log::TieredTo;
use crate::model::{Codec, Offset, TopicConfig};
use crate::object_storage::{Effect, ErrorKind, Fault, Operation};
use crate::tiering::damages::Reads;
use crate::tiering::errors::RemoteReadError;
use crate::tiering::upload_error::UploadError;
use crate::tiering::{SkipError, TieringOptions};

async fn with(change: impl FnOnce(&mut TopicConfig)) -> Stage {
    let mut config = config();
    change(&mut config);
    let options = TieringOptions { orphan_grace: std::time::Duration::ZERO, ..TieringOptions::default() };
    Stage::with(config, options).await
}

impl Stage {
    async fn configure(&self, change: impl FnOnce(&mut TopicConfig)) {
        let mut config = TopicConfig::clone(&self.log.config());
        change(&mut config);
        self.log.set_config(Arc::new(config));
        self.log.reconcile().await.unwrap();
    }

    fn offsets(seen: &[super::stage::Seen]) -> Vec<i64> {
        seen.iter().map(|one| one.offset).collect()
    }

    async fn expire(&self) -> Option<i64> {
        self.log.expire(crate::clock::Clock::now_ms(self.clock.as_ref())).await.unwrap().map(Offset::get)
    }

    async fn remove_all(&self) {
        self.clock.advance(1_000_000);
        assert_eq!(self.tiers.remove_deleted().await.unwrap().failed, 0);
    }
}

#[tokio::test]
async fn enabling_on_an_old_topic_uploads_from_the_oldest_local_segment() {
    let stage = with(|config| config.remote.enabled = false).await;
    assert_eq!(stage.log.view().tiered, TieredTo::NotTiered);
    for _ in 0..4 {
        stage.segment();
    }
    // Retention has ended the first segment before anybody thought of a bucket.
    stage.log.log.advance_log_start(Offset::new(35)).unwrap();
    stage.log.log.delete_segments_below(Offset::new(35), 0).unwrap();
    let expected = stage.read(35).await;
    stage.configure(|config| config.remote.enabled = true).await;
    assert_eq!(stage.tiered_to(), 35);
    stage.upload_all().await;
    assert_eq!(stage.rows().await[0].1, 35, "an object may begin inside a batch");
    stage.drop_local().await;
    assert_eq!(stage.read(35).await, expected);
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_pause_keeps_what_is_there_and_what_waits() {
    let stage = with(|_| ()).await;
    stage.segment();
    stage.upload_all().await;
    stage.configure(|config| config.remote.copy_disabled = true).await;
    stage.segment();
    stage.log.offer_upload();
    assert!(!stage.log.status().uploading && stage.log.status().paused);
    assert_eq!(stage.drop_local().await, 1, "only what is in the bucket goes");
    // While it is paused the log is cut in the middle of a segment.
    stage.log.advance_log_start(Offset::new(45)).await.unwrap();
    let expected = stage.read(45).await;
    stage.configure(|config| config.remote.copy_disabled = false).await;
    stage.upload_all().await;
    stage.drop_local().await;
    assert_eq!(stage.read(45).await, expected);
    assert_eq!(stage.tiered_to(), 60);
    stage.tiers.close().await;
}

#[tokio::test]
async fn disabling_with_delete_ends_the_bucket_and_enabling_again_begins_anew() {
    let mut stage = with(|_| ()).await;
    stage.segment();
    stage.segment();
    stage.upload_all().await;
    stage.drop_local().await;
    stage.segment();
    let expected = stage.read(60).await;
    stage.configure(|config| (config.remote.enabled, config.remote.delete_on_disable) = (false, true)).await;
    assert_eq!(stage.log.view().log_start.get(), 60, "the local log start");
    assert_eq!(stage.log.view().tiered, TieredTo::NotTiered);
    assert!(stage.rows().await.iter().all(|(state, ..)| state == "DELETING"));
    stage.remove_all().await;
    assert_eq!((stage.rows().await, stage.objects()), (vec![], vec![]));
    assert_eq!(stage.read(60).await, expected);
    stage.configure(|config| config.remote.enabled = true).await;
    assert_eq!(stage.tiered_to(), 60);
    stage.upload_all().await;
    stage.drop_local().await;
    assert_eq!(stage.read(60).await, expected);
    stage.restart().await;
    assert_eq!(stage.read(60).await, expected);
    stage.tiers.close().await;
}

#[tokio::test]
async fn delete_records_reaches_into_either_tier() {
    let stage = with(|_| ()).await;
    for _ in 0..3 {
        stage.segment();
    }
    stage.upload_all().await;
    stage.drop_local().await;
    stage.segment();
    stage.produce(10);
    for (to, first, live) in [(5, 5, 3), (30, 30, 2), (44, 44, 2), (95, 95, 0), (100, 100, 0)] {
        assert_eq!(stage.log.advance_log_start(Offset::new(to)).await.unwrap().get(), to);
        assert_eq!(Stage::offsets(&stage.read(to).await), (first..130).collect::<Vec<_>>());
        let rows = stage.rows().await;
        assert_eq!(rows.iter().filter(|(state, ..)| state == "LIVE").count(), live, "{to}: {rows:?}");
    }
    assert_eq!(stage.tiered_to(), 100, "what is tiered never lies below the log start");
    stage.remove_all().await;
    assert_eq!(stage.objects(), Vec::<String>::new());
    assert_eq!(stage.control(&format!("_tidelog/floors/{}/0.json", stage.id)).unwrap()["log_start_offset"], 100);
    stage.log.log.roll().unwrap();
    stage.upload_all().await;
    stage.drop_local().await;
    assert_eq!(Stage::offsets(&stage.read(100).await), (100..130).collect::<Vec<_>>());
    assert_eq!(stage.log.advance_log_start(Offset::new(7)).await.unwrap().get(), 100, "it never goes back");
    stage.tiers.close().await;
}

#[tokio::test]
async fn total_retention_counts_each_byte_once_over_both_tiers() {
    let stage = with(|_| ()).await;
    for _ in 0..4 {
        stage.segment();
    }
    stage.upload_all().await;
    let segment_bytes = stage.log.log.segments()[0].size_bytes;
    // All four are in both tiers, two more only here, and the active one.
    stage.segment();
    stage.segment();
    stage.produce(10);
    let total: u64 = stage.log.log.size_bytes();
    stage.configure(|config| config.retention.total_bytes = Some(total)).await;
    assert_eq!(stage.expire().await, None, "exactly as much as may stay");
    stage.configure(|config| config.retention.total_bytes = Some(total - segment_bytes)).await;
    assert_eq!(stage.expire().await, Some(30));
    assert_eq!(stage.expire().await, None);
    stage.drop_local().await;
    assert_eq!(stage.expire().await, None, "dropping local copies changes nothing");
    // Down to less than what is not tiered: that ends too, and tiering goes on behind it.
    stage.configure(|config| config.retention.total_bytes = Some(segment_bytes)).await;
    assert_eq!(stage.expire().await, Some(150));
    assert_eq!(stage.tiered_to(), 150);
    stage.upload_all().await;
    assert_eq!(stage.tiered_to(), 180);
    assert_eq!(stage.expire().await, None);
    stage.tiers.close().await;
}

#[tokio::test]
async fn total_retention_by_time_ends_the_oldest_whatever_tier_they_are_in() {
    let stage = with(|config| config.retention.total_ms = Some(50_000)).await;
    stage.segment();
    stage.clock.advance(40_000);
    stage.segment();
    stage.upload_all().await;
    stage.drop_local().await;
    assert_eq!(stage.expire().await, None);
    stage.clock.advance(20_000);
    assert_eq!(stage.expire().await, Some(30), "by the records' timestamps");
    stage.produce(10);
    stage.clock.advance(100_000);
    assert_eq!(stage.expire().await, Some(70), "the active segment too");
    assert_eq!((stage.read(70).await.len(), stage.tiered_to()), (0, 70));
    assert_eq!(stage.produce(10).get(), 70, "offsets go on");
    stage.log.log.roll().unwrap();
    stage.upload_all().await;
    stage.drop_local().await;
    assert_eq!(Stage::offsets(&stage.read(70).await), (70..80).collect::<Vec<_>>());
    stage.tiers.close().await;
}

#[tokio::test]
async fn nothing_goes_while_it_is_not_known_how_much_is_tiered() {
    let stage = with(|config| config.remote.enabled = false).await;
    stage.segment();
    stage.segment();
    let mut enabled = TopicConfig::clone(&stage.log.config());
    enabled.remote.enabled = true;
    enabled.retention.total_ms = Some(0);
    stage.log.set_config(Arc::new(enabled));
    assert_eq!(stage.log.view().tiered, TieredTo::Unknown);
    stage.clock.advance(1_000_000);
    assert_eq!((stage.expire().await, stage.drop_local().await), (None, 0));
    assert_eq!(stage.read(0).await.len(), 60);
    stage.tiers.close().await;
}

#[tokio::test]
async fn total_retention_goes_on_while_the_bucket_is_away() {
    let stage = with(|config| config.retention.total_ms = Some(50_000)).await;
    stage.segment();
    stage.upload_all().await;
    stage.segment();
    stage.plan.add(Fault::new(Effect::Fail(ErrorKind::Unavailable)));
    stage.log.upload_next().await;
    assert!(stage.log.status().failures > 0 && stage.log.status().last_error.is_some());
    stage.clock.advance(100_000);
    assert_eq!(stage.expire().await, Some(60), "untiered records expire too");
    stage.segment();
    let removed = stage.tiers.remove_deleted().await.unwrap();
    assert_eq!((removed.rows, removed.failed), (0, 1), "the floor cannot be written yet");
    stage.plan.release();
    stage.upload_all().await;
    assert_eq!(stage.tiered_to(), 90);
    stage.remove_all().await;
    assert_eq!(stage.objects().len(), 1);
    stage.tiers.close().await;
}

#[tokio::test]
async fn an_upload_that_was_begun_by_a_lost_answer_too_is_ended() {
    let stage = with(|_| ()).await;
    stage.segment();
    stage.plan.add(Fault::new(Effect::DoneButFails(ErrorKind::Unavailable)).on(Operation::BeginUpload).times(2));
    stage.upload_all().await;
    assert_eq!(stage.plan.met(), 2);
    assert_eq!((stage.rows().await.len(), stage.objects().len()), (1, 1));
    assert_eq!(stage.store.uploads(), [], "three were begun, one was finished");
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_failing_bucket_gets_no_new_object_with_every_try() {
    let stage = with(|_| ()).await;
    stage.segment();
    for operation in [Operation::WritePart, Operation::FinishUpload, Operation::Size] {
        stage.plan.add(Fault::new(Effect::Fail(ErrorKind::Denied)).on(operation));
    }
    stage.plan.add(Fault::new(Effect::Fail(ErrorKind::Denied)).on(Operation::AbortUpload));
    for _ in 0..5 {
        stage.log.upload_next().await;
    }
    assert_eq!(stage.rows().await.len(), 1, "the first attempt has to be ended before another begins");
    assert_eq!(stage.store.uploads().len(), 1);
    assert!(stage.log.status().failures >= 5);
    stage.log.offer_upload();
    assert!(!stage.log.status().uploading, "it waits");
    stage.plan.release();
    stage.upload_all().await;
    assert_eq!((stage.rows().await.len(), stage.store.uploads().len(), stage.objects().len()), (1, 0, 1));
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_hole_in_the_log_stops_uploads_and_what_retention_removed_meanwhile_does_not() {
    let stage = with(|_| ()).await;
    stage.segment();
    stage.segment();
    let hole = UploadError::Hole { from: Offset::new(10), to: Offset::new(20) };
    assert_eq!(hole.to_string(), "offsets 10 up to 20 are neither in the bucket nor in the local log");
    assert!(stage.log.has_hole(&hole), "what follows it and what is before it are there");
    stage.upload_all().await;
    stage.drop_local().await;
    assert!(!stage.log.has_hole(&hole), "it is behind what retention removed: the next attempt begins elsewhere");
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_range_that_cannot_be_read_stops_until_the_operator_gives_it_up() {
    let stage = with(|_| ()).await;
    stage.segment();
    stage.segment();
    let damaged = stage.log.log.dir().join("00000000000000000000.log");
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[70] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    stage.log.upload_next().await;
    let status = stage.log.status();
    assert!(status.stopped.is_some(), "{status:?}");
    assert_eq!((stage.tiered_to(), stage.objects().len(), stage.rows().await.len()), (0, 0, 0));
    assert!(matches!(stage.log.skip(Offset::new(100)).await, Err(SkipError::OutOfRange { .. })));
    // Somebody has asked for what is not there; what is given up is asked for no more.
    let absent = RemoteReadError::NoObject { tp: stage.log.tp(), offset: Offset::new(0) };
    drop(stage.log.tiers.damages.note(stage.log.tp(), Offset::new(0), Reads::Records, absent));
    assert_eq!(stage.log.status().damaged.len(), 1);
    assert_eq!(stage.log.skip(Offset::new(30)).await.unwrap(), 30);
    assert!(stage.log.status().damaged.is_empty(), "an object stands for it, of none of its records");
    stage.upload_all().await;
    assert_eq!((stage.tiered_to(), stage.log.status().stopped), (60, None));
    stage.drop_local().await;
    assert_eq!(Stage::offsets(&stage.read(0).await), (30..60).collect::<Vec<_>>(), "readers step over what is gone");
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_disk_that_comes_back_heals_by_itself() {
    let disk = crate::disk::recorded::RecordedDisk::new();
    let stage = Stage::on_disk(config(), TieringOptions::default(), Arc::new(disk.clone())).await;
    stage.segment();
    stage.segment();
    disk.make_unreadable(Some(".log"));
    for failures in [1, 2] {
        stage.log.upload_next().await;
        let status = stage.log.status();
        assert_eq!((status.failures, &status.stopped, stage.tiered_to()), (failures, &None, 0));
        assert!(status.last_error.is_some_and(|error| error.contains("a bad sector")));
        assert!(!stage.log.upload.lock().may_begin(stage.tiers.clock().monotonic()), "it waits");
    }
    disk.make_unreadable(None);
    // By the copiers, as in life: nobody helps.
    let clock = crate::clock::SystemClock::new();
    while stage.tiered_to() < 60 {
        stage.log.offer_upload();
        crate::clock::Clock::sleep(&clock, std::time::Duration::from_millis(1)).await;
    }
    assert_eq!((stage.log.status().failures, stage.objects().len()), (0, 2));
    stage.tiers.close().await;
}

#[tokio::test]
async fn nothing_undecided_unseen_or_unsynced_is_uploaded() {
    let stage = with(|_| ()).await;
    let log = &stage.log.log;
    let epoch = stage.log.leader_epoch();
    log.append(&batch(10, 0, Codec::None), epoch, 0).unwrap();
    log.roll().unwrap();
    stage.log.upload_next().await;
    assert_eq!(stage.tiered_to(), 0, "not synced");
    log.sync().unwrap();
    stage.log.upload_next().await;
    assert_eq!(stage.tiered_to(), 0, "not below the high watermark");
    stage.show();
    stage.log.upload_next().await;
    assert_eq!(stage.tiered_to(), 10);
    stage.tiers.close().await;
}

#[tokio::test]
async fn more_rows_than_a_page_go_and_a_bucket_that_is_away_is_left_alone() {
    let stage = with(|_| ()).await;
    stage.leave_deleting(600).await;
    stage.plan.add(Fault::new(Effect::Fail(ErrorKind::Unavailable)).on(Operation::Delete));
    let removed = stage.tiers.remove_deleted().await.unwrap();
    assert_eq!((removed.rows, removed.failed), (0, 16));
    stage.plan.release();
    assert_eq!(stage.tiers.remove_deleted().await.unwrap().rows, 600);
    assert_eq!(stage.rows().await, vec![]);
    stage.tiers.close().await;
}

#[tokio::test]
async fn objects_that_cannot_go_hold_up_none_of_the_others_and_wait_longer_each_time() {
    let stage = with(|_| ()).await;
    stage.leave_deleting(600).await;
    // The first 300, more than a page, are under a lock.
    for below in ["topics/left/0", "topics/left/1", "topics/left/2"] {
        stage.plan.add(Fault::new(Effect::Fail(ErrorKind::Denied)).on(Operation::Delete).below(below));
    }
    let removed = stage.tiers.remove_deleted().await.unwrap();
    assert_eq!((removed.rows, removed.failed, removed.waiting), (300, 300, 0));
    assert_eq!(stage.tiers.refused_removals.len(), 300, "what the gauge says");
    let met = stage.plan.met();
    let removed = stage.tiers.remove_deleted().await.unwrap();
    assert_eq!((removed.rows, removed.failed, removed.waiting), (0, 0, 300));
    assert_eq!(stage.plan.met(), met, "nobody asks for them yet");
    // One is tried each minute, in case everything may go.
    for (wait_ms, probed) in [(60_000, 0), (120_000, 1)] {
        stage.clock.advance(wait_ms - 1);
        assert_eq!(stage.tiers.remove_deleted().await.unwrap().failed, probed, "{wait_ms}");
        stage.clock.advance(1);
        assert_eq!(stage.tiers.remove_deleted().await.unwrap().failed, 300 - probed, "{wait_ms}");
    }
    stage.plan.release();
    stage.clock.advance(60_000);
    let rounds = [stage.tiers.remove_deleted().await.unwrap().rows, stage.tiers.remove_deleted().await.unwrap().rows];
    assert_eq!(rounds.iter().sum::<usize>(), 300, "nobody waits longer once one goes: {rounds:?}");
    assert_eq!((stage.rows().await, stage.tiers.refused_removals.len()), (vec![], 0));
    stage.tiers.close().await;
}

impl Stage {
    /// So many rows that say DELETING, of objects that are not there, oldest first.
    async fn leave_deleting(&self, rows: u128) {
        let epoch = self.log.leader_epoch();
        for number in 0..rows {
            let row = crate::catalog::NewSegmentRow {
                id: ulid::Ulid(number),
                tp: self.tp(),
                base: Offset::ZERO,
                end: Offset::ZERO,
                leader_epoch: epoch,
                generation: 0,
                object_key: format!("topics/left/{number:03}"),
                incarnation: 1,
                start_number: 1,
            };
            self.catalog.insert_writing(row).await.unwrap();
            self.catalog.mark_deleting(ulid::Ulid(number), self.tp(), epoch).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_only_the_local_tier_has_is_counted() {
    let stage = with(|_| {}).await;
    assert_eq!(stage.tiers.local_only_bytes(), 0);
    for _ in 0..3 {
        stage.segment();
    }
    stage.produce(3);
    assert_eq!(stage.tiers.local_only_bytes(), stage.log.log.size_bytes(), "the active segment too");
    let active = stage.log.log.segments().last().unwrap().size_bytes;
    stage.upload_all().await;
    assert_eq!(stage.tiers.local_only_bytes(), active);
    stage.tiers.close().await;
}

#[tokio::test]
async fn an_operator_who_hangs_up_stops_neither_the_skip_nor_what_follows() {
    let stage = with(|_| ()).await;
    stage.segment();
    stage.segment();
    stage.plan.add(Fault::new(Effect::BlackHole).on(Operation::FinishUpload).times(1));
    let mut asked = Box::pin(stage.log.skip(Offset::new(30)));
    tokio::select! {
        _ = &mut asked => unreachable!("the bucket hangs"),
        () = stage.plan.hanging(1) => {}
    }
    drop(asked);
    stage.plan.release();
    let clock = crate::clock::SystemClock::new();
    while stage.tiered_to() < 30 || stage.log.upload.lock().queued {
        crate::clock::Clock::sleep(&clock, std::time::Duration::from_millis(1)).await;
    }
    // By the copiers: whoever stands in the queue for ever is never taken out of it.
    stage.log.offer_upload();
    while stage.tiered_to() < 60 {
        crate::clock::Clock::sleep(&clock, std::time::Duration::from_millis(1)).await;
    }
    stage.tiers.close().await;
}

#[tokio::test]
async fn an_upload_that_seemed_to_fail_and_is_live_is_not_sent_again() {
    let commits = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (live, reached) = tokio::sync::oneshot::channel();
    let live = std::sync::Mutex::new(Some(live));
    let counted = Arc::clone(&commits);
    // The first commit is answered by nobody.
    let steps = crate::tiering::StepHook::new(move |step| {
        let is_first = step == crate::tiering::Step::LiveRow && counted.fetch_add(1, Ordering::SeqCst) == 0;
        let told = is_first.then(|| live.lock().unwrap().take()).flatten();
        Box::pin(async move {
            if let Some(told) = told {
                told.send(()).unwrap();
                std::future::pending::<()>().await;
            }
        })
    });
    let grace = std::time::Duration::ZERO;
    let options = TieringOptions { orphan_grace: grace, steps, ..TieringOptions::default() };
    let stage = Stage::with(config(), options).await;
    stage.segment();
    stage.segment();
    tokio::select! {
        () = stage.log.upload_next() => unreachable!("nobody answers"),
        reached = reached => reached.unwrap(),
    }
    let row = stage.catalog.last_segment(stage.tp()).await.unwrap().unwrap();
    let key = crate::object_storage::ObjectKey::parse(&row.head.object_key).unwrap();
    let attempt = crate::tiering::upload_state::Attempt { id: row.head.id, key, upload_id: row.upload_id };
    stage.log.upload.lock().unfinished = Some(attempt);
    assert_eq!(stage.tiered_to(), 0, "not known yet");
    stage.log.upload_next().await;
    let status = stage.log.status();
    assert_eq!((stage.tiered_to(), status.failures, status.last_error), (60, 0, None));
    assert_eq!(commits.load(Ordering::SeqCst), 2, "one for each segment");
    assert_eq!((stage.objects().len(), stage.rows().await.len()), (2, 2));
    stage.tiers.close().await;
}

#[tokio::test]
async fn readers_step_over_what_is_gone_whatever_the_cache_keeps() {
    let stage = Stage::with(config(), TieringOptions { cache_bytes: 0, ..TieringOptions::default() }).await;
    for _ in 0..4 {
        stage.segment();
    }
    for to in [30, 60, 90] {
        stage.log.skip(Offset::new(to)).await.unwrap();
    }
    stage.upload_all().await;
    stage.drop_local().await;
    let gets = || stage.tiers.bucket().counts().of(Operation::Read).requests;
    let before = gets();
    let clock = crate::clock::SystemClock::new();
    tokio::select! {
        seen = stage.read(0) => assert_eq!(Stage::offsets(&seen), (90..120).collect::<Vec<_>>()),
        () = crate::clock::Clock::sleep(&clock, std::time::Duration::from_secs(20)) => panic!("{} GETs", gets() - before),
    }
    stage.tiers.close().await;
}
