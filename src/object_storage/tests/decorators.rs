//! Retries, budgets, counts and planned faults, over a bucket in memory and a clock that is moved by hand.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::{Clock, ManualClock};
use crate::object_storage::{
    Bucket, BucketOptions, ControlError, Effect, ErrorKind, Expect, Fault, FaultPlan, MemoryStore, NotSent, ObjectKey,
    Operation,
};

struct Stage {
    store: Arc<MemoryStore>,
    plan: Arc<FaultPlan>,
    clock: Arc<ManualClock>,
    bucket: Bucket,
    key: ObjectKey,
}

fn stage_with(change: impl FnOnce(&mut BucketOptions)) -> Stage {
    let (store, plan) = (Arc::new(MemoryStore::new()), FaultPlan::new());
    let clock = ManualClock::new(1_700_000_000_000);
    let mut options = BucketOptions { faults: Some(Arc::clone(&plan)), ..BucketOptions::default() };
    options.upload.part_bytes = 4;
    change(&mut options);
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let bucket = Bucket::from_store(Arc::<MemoryStore>::clone(&store), options, shared);
    let key = ObjectKey::parse("topics/x").unwrap();
    store.overwrite(&key, Bytes::from_static(b"0123456789"));
    Stage { store, plan, clock, bucket, key }
}

fn stage() -> Stage {
    stage_with(|_| {})
}

