//! Buckets that cannot be used, and what the self-test says of them.

use std::sync::Arc;
use std::time::Duration;

use tidelog::clock::{Clock, ManualClock, SystemClock};
use tidelog::disk::RealDisk;
use tidelog::object_storage::options::{S3Keys, S3Options};
use tidelog::object_storage::{Bucket, BucketOptions, ErrorKind, Expect, ObjectKey, key};
use tokio::net::TcpListener;

use crate::home::Home;
use crate::in_process;
use crate::stub::{Canned, Stub};

async fn open(url: &str, s3: S3Options) -> Bucket {
    open_with(url, s3, Duration::from_millis(200)).await
}

async fn open_with(url: &str, s3: S3Options, deadline: Duration) -> Bucket {
    let mut options = BucketOptions { s3, ..BucketOptions::default() };
    (options.retry.control_deadline, options.retry.upload_deadline) = (deadline, deadline);
    options.retry.pause_first = Duration::from_millis(1);
    Bucket::open(url, options, RealDisk::shared(), SystemClock::shared()).await.unwrap()
}

async fn said(bucket: &Bucket) -> String {
    bucket.self_test().await.unwrap_err().to_string()
}

#[tokio::test]
async fn wrong_keys_are_named() {
    let home = Home::in_process().await;
    for keys in [("tidelog", "wrong"), ("nobody", "tidelog-secret")] {
        let keys =
            S3Keys { access_key_id: keys.0.to_owned(), secret_access_key: keys.1.to_owned(), session_token: None };
        let bucket = open(&home.url, S3Options { credentials: Some(keys), ..home.s3().clone() }).await;
        let said = said(&bucket).await;
        assert!(said.contains("check the credentials"), "{said}");
        assert!(!said.contains("wrong") && !said.contains("tidelog-secret"), "no secret is shown: {said}");
        let error = bucket.size(&key::cluster()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    }
}

/// Absence of a bucket must never read as absence of an object.
async fn a_missing_bucket(bucket: &Bucket) {
    let said = said(bucket).await;
    assert!(said.contains("no-such-bucket") && said.contains("create it"), "{said}");
    let key = ObjectKey::parse("topics/x").unwrap();
    for error in [
        bucket.size(&key).await.unwrap_err(),
        bucket.get_range(&key, 0..1).await.unwrap_err(),
        bucket.read_control(&key).await.unwrap_err(),
        bucket.begin_upload(&key).await.unwrap_err(),
        bucket.delete(&key).await.unwrap_err(),
        bucket.abort_upload(&key, "id").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NoBucket, "{error}");
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named() {
    let missing = Canned::status(404).body("<Error><Code>NoSuchBucket</Code><Message>not there</Message></Error>");
    let stub = Stub::start(vec![missing; 16]).await;
    a_missing_bucket(&open("s3://no-such-bucket/x", in_process::options(stub.address)).await).await;
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named_by_a_server() {
    if let Some(home) = Home::server() {
        let bucket = open_with("s3://tidelog-no-such-bucket/x", home.s3().clone(), Duration::from_secs(20)).await;
        a_missing_bucket(&bucket).await;
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let said = said(&open("s3://b/x", in_process::options(address)).await).await;
    assert!(said.contains("refused") && said.contains("AWS_ENDPOINT_URL"), "{said}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_named_after_twenty_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let clock = ManualClock::new(1_700_000_000_000);
    let options = BucketOptions { s3: in_process::options(silent.local_addr().unwrap()), ..BucketOptions::default() };
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let bucket = Bucket::open("s3://b/x", options, RealDisk::shared(), shared).await.unwrap();
    let mut testing = Box::pin(bucket.self_test());
    let error = loop {
        tokio::select! {
            biased;
            tested = &mut testing => break tested.unwrap_err(),
            () = tokio::task::yield_now() => clock.advance(Duration::from_millis(10)),
        }
    };
    assert!(error.to_string().contains("no answer within 20 seconds"), "{error}");
}

#[tokio::test]
async fn a_store_without_conditional_writes_is_named() {
    // It takes everything: the second create is accepted.
    let etag = |value: &str| Canned::status(200).header("etag", value);
    let stub =
        Stub::start(vec![etag("\"1\""), etag("\"2\""), Canned::status(204), Canned::status(204), Canned::status(204)])
            .await;
    let said = said(&open("s3://b/x", in_process::options(stub.address)).await).await;
    assert!(said.contains("conditional create") && said.contains("If-None-Match"), "{said}");

    let refusal =
        Canned::status(501).body("<Error><Code>NotImplemented</Code><Message>A header you provided</Message></Error>");
    let stub = Stub::start(vec![refusal, Canned::status(204), Canned::status(204), Canned::status(204)]).await;
    let said = said_of(&stub).await;
    assert!(said.contains("NotImplemented") && said.contains("conditional writes"), "{said}");
}

async fn said_of(stub: &Stub) -> String {
    said(&open("s3://b/x", in_process::options(stub.address)).await).await
}

#[tokio::test]
async fn a_bucket_in_another_region_is_named_with_its_own() {
    let moved = Canned::status(301).header("x-amz-bucket-region", "eu-central-1").body(
        "<Error><Code>PermanentRedirect</Code><Message>Another endpoint must be used.</Message><Endpoint>x</Endpoint></Error>",
    );
    let stub = Stub::start(vec![moved, Canned::status(204), Canned::status(204), Canned::status(204)]).await;
    let said = said_of(&stub).await;
    assert!(said.contains("region eu-central-1: set AWS_REGION"), "{said}");
}

#[tokio::test]
async fn urls_and_settings_that_cannot_be_are_refused_at_once() {
    let opened = |url: &'static str, s3: S3Options| async move {
        let options = BucketOptions { s3, ..BucketOptions::default() };
        Bucket::open(url, options, RealDisk::shared(), SystemClock::shared()).await.unwrap_err().to_string()
    };
    let plain = S3Options::default;
    for (url, word) in [
        ("s3://", "no bucket"),
        ("s3://key:secret@b/x", "credentials do not go into the URL"),
        ("s3://b/x?region=y", "settings do not go into the URL"),
        ("s3://host:9000/b", "AWS_ENDPOINT_URL"),
        ("s4://b", "not known"),
    ] {
        let said = opened(url, plain()).await;
        assert!(said.contains(word) && !said.contains("secret"), "{said}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut s3 = in_process::options(listener.local_addr().unwrap());
    s3.endpoint = Some("localhost:9000".to_owned());
    let said = opened("s3://b", s3.clone()).await;
    assert!(said.contains("http://host:port"), "{said}");
    s3.endpoint = Some("http://localhost:9000".to_owned());
    s3.storage_class = Some("A\nB".to_owned());
    let said = opened("s3://b", s3).await;
    assert!(said.contains("s3://b"), "{said}");
}

/// The first conditional write of a key that somebody else writes at the same moment is tried again.
#[tokio::test]
async fn a_write_beside_another_is_tried_again() {
    let busy =
        Canned::status(409).body("<Error><Code>ConditionalRequestConflict</Code><Message>busy</Message></Error>");
    let stub = Stub::start(vec![busy, Canned::status(200).header("etag", "\"1\"")]).await;
    let bucket = open("s3://b/x", in_process::options(stub.address)).await;
    bucket.write_control(&key::cluster(), bytes::Bytes::from_static(b"1"), Expect::Absent).await.unwrap();
    assert_eq!(stub.requests().len(), 2);
}
