//! Uploads: nothing before the end, then all of it; ended by their id; safe to try again.

use std::sync::Arc;

use tidelog::object_storage::{
    Bucket, BucketError, Effect, ErrorKind, Fault, FaultPlan, ObjectKey, Operation, Uploaded,
};

use crate::home::{Home, PART_BYTES, bytes};

fn name(text: &str) -> ObjectKey {
    ObjectKey::parse(&format!("topics/orders/AAAAAAAAAAAAAAAAAAAAAQ/data/0/{text}.parquet")).unwrap()
}

async fn upload(bucket: &Bucket, key: &ObjectKey, content: &bytes::Bytes) -> Result<Uploaded, BucketError> {
    let mut upload = bucket.begin_upload(key).await?;
    // Pieces that do not fall on the parts' ends.
    for at in (0..content.len()).step_by(700_001) {
        upload.write(content.slice(at..content.len().min(at + 700_001))).await?;
    }
    upload.finish().await
}

over_all! {
    async fn nothing_is_there_before_the_end_and_then_all_of_it(home: &Home) {
        let bucket = home.open().await;
        let (key, content) = (name("whole"), bytes(2 * PART_BYTES + 12_345, 1));
        let mut upload = bucket.begin_upload(&key).await.unwrap();
        assert!(upload.upload_id().is_some_and(|id| !id.is_empty()));
        upload.write(content.clone()).await.unwrap();
        assert_eq!(bucket.size(&key).await.unwrap(), None);
        let uploaded = upload.finish().await.unwrap();
        assert_eq!((uploaded.size_bytes, uploaded.parts), (content.len() as u64, 3));
        assert_eq!(bucket.size(&key).await.unwrap(), Some(content.len() as u64));
        let edge = PART_BYTES as u64;
        for range in [0..1, 0..edge, edge - 1..edge + 1, edge..2 * edge + 12_345, 0..2 * edge + 12_345] {
            let read = bucket.get_range(&key, range.clone()).await.unwrap();
            let expected = &content[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
            assert!(read == expected, "{range:?}");
        }
    }

    async fn an_upload_that_nobody_finished_ends_by_its_id(home: &Home) {
        let bucket = home.open().await;
        let key = name("aborted");
        let mut left = bucket.begin_upload(&key).await.unwrap();
        let id = left.upload_id().unwrap();
        left.write(bytes(PART_BYTES + 1, 2)).await.unwrap();
        drop(left);
        bucket.abort_upload(&key, &id).await.unwrap();
        bucket.abort_upload(&key, &id).await.unwrap();
        assert_eq!(bucket.size(&key).await.unwrap(), None);
        // The same key may be used by another attempt; its own id ends only itself.
        let content = bytes(100, 3);
        upload(&bucket, &key, &content).await.unwrap();
        bucket.abort_upload(&key, &id).await.unwrap();
        assert_eq!(bucket.size(&key).await.unwrap(), Some(100));
    }

    async fn uploads_whose_ids_nobody_noted_are_found_by_their_key(home: &Home) {
        let bucket = home.open().await;
        let (key, longer) = (name("begun"), name("begun.not"));
        if home.is_in_process() {
            let refused = bucket.uploads_of(&key).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
            return;
        }
        for seed in 0..2 {
            let mut left = bucket.begin_upload(&key).await.unwrap();
            left.write(bytes(PART_BYTES + 1, seed)).await.unwrap();
        }
        let mut other = bucket.begin_upload(&longer).await.unwrap();
        let content = bytes(PART_BYTES + 1, 5);
        other.write(content.clone()).await.unwrap();
        for id in bucket.uploads_of(&key).await.unwrap() {
            bucket.abort_upload(&key, &id).await.unwrap();
        }
        bucket.delete(&key).await.unwrap();
        assert_eq!(bucket.uploads_of(&key).await.unwrap(), [""; 0]);
        assert_eq!(bucket.size(&key).await.unwrap(), None);
        // One of a key that only begins so goes on.
        other.finish().await.unwrap();
        assert_eq!(bucket.size(&longer).await.unwrap(), Some(content.len() as u64));
    }

    async fn parts_and_ends_without_an_answer_are_sent_again(home: &Home) {
        let plan = FaultPlan::new();
        let bucket = home.open_with(|options| options.faults = Some(Arc::clone(&plan))).await;
        let (key, content) = (name("again"), bytes(PART_BYTES + 500, 4));
        for operation in [Operation::WritePart, Operation::FinishUpload] {
            plan.add(Fault::new(Effect::DoneButFails(ErrorKind::Unavailable)).on(operation).times(1));
            plan.add(Fault::new(Effect::Fail(ErrorKind::TimedOut)).on(operation).times(1));
        }
        let uploaded = upload(&bucket, &key, &content).await.unwrap();
        assert_eq!((uploaded.size_bytes, uploaded.parts), (content.len() as u64, 2));
        assert_eq!(plan.met(), 4);
        assert!(bucket.get_range(&key, 0..content.len() as u64).await.unwrap() == content);
    }
}
