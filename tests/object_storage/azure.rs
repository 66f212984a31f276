//! Azure Blob Storage's dialect, request by request, against a server that only replays. What Azure itself answers
//! was not tried.

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use tidelog::clock::SystemClock;
use tidelog::disk::RealDisk;
use tidelog::object_storage::options::AzureOptions;
use tidelog::object_storage::{Bucket, BucketOptions, ControlError, ErrorKind, Expect, ObjectKey, key};

use crate::stub::{Canned, Stub};

async fn bucket(stub: &Stub) -> Bucket {
    let azure = AzureOptions {
        endpoint: Some(format!("http://{}", stub.address)),
        account: Some("acc".to_owned()),
        access_key: Some("c2VjcmV0".to_owned()),
    };
    let mut options = BucketOptions { azure, ..BucketOptions::default() };
    options.retry.pause_first = Duration::from_millis(1);
    Bucket::open("az://c/p", options, RealDisk::shared(), SystemClock::shared()).await.unwrap()
}

fn stored(status: u16, etag: &str) -> Canned {
    Canned::status(status).header("etag", etag).header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")
}

#[tokio::test]
async fn control_files_are_held_by_their_etag() {
    let exists = Canned::status(409).header("x-ms-error-code", "BlobAlreadyExists");
    let other = Canned::status(412).header("x-ms-error-code", "ConditionNotMet");
    let stub =
        Stub::start(vec![stored(201, "0x1"), stored(200, "0x1").body("one"), stored(201, "0x2"), exists, other]).await;
    let bucket = bucket(&stub).await;
    let name = key::cluster();
    let first = bucket.write_control(&name, Bytes::from_static(b"one"), Expect::Absent).await.unwrap();
    assert_eq!(bucket.read_control(&name).await.unwrap(), Some((Bytes::from_static(b"one"), first.clone())));
    bucket.write_control(&name, Bytes::from_static(b"two"), Expect::Version(first.clone())).await.unwrap();
    for expect in [Expect::Absent, Expect::Version(first)] {
        let refused = bucket.write_control(&name, Bytes::from_static(b"three"), expect).await;
        assert!(matches!(refused, Err(ControlError::Conflict(_))), "{refused:?}");
    }
    let asked = stub.requests();
    let conditions: Vec<_> =
        asked.iter().map(|asked| (asked.header("if-none-match"), asked.header("if-match"))).collect();
    assert_eq!(conditions, [("*", ""), ("", ""), ("", "0x1"), ("*", ""), ("", "0x1")]);
    assert_eq!(asked[0].line, "PUT /c/p/_tidelog/cluster.json");
    assert!(asked[0].header("authorization").starts_with("SharedKey acc:"));
}

/// Blocks have no upload to belong to: there is no id to note, and ending an upload asks for nothing.
#[tokio::test]
async fn uploads_are_blocks_without_an_id() {
    // The end is done, its answer lost; the second try finds no blocks any more.
    let lost = Canned::status(500).header("x-ms-error-code", "InternalError");
    let no_blocks = Canned::status(400).body("<Error><Code>InvalidBlockList</Code><Message>invalid</Message></Error>");
    let head = stored(200, "0x1").header("content-length", "10");
    let stub = Stub::start(vec![Canned::status(201), lost, no_blocks, head]).await;
    let bucket = bucket(&stub).await;
    let name = ObjectKey::parse("topics/x").unwrap();
    let mut upload = bucket.begin_upload(&name).await.unwrap();
    assert_eq!(upload.upload_id(), None);
    upload.write(Bytes::from_static(b"0123456789")).await.unwrap();
    let uploaded = upload.finish().await;
    let lines = stub.lines();
    assert!(lines[0].starts_with("PUT /c/p/topics/x?comp=block&blockid="), "{lines:?}");
    assert_eq!(
        lines[1..],
        ["PUT /c/p/topics/x?comp=blocklist", "PUT /c/p/topics/x?comp=blocklist", "HEAD /c/p/topics/x"]
    );
    assert_eq!(uploaded.unwrap().size_bytes, 10);
    bucket.abort_upload(&name, "").await.unwrap();
    assert_eq!(stub.requests().len(), 4);
}

#[tokio::test]
async fn reads_listings_and_deletes() {
    let range = stored(206, "0x1").header("content-range", "bytes 1-3/5").body("123");
    let page = Canned::status(200).body(
        "<EnumerationResults><Blobs><Blob><Name>p/topics/a</Name><Properties><Last-Modified>Thu, 01 Jan 2026 00:00:00 GMT\
         </Last-Modified><Content-Length>3</Content-Length><Content-Type>x</Content-Type><Etag>0x1</Etag></Properties></Blob>\
         </Blobs><NextMarker/></EnumerationResults>",
    );
    let gone = || Canned::status(404).header("x-ms-error-code", "BlobNotFound");
    let no_container = || Canned::status(404).header("x-ms-error-code", "ContainerNotFound");
    let answers = vec![range, page, Canned::status(202), gone(), gone(), gone(), no_container(), no_container()];
    let stub = Stub::start(answers).await;
    let bucket = bucket(&stub).await;
    let name = ObjectKey::parse("topics/x").unwrap();
    assert_eq!(bucket.get_range(&name, 1..4).await.unwrap().as_ref(), b"123");
    let listed: Vec<_> = bucket.list(&key::all()).try_collect().await.unwrap();
    assert_eq!(
        listed.iter().map(|object| (object.key.as_str(), object.size_bytes)).collect::<Vec<_>>(),
        [("topics/a", 3)]
    );
    bucket.delete(&name).await.unwrap();
    bucket.delete(&name).await.unwrap();
    assert_eq!(bucket.size(&name).await.unwrap(), None);
    assert_eq!(bucket.size(&name).await.unwrap_err().kind(), ErrorKind::NoBucket);
    assert_eq!(bucket.delete(&name).await.unwrap_err().kind(), ErrorKind::NoBucket);
    let asked = stub.requests();
    assert_eq!(asked[2].line, "DELETE /c/p/topics/x");
    assert!(asked[2].header("authorization").starts_with("SharedKey acc:"), "{:?}", asked[2]);
}
