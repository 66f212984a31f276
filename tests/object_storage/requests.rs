//! What goes to S3, request by request: encryption, storage class, checksums, the bucket's rules.

use std::time::Duration;

use bytes::Bytes;
use tidelog::clock::SystemClock;
use tidelog::disk::RealDisk;
use tidelog::object_storage::options::{S3Encryption, S3Options};
use tidelog::object_storage::{Bucket, BucketOptions, Expect, ObjectKey, key};

use crate::in_process;
use crate::stub::{Asked, Canned, Stub};

async fn bucket(stub: &Stub, change: impl FnOnce(&mut S3Options)) -> Bucket {
    let mut options = BucketOptions { s3: in_process::options(stub.address), ..BucketOptions::default() };
    options.retry.pause_first = Duration::from_millis(1);
    change(&mut options.s3);
    Bucket::open("s3://b/p", options, RealDisk::shared(), SystemClock::shared()).await.unwrap()
}

fn begun() -> Canned {
    Canned::status(200).body("<InitiateMultipartUploadResult><UploadId>id-1</UploadId></InitiateMultipartUploadResult>")
}

fn finished() -> Canned {
    Canned::status(200).body("<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>")
}

fn part() -> Canned {
    Canned::status(200).header("etag", "\"part\"")
}

/// One upload and one control file, and what was asked for them.
async fn upload_and_control(change: impl FnOnce(&mut S3Options)) -> Vec<Asked> {
    let stub = Stub::start(vec![begun(), part(), finished(), Canned::status(200).header("etag", "\"c\"")]).await;
    let bucket = bucket(&stub, change).await;
    let mut upload = bucket.begin_upload(&ObjectKey::parse("topics/x").unwrap()).await.unwrap();
    assert_eq!(upload.upload_id().as_deref(), Some("id-1"));
    upload.write(Bytes::from_static(b"0123456789")).await.unwrap();
    upload.finish().await.unwrap();
    bucket.write_control(&key::cluster(), Bytes::from_static(b"{}"), Expect::Absent).await.unwrap();
    stub.requests()
}

#[tokio::test]
async fn parts_carry_a_checksum_unless_told_otherwise() {
    let asked = upload_and_control(|_| {}).await;
    let lines: Vec<_> = asked.iter().map(|asked| asked.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "POST /b/p/topics/x?uploads=",
            "PUT /b/p/topics/x?partNumber=1&uploadId=id-1",
            "POST /b/p/topics/x?uploadId=id-1",
            "PUT /b/p/_tidelog/cluster.json",
        ]
    );
    assert_eq!(asked[0].header("x-amz-checksum-algorithm"), "SHA256");
    assert_eq!(asked[1].header("x-amz-checksum-sha256"), "hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=");
    assert_eq!(asked[1].body.as_ref(), b"0123456789");
    assert_eq!(asked[3].header("if-none-match"), "*");
    for asked in &asked {
        assert!(asked.header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=tidelog/"), "{asked:?}");
        assert_eq!(asked.header("x-amz-storage-class"), "");
        assert_eq!(asked.header("x-amz-server-side-encryption"), "");
    }
    let asked = upload_and_control(|s3| s3.without_checksums = true).await;
    for asked in &asked {
        assert_eq!(asked.header("x-amz-checksum-algorithm"), "");
        assert_eq!(asked.header("x-amz-checksum-sha256"), "");
    }
}

#[tokio::test]
async fn data_objects_have_the_storage_class_and_control_files_do_not() {
    let asked = upload_and_control(|s3| s3.storage_class = Some("STANDARD_IA".to_owned())).await;
    let classes: Vec<_> = asked.iter().map(|asked| asked.header("x-amz-storage-class")).collect();
    assert_eq!(classes, ["STANDARD_IA", "", "", ""]);
    assert!(asked[0].header("authorization").contains("x-amz-storage-class"), "it is signed");
}

#[tokio::test]
async fn encryption_is_asked_for_where_objects_begin() {
    for (encryption, algorithm, key_id) in [
        (S3Encryption::S3, "AES256", ""),
        (S3Encryption::Kms { key_id: None }, "aws:kms", ""),
        (S3Encryption::Kms { key_id: Some("key-1".to_owned()) }, "aws:kms", "key-1"),
    ] {
        let asked = upload_and_control(|s3| s3.encryption = Some(encryption)).await;
        for at in [0, 3] {
            assert_eq!(asked[at].header("x-amz-server-side-encryption"), algorithm);
            assert_eq!(asked[at].header("x-amz-server-side-encryption-aws-kms-key-id"), key_id);
        }
        assert_eq!(asked[1].header("x-amz-server-side-encryption"), "", "S3 refuses it on parts");
    }
}

