//! An S3 server behind a line that is cut, held and let go.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures::future::join_all;
use tidelog::clock::{Clock, ManualClock};
use tidelog::object_storage::{Bucket, BucketOptions, ErrorKind, Expect, ObjectKey, Operation};

use crate::home::{Home, PART_BYTES, bytes};
use crate::in_process;
use crate::line::{Line, State};

static NAME: LazyLock<ObjectKey> = LazyLock::new(|| ObjectKey::parse("topics/x.parquet").unwrap());

async fn behind_a_line(change: impl FnOnce(&mut BucketOptions)) -> (Home, Line, Bucket) {
    let home = Home::in_process().await;
    let line = Line::to(home.in_process_server().address).await;
    let bucket = home
        .open_with(|options| {
            options.s3 = in_process::options(line.address);
            change(options);
        })
        .await;
    (home, line, bucket)
}

async fn put(bucket: &Bucket, key: &ObjectKey, length: usize) -> bytes::Bytes {
    let content = bytes(length, 7);
    let mut upload = bucket.begin_upload(key).await.unwrap();
    upload.write(content.clone()).await.unwrap();
    upload.finish().await.unwrap();
    content
}

#[tokio::test]
async fn a_read_that_is_cut_in_the_middle_is_read_again_whole() {
    let (_home, line, bucket) = behind_a_line(|_| {}).await;
    let content = put(&bucket, &NAME, PART_BYTES).await;
    line.set(State::CutAfter(1_000_000));
    let mut reading = Box::pin(bucket.get_range(&NAME, 0..PART_BYTES as u64));
    while line.cuts() < 3 {
        tokio::select! {
            biased;
            read = &mut reading => panic!("{read:?} over a line that is cut"),
            () = tokio::task::yield_now() => {}
        }
    }
    line.set(State::Open);
    assert!(reading.await.unwrap() == content);
    let counts = bucket.counts().of(Operation::Read);
    assert_eq!((counts.requests, counts.bytes), (counts.failures + 1, PART_BYTES as u64));
    assert!(counts.failures >= 3, "{counts:?}");
}

#[tokio::test]
async fn an_upload_over_a_line_that_is_cut_arrives_whole() {
    let (_home, line, bucket) = behind_a_line(|_| {}).await;
    let content = bytes(3 * PART_BYTES, 8);
    let mut upload = bucket.begin_upload(&NAME).await.unwrap();
    // Every answer is cut before it arrives: each part was taken, and nobody knows.
    line.set(State::CutAfter(0));
    upload.write(content.clone()).await.unwrap();
    while line.cuts() < 4 {
        tokio::task::yield_now().await;
    }
    line.set(State::Open);
    assert_eq!(upload.finish().await.unwrap().size_bytes, content.len() as u64);
    assert!(bucket.get_range(&NAME, 0..content.len() as u64).await.unwrap() == content);
}

/// As when a server is stopped, or packets go nowhere.
#[tokio::test]
async fn a_held_line_costs_its_callers_their_deadline_and_nobody_else_anything() {
    let home = Home::in_process().await;
    let line = Line::to(home.in_process_server().address).await;
    let clock = ManualClock::new(1_700_000_000_000);
    let mut options = home.options();
    options.s3 = in_process::options(line.address);
    options.budget.reads_max = 3;
    options.retry.read_deadline = Duration::from_secs(25);
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let bucket = home.try_open(options, shared).await.unwrap();
    bucket.write_control(&NAME, bytes(10, 1), Expect::Absent).await.unwrap();

    line.set(State::Held);
    let mut reads = Box::pin(join_all((0..8).map(|_| bucket.get_range(&NAME, 0..10))));
    let failed = loop {
        tokio::select! {
            biased;
            failed = &mut reads => break failed,
            () = tokio::task::yield_now() => clock.advance(Duration::from_millis(1)),
        }
    };
    for read in failed {
        assert_eq!(read.unwrap_err().kind(), ErrorKind::TimedOut);
    }
    let waited = clock.monotonic();
    assert!(waited < Duration::from_secs(27), "{waited:?}");

    // A caller that goes away leaves no request behind.
    let dropped = (0..20).map(|_| {
        let bucket = bucket.clone();
        tokio::spawn(async move { bucket.get_range(&NAME, 0..10).await })
    });
    for task in dropped.collect::<Vec<_>>() {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    line.set(State::Open);
    let reads = join_all((0..8).map(|_| bucket.get_range(&NAME, 0..10))).await;
    assert!(reads.into_iter().all(|read| read.unwrap() == bytes(10, 1)), "every place is free again");
}

#[tokio::test]
async fn connections_of_requests_that_were_given_up_are_closed() {
    let (_home, line, bucket) = behind_a_line(|_| {}).await;
    bucket.write_control(&NAME, bytes(10, 1), Expect::Absent).await.unwrap();
    let idle = line.connections();
    line.set(State::Held);
    let mut reads = Box::pin(join_all((0..5).map(|_| bucket.get_range(&NAME, 0..10))));
    while line.connections() < idle + 5 {
        tokio::select! {
            biased;
            _ = &mut reads => panic!("an answer over a held line"),
            () = tokio::task::yield_now() => {}
        }
    }
    drop(reads);
    while line.connections() > idle {
        tokio::task::yield_now().await;
    }
}
