//! A real server that dies in the middle, comes back, and one that stands still: nothing is lost, counted twice or
//! left occupied.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use tidelog::clock::{Clock as _, SystemClock};
use tidelog::disk::RealDisk;
use tidelog::object_storage::{Bucket, BucketOptions, ErrorKind, Expect, ObjectKey, Operation, key};

use crate::home::{PART_BYTES, bytes};
use crate::in_process;
use crate::minio::Minio;

async fn open(minio: &Minio, change: impl FnOnce(&mut BucketOptions)) -> Bucket {
    let mut options = BucketOptions { s3: in_process::options(minio.address), ..BucketOptions::default() };
    options.upload.part_bytes = PART_BYTES;
    options.retry.pause_first = Duration::from_millis(20);
    options.retry.pause_max = Duration::from_millis(200);
    change(&mut options);
    Bucket::open("s3://history/p", options, RealDisk::shared(), SystemClock::shared()).await.unwrap()
}

async fn until(condition: impl Fn() -> bool) {
    let clock = SystemClock::new();
    while !condition() {
        clock.sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn an_upload_survives_the_death_of_its_server() {
    let Some(mut minio) = Minio::start().await else { return };
    let bucket = open(&minio, |options| options.upload.parts_in_flight = 2).await;
    let name = ObjectKey::parse("topics/x.parquet").unwrap();
    let content = bytes(8 * PART_BYTES + 77, 1);
    let mut upload = bucket.begin_upload(&name).await.unwrap();
    let uploading = tokio::spawn({
        let content = content.clone();
        async move {
            upload.write(content).await?;
            upload.finish().await
        }
    });
    for deaths in 1..=2 {
        let failed = bucket.counts().of(Operation::WritePart).failures;
        until(|| bucket.counts().of(Operation::WritePart).requests > 3 * deaths).await;
        minio.kill();
        until(|| bucket.counts().of(Operation::WritePart).failures > failed).await;
        assert!(!uploading.is_finished());
        minio.start_again().await;
    }
    assert_eq!(uploading.await.unwrap().unwrap().size_bytes, content.len() as u64);
    assert!(bucket.get_range(&name, 0..content.len() as u64).await.unwrap() == content);
}

/// One writer, each of whose writes says one more; the server dies again and again. What was answered is there, and
/// what was not is known.
#[tokio::test]
async fn conditional_writes_are_counted_once_through_deaths() {
    let Some(mut minio) = Minio::start().await else { return };
    let bucket = open(&minio, |_| {}).await;
    let writer = tokio::spawn({
        let bucket = bucket.clone();
        async move {
            let mut expect = Expect::Absent;
            for count in 0..400u32 {
                let written = bucket.write_control(&key::cluster(), Bytes::from(count.to_string()), expect).await;
                expect = Expect::Version(written.unwrap_or_else(|error| panic!("at {count}: {error}")));
            }
        }
    });
    let clock = SystemClock::new();
    for _ in 0..4 {
        let requests = bucket.counts().of(Operation::WriteControl).requests;
        until(|| bucket.counts().of(Operation::WriteControl).requests > requests + 40).await;
        minio.kill();
        clock.sleep(Duration::from_millis(100)).await;
        minio.start_again().await;
    }
    writer.await.unwrap();
    let (count, _) = bucket.read_control(&key::cluster()).await.unwrap().unwrap();
    assert_eq!(count.as_ref(), b"399");
    assert!(bucket.counts().of(Operation::WriteControl).failures > 0);
}

#[tokio::test]
async fn a_server_that_stands_still_costs_reads_their_deadline_and_leaves_nothing_occupied() {
    let Some(minio) = Minio::start().await else { return };
    let bucket = open(&minio, |options| {
        options.budget.reads_max = 4;
        options.budget.attempt = Duration::from_millis(500);
        options.retry.read_deadline = Duration::from_secs(2);
    })
    .await;
    let (small, large) = (ObjectKey::parse("topics/a").unwrap(), ObjectKey::parse("topics/b").unwrap());
    bucket.write_control(&small, bytes(100, 1), Expect::Absent).await.unwrap();
    let content = bytes(2 * PART_BYTES, 2);
    let mut upload = bucket.begin_upload(&large).await.unwrap();

    minio.hold();
    let clock = SystemClock::new();
    let began = clock.monotonic();
    upload.write(content.clone()).await.unwrap();
    let uploading = tokio::spawn(upload.finish());
    let reads = join_all((0..40).map(|_| bucket.get_range(&small, 0..100))).await;
    for read in reads {
        assert_eq!(read.unwrap_err().kind(), ErrorKind::TimedOut);
    }
    let waited = clock.monotonic() - began;
    assert!(waited < Duration::from_secs(4), "forty readers share four places and one deadline: {waited:?}");
    assert!(!uploading.is_finished(), "a part has its own, longer time");

    minio.go_on();
    assert_eq!(uploading.await.unwrap().unwrap().size_bytes, content.len() as u64);
    let reads = join_all((0..40).map(|_| bucket.get_range(&small, 0..100))).await;
    assert!(reads.into_iter().all(|read| read.unwrap() == bytes(100, 1)));
    assert!(bucket.get_range(&large, 0..content.len() as u64).await.unwrap() == content);
}
