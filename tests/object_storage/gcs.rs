//! Google Cloud Storage's dialect, request by request, against a server that only replays. What Google itself
//! answers was not tried.

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use tidelog::clock::SystemClock;
use tidelog::disk::RealDisk;
use tidelog::object_storage::options::GcsOptions;
use tidelog::object_storage::{Bucket, BucketOptions, ControlError, ErrorKind, Expect, ObjectKey, key};

use crate::stub::{Canned, Stub};

async fn bucket(stub: &Stub) -> Bucket {
    let gcs = GcsOptions { endpoint: Some(format!("http://{}", stub.address)), without_signatures: true };
    let mut options = BucketOptions { gcs, ..BucketOptions::default() };
    options.retry.pause_first = Duration::from_millis(1);
    Bucket::open("gs://b/p", options, RealDisk::shared(), SystemClock::shared()).await.unwrap()
}

fn written(generation: &str) -> Canned {
    stored(200).header("x-goog-generation", generation)
}

fn stored(status: u16) -> Canned {
    Canned::status(status).header("etag", "\"same\"").header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")
}

#[tokio::test]
async fn control_files_are_held_by_their_generation() {
    let conflict = Canned::status(412).body("<Error><Code>PreconditionFailed</Code></Error>");
    let read = written("7").body("one");
    let stub = Stub::start(vec![written("7"), read, written("8"), conflict.clone(), conflict]).await;
    let bucket = bucket(&stub).await;
    let name = key::cluster();
    let first = bucket.write_control(&name, Bytes::from_static(b"one"), Expect::Absent).await.unwrap();
    assert_eq!(bucket.read_control(&name).await.unwrap(), Some((Bytes::from_static(b"one"), first.clone())));
    let second = bucket.write_control(&name, Bytes::from_static(b"two"), Expect::Version(first.clone())).await.unwrap();
    assert_ne!(first, second, "the ETag is the same, the generation is not");
    for expect in [Expect::Version(first), Expect::Absent] {
        let refused = bucket.write_control(&name, Bytes::from_static(b"three"), expect).await;
        assert!(matches!(refused, Err(ControlError::Conflict(_))), "{refused:?}");
    }
    let asked = stub.requests();
    let conditions: Vec<_> = asked.iter().map(|asked| asked.header("x-goog-if-generation-match")).collect();
    assert_eq!(conditions, ["0", "", "7", "7", "0"]);
    assert_eq!(asked[0].line, "PUT /b/p%2F%5Ftidelog%2Fcluster%2Ejson");
}

#[tokio::test]
async fn uploads_have_an_id_that_ends_them() {
    let begun = Canned::status(200)
        .body("<InitiateMultipartUploadResult><UploadId>id-1</UploadId></InitiateMultipartUploadResult>");
    let finished = Canned::status(200)
        .header("etag", "\"e\"")
        .body("<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>");
    let listed = Canned::status(200).body(
        "<ListMultipartUploadsResult><Upload><Key>p/topics/x</Key><UploadId>id-2</UploadId></Upload>\
         <Upload><Key>p/topics/xy</Key><UploadId>id-3</UploadId></Upload></ListMultipartUploadsResult>",
    );
    let answers = vec![begun, written("1"), finished, Canned::status(204), Canned::status(404), listed];
    let stub = Stub::start(answers).await;
    let bucket = bucket(&stub).await;
    let name = ObjectKey::parse("topics/x").unwrap();
    let mut upload = bucket.begin_upload(&name).await.unwrap();
    assert_eq!(upload.upload_id().as_deref(), Some("id-1"));
    upload.write(Bytes::from_static(b"0123456789")).await.unwrap();
    upload.finish().await.unwrap();
    bucket.abort_upload(&name, "id-1").await.unwrap();
    bucket.abort_upload(&name, "id-1").await.unwrap();
    assert_eq!(bucket.uploads_of(&name).await.unwrap(), ["id-2"]);
    assert_eq!(
        stub.lines(),
        [
            "POST /b/p%2Ftopics%2Fx?uploads=",
            "PUT /b/p%2Ftopics%2Fx?partNumber=1&uploadId=id-1",
            "POST /b/p%2Ftopics%2Fx?uploadId=id-1",
            "DELETE /b/p%2Ftopics%2Fx?uploadId=id-1",
            "DELETE /b/p%2Ftopics%2Fx?uploadId=id-1",
            "GET /b?prefix=p%2Ftopics%2Fx&uploads",
        ]
    );
}

#[tokio::test]
async fn reads_listings_and_deletes() {
    let range = stored(206).header("content-range", "bytes 1-3/5").body("123");
    let gone = || Canned::status(404).body("<Error><Code>NoSuchKey</Code></Error>");
    let page = |body: &'static str| Canned::status(200).body(body);
    let first = page(
        "<ListBucketResult><Contents><Key>p/topics/a</Key><Size>3</Size><LastModified>2026-01-01T00:00:00Z</LastModified>\
         </Contents><NextContinuationToken>more</NextContinuationToken></ListBucketResult>",
    );
    let second = page(
        "<ListBucketResult><Contents><Key>p/topics/b</Key><Size>4</Size><LastModified>2026-01-01T00:00:00Z</LastModified>\
         </Contents></ListBucketResult>",
    );
    let no_bucket = Canned::status(404).body("<Error><Code>NoSuchBucket</Code></Error>");
    let stub =
        Stub::start(vec![range, first, second, Canned::status(204), gone(), gone(), gone(), gone(), no_bucket]).await;
    let bucket = bucket(&stub).await;
    let name = ObjectKey::parse("topics/x").unwrap();
    assert_eq!(bucket.get_range(&name, 1..4).await.unwrap().as_ref(), b"123");
    let listed: Vec<_> = bucket.list(&key::all()).try_collect().await.unwrap();
    let listed: Vec<_> = listed.iter().map(|object| (object.key.as_str(), object.size_bytes)).collect();
    assert_eq!(listed, [("topics/a", 3), ("topics/b", 4)]);
    bucket.delete(&name).await.unwrap();
    bucket.delete(&name).await.unwrap();
    assert_eq!(bucket.size(&name).await.unwrap(), None);
    assert_eq!(bucket.get_range(&name, 0..1).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(bucket.get_range(&name, 0..1).await.unwrap_err().kind(), ErrorKind::NoBucket);
    let lines = stub.lines();
    assert_eq!(stub.requests()[0].header("range"), "bytes=1-3");
    assert!(lines[1].contains("prefix=p%2F") && lines[2].contains("continuation-token=more"), "{lines:?}");
    assert!(lines[3].starts_with("DELETE /b/p%2Ftopics%2Fx"), "{lines:?}");
}