/// S3 may refuse an upload's end under status 200.
#[tokio::test]
async fn an_end_that_is_refused_with_200_is_tried_again() {
    let busy = Canned::status(200)
        .body("<?xml version=\"1.0\"?>\n\n<Error><Code>InternalError</Code><Message>we</Message></Error>");
    let stub = Stub::start(vec![begun(), part(), busy, finished()]).await;
    let bucket = bucket(&stub, |_| {}).await;
    let mut upload = bucket.begin_upload(&ObjectKey::parse("topics/x").unwrap()).await.unwrap();
    upload.write(Bytes::from_static(b"0")).await.unwrap();
    upload.finish().await.unwrap();
    assert_eq!(stub.requests().len(), 4);
}

#[tokio::test]
async fn a_range_that_is_ignored_is_an_error() {
    let stub = Stub::start(vec![Canned::status(200).header("etag", "\"x\"").body("all of the object")]).await;
    let bucket = bucket(&stub, |_| {}).await;
    let error = bucket.get_range(&ObjectKey::parse("topics/x").unwrap(), 0..3).await.unwrap_err();
    assert_eq!(error.kind(), tidelog::object_storage::ErrorKind::Unsupported, "{error}");
    assert_eq!(stub.requests()[0].header("range"), "bytes=0-2");
}

const LISTED: &str = "<ListBucketResult><Contents><Key>{prefix}control.json</Key><Size>6</Size>\
                      <LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>";

const UPLOADS: &str = "<ListMultipartUploadsResult><Upload><Key>{prefix}</Key>\
                       <UploadId>id-1</UploadId></Upload></ListMultipartUploadsResult>";

/// The warnings of a self-test against a store that does everything right and has these rules.
async fn warnings(rules: Canned) -> Vec<String> {
    let etag = |value: &str| Canned::status(200).header("etag", value);
    let conflict = || Canned::status(412).body("<Error><Code>PreconditionFailed</Code></Error>");
    let gone = || Canned::status(404).body("<Error><Code>NoSuchKey</Code></Error>");
    let deleted = || Canned::status(204);
    let middle = |range: &str, body: &'static str| {
        Canned::status(206).header("content-range", range).header("etag", "\"x\"").body(body)
    };
    let control = vec![etag("\"1\""), conflict(), etag("\"2\""), conflict(), middle("bytes 1-4/6", "econ")];
    let read_and_removed =
        vec![etag("\"2\"").body("second"), Canned::status(200).body(LISTED), deleted(), gone(), gone()];
    let whole = vec![begun(), part(), finished(), middle("bytes 1-8/10", "12345678"), deleted(), gone(), gone()];
    let aborted = vec![begun(), part(), Canned::status(200).body(UPLOADS), deleted(), gone(), gone()];
    let end = vec![Canned::status(200).body("<ListBucketResult></ListBucketResult>"), rules];
    let stub = Stub::start([control, read_and_removed, whole, aborted, end].concat()).await;
    let report = bucket(&stub, |_| {}).await.self_test().await;
    let report = report.unwrap_or_else(|error| panic!("{error}\n{}", stub.lines().join("\n")));
    assert_eq!(stub.lines().last().unwrap(), "GET /b?lifecycle");
    report.warnings
}

#[tokio::test]
async fn the_rules_for_unfinished_uploads_are_looked_at() {
    let rule = "<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/><AbortIncompleteMultipartUpload>\
                <DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>";
    assert_eq!(warnings(Canned::status(200).body(rule)).await, [""; 0]);

    let none = || Canned::status(404).body("<Error><Code>NoSuchLifecycleConfiguration</Code></Error>");
    let said = warnings(none()).await;
    assert!(said[0].contains("add one"), "{said:?}");
    assert_eq!(warnings(none().header("server", "MinIO")).await, [""; 0], "it ends them by itself");
    let said = warnings(Canned::status(200).body("<LifecycleConfiguration></LifecycleConfiguration>")).await;
    assert!(said[0].contains("add one"), "{said:?}");

    let said = warnings(Canned::status(403).body("<Error><Code>AccessDenied</Code></Error>")).await;
    assert!(said[0].contains("cannot tell") && said[0].contains("s3:GetLifecycleConfiguration"), "{said:?}");
    let said = warnings(Canned::status(501).body("<Error><Code>NotImplemented</Code></Error>")).await;
    assert!(said[0].contains("cannot tell") && said[0].contains("NotImplemented"), "{said:?}");
}