impl Stage {
    /// Runs `work` while time goes on, ten milliseconds a step.
    async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = Box::pin(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::task::yield_now() => self.clock.advance(Duration::from_millis(10)),
            }
        }
    }

    fn requests(&self, operation: Operation) -> u64 {
        self.bucket.counts().of(operation).requests
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_each_try_is_counted() {
    let stage = stage();
    for kind in [ErrorKind::Unavailable, ErrorKind::Throttled, ErrorKind::TimedOut] {
        stage.plan.add(Fault::new(Effect::Fail(kind)).on(Operation::Read).times(1));
    }
    let read = stage.run(stage.bucket.get_range(&stage.key, 2..5)).await;
    assert_eq!(read.unwrap().as_ref(), b"234");
    let counts = stage.bucket.counts().of(Operation::Read);
    assert_eq!((counts.requests, counts.failures, counts.bytes), (4, 3, 3));
}

#[tokio::test]
async fn what_cannot_pass_is_not_tried_again() {
    let stage = stage();
    for kind in [ErrorKind::Denied, ErrorKind::NoBucket, ErrorKind::Corrupt, ErrorKind::Full] {
        stage.plan.add(Fault::new(Effect::Fail(kind)).times(1));
        let error = stage.bucket.get_range(&stage.key, 0..1).await.unwrap_err();
        assert_eq!((error.kind(), error.operation(), error.key()), (kind, Operation::Read, "topics/x"));
    }
    assert_eq!(stage.requests(Operation::Read), 4);
}

#[tokio::test]
async fn a_bucket_that_stays_away_is_given_up_at_the_deadline() {
    let stage = stage_with(|options| options.retry.read_deadline = Duration::from_secs(30));
    stage.plan.add(Fault::new(Effect::Fail(ErrorKind::Unavailable)));
    let error = stage.run(stage.bucket.get_range(&stage.key, 0..1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_outcome_unknown());
    let waited = stage.clock.monotonic();
    assert!(waited <= Duration::from_secs(30) && waited > Duration::from_secs(15), "{waited:?}");
    let requests = stage.requests(Operation::Read);
    assert!((5..60).contains(&requests), "{requests} requests: the pauses grow");
}

#[tokio::test]
async fn a_black_hole_costs_one_attempt_then_the_deadline() {
    let stage = stage_with(|options| options.retry.read_deadline = Duration::from_secs(25));
    stage.plan.add(Fault::new(Effect::BlackHole));
    let error = stage.run(stage.bucket.get_range(&stage.key, 0..1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(stage.clock.monotonic() < Duration::from_secs(26));
    let counts = stage.bucket.counts().of(Operation::Read);
    assert!((2..=3).contains(&counts.requests), "an attempt is given up after ten seconds: {counts:?}");
    assert_eq!(counts.failures, counts.requests);
}

#[tokio::test]
async fn a_dropped_request_frees_its_place() {
    let stage = stage_with(|options| options.budget.reads_max = 1);
    stage.plan.add(Fault::new(Effect::BlackHole).on(Operation::Read).times(1));
    let (bucket, key) = (stage.bucket.clone(), stage.key.clone());
    let hung = tokio::spawn(async move { bucket.get_range(&key, 0..1).await });
    stage.plan.hanging(1).await;
    let mut waiting = Box::pin(stage.bucket.get_range(&stage.key, 0..2));
    assert!(futures::poll!(&mut waiting).is_pending(), "the only place is taken");
    hung.abort();
    assert!(hung.await.unwrap_err().is_cancelled());
    assert_eq!(waiting.await.unwrap().as_ref(), b"01");
    assert_eq!(stage.bucket.counts().of(Operation::Read).failures, 1, "the dropped one counts");
}

#[tokio::test]
async fn reads_that_hang_do_not_keep_an_upload_from_its_place() {
    let stage = stage_with(|options| {
        options.budget.reads_max = 2;
        options.budget.uploads_max = 1;
        options.budget.control_max = 1;
    });
    stage.plan.add(Fault::new(Effect::BlackHole).on(Operation::Read));
    let reads: Vec<_> = (0..20)
        .map(|_| {
            let (bucket, key) = (stage.bucket.clone(), stage.key.clone());
            tokio::spawn(async move { bucket.get_range(&key, 0..1).await })
        })
        .collect();
    stage.plan.hanging(2).await;
    let name = ObjectKey::parse("topics/new").unwrap();
    let mut upload = stage.bucket.begin_upload(&name).await.unwrap();
    upload.write(Bytes::from_static(b"0123456789")).await.unwrap();
    assert_eq!(upload.finish().await.unwrap().size_bytes, 10);
    assert_eq!(stage.bucket.read_back(&name, 3..10).await.unwrap().as_ref(), b"3456789", "nor from reading it back");
    assert_eq!((stage.requests(Operation::Read), stage.requests(Operation::ReadBack)), (2, 1), "the budget holds");
    stage.plan.release();
    for read in reads {
        assert_eq!(read.await.unwrap().unwrap().as_ref(), b"0");
    }
}

#[tokio::test]
async fn bytes_that_are_missing_or_too_many_are_corrupt() {
    let stage = stage();
    stage.plan.add(Fault::new(Effect::Truncate(2)).on(Operation::Read).times(1));
    let error = stage.bucket.get_range(&stage.key, 0..5).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let error = stage.bucket.get_range(&stage.key, 5..11).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    stage.plan.add(Fault::new(Effect::FlipBit(1)).on(Operation::Read).times(1));
    assert_eq!(stage.bucket.get_range(&stage.key, 0..3).await.unwrap().as_ref(), b"002");
    assert_eq!(stage.bucket.get_range(&stage.key, 3..3).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_conditional_write_that_lost_its_answer_is_known_by_its_bytes() {
    let stage = stage();
    let name = ObjectKey::parse("control").unwrap();
    let lost = || Fault::new(Effect::DoneButFails(ErrorKind::TimedOut)).on(Operation::WriteControl).times(1);
    stage.plan.add(lost());
    let ours = Bytes::from_static(b"ours");
    let version = stage.run(stage.bucket.write_control(&name, ours.clone(), Expect::Absent)).await.unwrap();
    assert_eq!(stage.bucket.read_control(&name).await.unwrap(), Some((ours.clone(), version)));

    // Somebody else's bytes are a conflict all the same.
    stage.plan.add(Fault::new(Effect::Fail(ErrorKind::TimedOut)).on(Operation::WriteControl).times(1));
    let refused = stage.run(stage.bucket.write_control(&name, Bytes::from_static(b"theirs"), Expect::Absent)).await;
    assert!(matches!(refused, Err(ControlError::Conflict(_))), "{refused:?}");
    // And so are equal bytes that were there before.
    let refused = stage.bucket.write_control(&name, ours, Expect::Absent).await;
    assert!(matches!(refused, Err(ControlError::Conflict(_))), "{refused:?}");
}

#[tokio::test]
async fn a_finish_that_lost_its_answer_is_known_by_the_object() {
    let stage = stage();
    let name = ObjectKey::parse("topics/new").unwrap();
    let fault = Fault::new(Effect::DoneButFails(ErrorKind::Unavailable)).on(Operation::FinishUpload).times(1);
    stage.plan.add(fault);
    let uploading = async {
        let mut upload = stage.bucket.begin_upload(&name).await?;
        upload.write(Bytes::from_static(b"0123456789")).await?;
        upload.finish().await
    };
    assert_eq!(stage.run(uploading).await.unwrap().size_bytes, 10);
    assert_eq!(stage.store.uploads(), []);
    assert_eq!(stage.bucket.size(&name).await.unwrap(), Some(10));
}

#[tokio::test]
async fn parts_are_cut_alike_whatever_the_writes_and_few_are_under_way() {
    let stage = stage_with(|options| options.upload.parts_in_flight = 2);
    stage.plan.add(Fault::new(Effect::BlackHole).on(Operation::WritePart));
    let name = ObjectKey::parse("topics/new").unwrap();
    let mut upload = stage.bucket.begin_upload(&name).await.unwrap();
    for piece in [&b"012"[..], b"3456789", b"", b"a"] {
        upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    assert_eq!(upload.size_bytes(), 11);
    stage.plan.hanging(2).await;
    let mut third = Box::pin(upload.write(Bytes::from_static(b"bcdef")));
    assert!(futures::poll!(&mut third).is_pending(), "two are under way, the third waits");
    stage.plan.release();
    third.await.unwrap();
    let uploaded = upload.finish().await.unwrap();
    assert_eq!((uploaded.size_bytes, uploaded.parts), (16, 4));
    assert_eq!(stage.bucket.get_range(&name, 0..16).await.unwrap().as_ref(), b"0123456789abcdef");
}

#[tokio::test]
async fn a_part_that_fails_fails_the_upload_and_its_id_ends_it() {
    let stage = stage();
    stage.plan.add(Fault::new(Effect::Fail(ErrorKind::Denied)).on(Operation::WritePart).after(1).times(1));
    let name = ObjectKey::parse("topics/new").unwrap();
    let mut upload = stage.bucket.begin_upload(&name).await.unwrap();
    let id = upload.upload_id().unwrap();
    // Which of the two calls meets the error depends on when the part's task runs.
    let written = upload.write(Bytes::from_static(b"0123456789")).await;
    let finished = match written {
        Ok(()) => upload.finish().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert_eq!(finished.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(stage.store.uploads(), [(name.to_string(), id.clone())]);
    stage.bucket.abort_upload(&name, &id).await.unwrap();
    stage.bucket.abort_upload(&name, &id).await.unwrap();
    assert_eq!(stage.store.uploads(), []);
    assert_eq!(stage.bucket.size(&name).await.unwrap(), None);
}

#[tokio::test]
async fn the_self_test_leaves_nothing_and_names_what_is_missing() {
    let stage = stage();
    let before = stage.store.objects();
    assert_eq!(stage.bucket.self_test().await.unwrap().warnings, [""; 0]);
    assert_eq!((stage.store.objects(), stage.store.uploads()), (before, Vec::new()));

    for (operation, kind, word) in [
        (Operation::WriteControl, ErrorKind::NoBucket, "create it"),
        (Operation::WriteControl, ErrorKind::Unsupported, "conditional writes"),
        (Operation::Read, ErrorKind::Unsupported, "ranged reads"),
        (Operation::List, ErrorKind::Denied, "credentials"),
        (Operation::BeginUpload, ErrorKind::Unsupported, "multipart"),
        (Operation::AbortUpload, ErrorKind::Unsupported, "aborting"),
        (Operation::Delete, ErrorKind::Invalid, "deleting"),
    ] {
        stage.plan.add(Fault::new(Effect::Fail(kind)).on(operation).below("_tidelog/self-test/"));
        let error = stage.bucket.self_test().await.unwrap_err();
        assert!(error.to_string().contains(word), "{operation}: {error}");
        stage.plan.clear();
    }
}

#[tokio::test]
async fn one_odd_answer_refuses_no_bucket() {
    let stage = stage();
    for kind in [ErrorKind::NotFound, ErrorKind::Invalid] {
        stage.plan.add(Fault::new(Effect::Fail(kind)).on(Operation::FinishUpload).times(1));
        assert_eq!(stage.bucket.self_test().await.unwrap().warnings, [""; 0]);
        stage.plan.add(Fault::new(Effect::Fail(kind)).on(Operation::FinishUpload).times(2));
        stage.bucket.self_test().await.unwrap_err();
    }
    assert_eq!(stage.plan.met(), 6);
}

#[tokio::test]
async fn a_bucket_that_lists_no_uploads_is_told_of_and_used() {
    let stage = stage();
    stage.plan.add(Fault::new(Effect::Fail(ErrorKind::Denied)).on(Operation::ListUploads));
    let warnings = stage.bucket.self_test().await.unwrap().warnings;
    assert!(matches!(warnings.as_slice(), [one] if one.contains("s3:ListBucketMultipartUploads")), "{warnings:?}");
}

#[tokio::test]
async fn a_write_that_was_refused_is_not_looked_for() {
    for (kind, deletes) in [(ErrorKind::NoBucket, 0), (ErrorKind::Denied, 0), (ErrorKind::Full, 3)] {
        let stage = stage();
        stage.plan.add(Fault::new(Effect::Fail(kind)).on(Operation::WriteControl));
        stage.bucket.self_test().await.unwrap_err();
        assert_eq!(stage.bucket.counts().of(Operation::Delete).requests, deletes, "{kind}");
    }
}

#[tokio::test]
async fn a_self_test_of_a_silent_bucket_ends_soon() {
    let stage = stage();
    stage.plan.add(Fault::new(Effect::BlackHole));
    let error = stage.run(stage.bucket.self_test()).await.unwrap_err();
    assert!(error.to_string().contains("no answer within 20 seconds"), "{error}");
    assert_eq!(error.source.map(|source| source.kind()), Some(ErrorKind::TimedOut), "it is away, not wrong");
    assert!(stage.clock.monotonic() < Duration::from_secs(25));
}

#[tokio::test]
async fn a_self_test_that_reaches_nobody_says_so_and_looks_for_nothing() {
    for (why, seconds) in [(NotSent::NoConnection, 20), (NotSent::WrongEndpoint, 5)] {
        let stage = stage();
        stage.plan.add(Fault::new(Effect::NotSent(why)));
        let error = stage.run(stage.bucket.self_test()).await.unwrap_err().to_string();
        assert!(
            error.contains(&format!("no connection within {seconds} seconds: a planned fault; check the endpoint")),
            "{error}"
        );
        assert!(!error.contains("self-test"), "{error}");
        assert!(stage.clock.monotonic() < Duration::from_secs(seconds + 1), "{error}");
        assert_eq!(
            stage.bucket.counts().of(Operation::Delete).requests,
            0,
            "nothing was sent that could have left something"
        );
    }
    // One that was sent before may have been done.
    let stage = stage();
    stage.plan.add(Fault::new(Effect::Fail(ErrorKind::Unavailable)).times(1));
    stage.plan.add(Fault::new(Effect::NotSent(NotSent::NoConnection)));
    stage.run(stage.bucket.self_test()).await.unwrap_err();
    assert!(stage.bucket.counts().of(Operation::Delete).requests > 0);
}

#[tokio::test]
async fn a_self_test_of_a_failing_bucket_tells_what_failed_last() {
    let stage = stage();
    stage.plan.add(Fault::new(Effect::Fail(ErrorKind::Unavailable)));
    let error = stage.run(stage.bucket.self_test()).await.unwrap_err();
    let said = error.source.as_ref().map(|source| source.detail().to_owned()).unwrap();
    assert!(said.starts_with("no answer within 20 seconds: "), "{error}");
    assert!(stage.clock.monotonic() < Duration::from_secs(25));
}
