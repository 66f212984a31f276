//! A crash between any two durable steps, and the start after it: nothing is lost, nothing counts twice, what was left is
//! swept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt as _;
use tokio::sync::Notify;

use super::stage::{Seen, Stage};
use crate::model::Offset;
use crate::object_storage::{Effect, ErrorKind, Fault, Operation};
use crate::tiering::{Step, StepHook, TieringOptions};

/// Stops for ever at a step, once.
#[derive(Debug)]
struct Stop {
    at: Step,
    reached: Notify,
    armed: AtomicBool,
}

impl Stop {
    fn hook(at: Step) -> (Arc<Self>, StepHook) {
        let stop = Arc::new(Self { at, reached: Notify::new(), armed: AtomicBool::new(false) });
        let shared = Arc::clone(&stop);
        let hook = StepHook::new(move |step| {
            let stop = Arc::clone(&shared);
            async move {
                if step == stop.at && stop.armed.swap(false, Ordering::SeqCst) {
                    stop.reached.notify_one();
                    std::future::pending::<()>().await;
                }
            }
            .boxed()
        });
        (stop, hook)
    }

    fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// Does `work` until it stops at the step. Says whether it did; if not, the work is done.
    async fn until(&self, work: impl Future<Output = ()>) -> bool {
        self.arm();
        tokio::select! {
            biased;
            () = self.reached.notified() => true,
            () = work => false,
        }
    }
}

async fn stage_with(at: Step) -> (Stage, Arc<Stop>) {
    let (stop, steps) = Stop::hook(at);
    let options = TieringOptions { orphan_grace: std::time::Duration::ZERO, steps, ..TieringOptions::default() };
    (Stage::with(super::stage::config(), options).await, stop)
}

/// What must hold after a crash, once everything has been done again that is done again by itself.
async fn is_sound(stage: &Stage, expected: &[Seen], live: usize) {
    stage.tiers.sweep().await.unwrap();
    stage.clock.advance(1_000_000);
    let removed = stage.tiers.remove_deleted().await.unwrap();
    assert_eq!(removed.failed, 0);
    stage.upload_all().await;
    stage.drop_local().await;
    assert_eq!(stage.read(expected.first().map_or(0, |first| first.offset)).await, expected);
    let rows = stage.rows().await;
    assert_eq!(rows.len(), live, "{rows:?}");
    assert!(rows.iter().all(|(state, ..)| state == "LIVE"), "{rows:?}");
    assert!(rows.windows(2).all(|pair| pair[0].2 + 1 == pair[1].1), "{rows:?}");
    assert_eq!(stage.objects().len(), live, "nothing lies in the bucket that no row names");
    assert_eq!(stage.store.uploads(), [], "no upload is left unfinished");
}

#[tokio::test]
async fn an_upload_may_be_cut_off_between_any_two_steps() {
    for at in [
        Step::TopicFile,
        Step::WritingRow,
        Step::UploadBegun,
        Step::UploadNoted,
        Step::Uploaded,
        Step::Reread,
        Step::LiveRow,
        Step::Published,
    ] {
        let (mut stage, stop) = stage_with(at).await;
        stage.segment();
        stage.segment();
        stage.produce(3);
        let expected = stage.read(0).await;
        assert!(stop.until(Box::pin(stage.log.upload_next())).await, "{at:?} was not reached");
        // Nothing may go from the disk that is not safe in the bucket.
        let kept_from = if matches!(at, Step::Published) { 30 } else { 0 };
        stage.drop_local().now_or_never();
        assert!(stage.log.view().local_start.get() <= kept_from, "{at:?}");
        stage.restart().await;
        if at == Step::UploadBegun {
            // Its id was not noted: it is found by its key.
            assert_eq!(stage.store.uploads().len(), 1);
        }
        is_sound(&stage, &expected, 2).await;
        stage.tiers.close().await;
    }
}

#[tokio::test]
async fn what_was_begun_or_given_up_while_the_clock_ran_ahead_goes_once_it_is_right() {
    const MONTH_MS: i64 = 30 * 24 * 3_600_000;
    let (mut stage, stop) = stage_with(Step::UploadNoted).await;
    stage.segment();
    stage.segment();
    let expected = stage.read(0).await;
    stage.clock.advance(MONTH_MS);
    assert!(stop.until(Box::pin(stage.log.upload_next())).await);
    stage.restart().await;
    stage.clock.advance(-MONTH_MS);
    is_sound(&stage, &expected, 2).await;

    stage.clock.advance(MONTH_MS);
    stage.log.advance_log_start(Offset::new(30)).await.unwrap();
    stage.clock.advance(-MONTH_MS);
    let removed = stage.tiers.remove_deleted().await.unwrap();
    assert_eq!((removed.rows, removed.waiting), (1, 0));
    stage.tiers.close().await;
}

#[tokio::test]
async fn the_end_of_a_failed_upload_may_be_cut_off_too() {
    for at in [Step::GivenUp, Step::Ended] {
        let (mut stage, stop) = stage_with(at).await;
        stage.segment();
        let expected = stage.read(0).await;
        stage.plan.add(Fault::new(Effect::Fail(ErrorKind::Denied)).on(Operation::FinishUpload));
        assert!(stop.until(Box::pin(stage.log.upload_next())).await, "{at:?} was not reached");
        stage.restart().await;
        is_sound(&stage, &expected, 1).await;
        stage.tiers.close().await;
    }
}

#[tokio::test]
async fn the_log_start_may_stop_half_way() {
    for at in [Step::LogStartRow, Step::LogStartLocal] {
        let (mut stage, stop) = stage_with(at).await;
        for _ in 0..3 {
            stage.segment();
        }
        stage.upload_all().await;
        stage.drop_local().await;
        let expected = stage.read(35).await;
        let moving = async {
            stage.log.advance_log_start(Offset::new(35)).await.unwrap();
        };
        assert!(stop.until(Box::pin(moving)).await, "{at:?} was not reached");
        stage.restart().await;
        assert_eq!(stage.log.view().log_start.get(), 35);
        is_sound(&stage, &expected, 2).await;
        assert!(stage.control(&floor(&stage)).is_some());
        stage.tiers.close().await;
    }
}

fn floor(stage: &Stage) -> String {
    format!("_tidelog/floors/{}/0.json", stage.id)
}

#[tokio::test]
async fn an_object_may_stop_half_way_out() {
    for at in [Step::Floor, Step::ObjectGone, Step::RowGone] {
        let (mut stage, stop) = stage_with(at).await;
        stage.segment();
        stage.segment();
        stage.upload_all().await;
        stage.drop_local().await;
        let expected = stage.read(30).await;
        stage.log.advance_log_start(Offset::new(30)).await.unwrap();
        stage.clock.advance(1_000_000);
        let removing = async { drop(stage.tiers.remove_deleted().await.unwrap()) };
        assert!(stop.until(Box::pin(removing)).await, "{at:?} was not reached");
        let floor = stage.control(&floor(&stage)).unwrap();
        assert_eq!(floor["log_start_offset"], 30, "the floor is there before anything goes");
        stage.restart().await;
        is_sound(&stage, &expected, 1).await;
        stage.tiers.close().await;
    }
}

#[tokio::test]
async fn a_commit_without_an_answer_counts_once() {
    // The store says that it failed though it did not: the object is there, and the attempt is ended.
    for operation in [Operation::FinishUpload, Operation::WritePart, Operation::BeginUpload] {
        let stage = Stage::new().await;
        stage.segment();
        let expected = stage.read(0).await;
        stage.plan.add(Fault::new(Effect::DoneButFails(ErrorKind::Denied)).on(operation).times(1));
        stage.log.upload_next().await;
        assert_eq!(stage.tiered_to(), 0, "{operation:?}");
        assert_eq!(stage.objects(), Vec::<String>::new(), "{operation:?}");
        is_sound(&stage, &expected, 1).await;
        stage.tiers.close().await;
    }
}

#[tokio::test]
async fn what_an_old_start_writes_is_no_part_of_the_log() {
    let mut stage = Stage::new().await;
    stage.segment();
    let expected = stage.read(0).await;
    let deposed = Arc::clone(&stage.log);
    // The deposed leader stands still in the middle of its upload, and goes on after another has started.
    stage.plan.add(Fault::new(Effect::BlackHole).on(Operation::FinishUpload));
    let catalog = stage.catalog.clone();
    let hanging = {
        let log = Arc::clone(&deposed);
        tokio::spawn(async move { log.upload_next().await })
    };
    stage.plan.hanging(1).await;
    catalog.raise_leader_epochs(super::stage::BROKER).await.unwrap();
    stage.plan.release();
    hanging.await.unwrap();
    assert_eq!(deposed.status().tiered_to, Some(Offset::ZERO));
    drop(deposed);
    stage.restart().await;
    is_sound(&stage, &expected, 1).await;
    stage.tiers.close().await;
}
