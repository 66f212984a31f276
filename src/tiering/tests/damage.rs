//! Objects that are truncated, flipped, replaced or missing: a clear error that names the object, never a wrong record and
//! never "not in the log".

use std::sync::Arc;

use bytes::Bytes;

use super::stage::Stage;
use crate::model::Offset;
use crate::object_storage::{Effect, Fault, ObjectKey, Operation};
use crate::tiering::RemoteReadError;
use crate::tiering::remote_segment::RemoteSegment;

/// Two objects of thirty records each, nothing of them on local disk; and the key and bytes of the first.
async fn stage() -> (Stage, ObjectKey, Bytes) {
    let stage = Stage::new().await;
    stage.segment();
    stage.segment();
    stage.upload_all().await;
    stage.drop_local().await;
    let (key, bytes) = stage.store.objects().into_iter().find(|(key, _)| key.starts_with("topics/")).unwrap();
    (stage, ObjectKey::parse(&key).unwrap(), bytes)
}

async fn read(stage: &Stage, from: i64) -> Result<usize, RemoteReadError> {
    let records = stage.log.read_remote(Offset::new(from)).await.map_err(|error| match error {
        RemoteReadError::Lasting { error, .. } => *error,
        error => error,
    })?;
    Ok(stage.log.take(&records, Offset::new(from), usize::MAX, true).len())
}

#[tokio::test]
async fn a_bit_that_is_flipped_anywhere_is_seen() {
    let (stage, key, good) = stage().await;
    let expected = stage.read(0).await;
    let row = stage.catalog.live_segments(stage.tp(), Offset::ZERO, 1).await.unwrap().remove(0);
    assert_eq!(row.head.object_key, key.as_str());
    let first = Arc::new(RemoteSegment::of_row(&row).unwrap());
    let footer = stage.tiers.reader.footer(&stage.tiers.threads, &first).await.unwrap();
    let is_read = |at: usize| {
        at + footer.footer_bytes() >= good.len()
            || footer.row_groups().iter().any(|group| group.bytes.contains(&(at as u64)))
    };
    for at in (0..good.len()).step_by(37) {
        let mut bytes = good.to_vec();
        bytes[at] ^= 1 << (at % 8);
        stage.store.overwrite(&key, Bytes::from(bytes));
        stage.tiers.reader.forget_all();
        match read(&stage, 0).await {
            // A byte that no consumer reads: the partition column, a bloom filter, an index for engines.
            Ok(_) => assert!(!is_read(at) && stage.read(0).await == expected, "byte {at}"),
            Err(error) => {
                assert!(is_read(at), "byte {at}: {error}");
                assert!(matches!(error, RemoteReadError::Damaged { .. }), "byte {at}: {error}");
                assert!(error.to_string().contains(key.as_str()), "{error}");
                assert!(!error.is_transient());
            }
        }
        assert!(read(&stage, 30).await.is_ok(), "the next object is not concerned");
    }
    stage.store.overwrite(&key, good);
    stage.tiers.reader.forget_all();
    assert_eq!(stage.read(0).await, expected);
    stage.tiers.close().await;
}

#[tokio::test]
async fn an_object_that_is_cut_replaced_or_missing_is_named() {
    let (stage, key, good) = stage().await;
    let expected = stage.read(0).await;
    let other = stage.store.objects().into_iter().filter(|(key, _)| key.starts_with("topics/")).nth(1).unwrap().1;
    for bytes in [Bytes::new(), good.slice(..good.len() / 2), good.slice(..good.len() - 1), other, Bytes::from("no")] {
        let length = bytes.len();
        stage.store.overwrite(&key, bytes);
        stage.tiers.reader.forget_all();
        let error = read(&stage, 0).await.unwrap_err();
        assert!(error.to_string().contains(key.as_str()), "{length} bytes: {error}");
        assert!(!error.is_transient(), "{error}");
    }
    stage.store.overwrite(&key, good.clone());
    stage.tiers.bucket().delete(&key).await.unwrap();
    stage.tiers.reader.forget_all();
    let error = read(&stage, 0).await.unwrap_err();
    assert!(matches!(error, RemoteReadError::Missing { .. }), "{error}");
    assert!(error.to_string().contains(key.as_str()));
    assert!(read(&stage, 30).await.is_ok());
    // Put back, it is read again: nothing was written down against it.
    stage.store.overwrite(&key, good);
    assert_eq!(stage.read(0).await, expected);
    stage.tiers.close().await;
}

#[tokio::test]
async fn what_a_line_garbles_once_is_fetched_again() {
    let (stage, ..) = stage().await;
    for effect in [Effect::FlipBit(100), Effect::FlipBit(3)] {
        stage.tiers.reader.forget_all();
        stage.plan.add(Fault::new(effect).on(Operation::Read).times(1));
        assert!(read(&stage, 0).await.is_ok());
    }
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_row_that_was_loaded_before_its_object_went_is_loaded_again() {
    let (stage, ..) = stage().await;
    assert!(read(&stage, 0).await.is_ok());
    // Another object takes the place of the first, as a rewrite does, behind this view's back.
    let old = stage.catalog.live_segments(stage.tp(), Offset::ZERO, 1).await.unwrap().remove(0);
    let old_key = ObjectKey::parse(&old.head.object_key).unwrap();
    let mut new = old.head.clone();
    (new.id, new.generation) = (ulid::Ulid(99), 1);
    new.leader_epoch = stage.log.leader_epoch();
    new.object_key = old.head.object_key.replace(&old.head.id.to_string(), &new.id.to_string());
    let bytes = stage.store.objects().into_iter().find(|(key, _)| *key == old.head.object_key).unwrap().1;
    stage.store.overwrite(&ObjectKey::parse(&new.object_key).unwrap(), bytes);
    stage.catalog.insert_rewrite(vec![new.clone()]).await.unwrap();
    stage.catalog.replace_segments(vec![old.head.id], vec![(new, old.content)]).await.unwrap();
    stage.tiers.bucket().delete(&old_key).await.unwrap();
    stage.tiers.reader.forget_all();
    assert!(read(&stage, 5).await.is_ok(), "the view still named the old object");
    stage.tiers.close().await;
}

#[tokio::test]
async fn what_a_search_by_timestamp_meets_is_told_as_what_a_fetch_meets() {
    let (stage, key, good) = stage().await;
    let at = stage.catalog.live_segments(stage.tp(), Offset::ZERO, 1).await.unwrap()[0].content.min_timestamp_ms + 1;
    let search = async || {
        stage.tiers.reader.forget_all();
        stage.log.first_record_at(at).await
    };
    let found = search().await.unwrap();
    for effect in [Effect::FlipBit(3), Effect::FlipBit(100)] {
        // The footer, and then the timestamps, each garbled once on the way.
        stage.tiers.reader.forget_all();
        let fault = Fault::new(effect).on(Operation::Read).times(1);
        if stage.log.read_remote(Offset::new(30)).await.is_ok() {
            stage.plan.add(fault);
        }
        assert_eq!(stage.log.first_record_at(at).await.unwrap(), found);
    }
    stage.store.overwrite(&key, good.iter().map(|byte| byte ^ 1).collect());
    for reads in 1..=4 {
        let error = search().await.unwrap_err();
        assert_eq!(matches!(error, RemoteReadError::Lasting { .. }), reads >= 3, "{reads}: {error}");
        let known = stage.log.status().damaged;
        assert!(known.len() == 1 && known[0].contains(key.as_str()), "{known:?}");
    }
    stage.store.overwrite(&key, good.clone());
    assert_eq!(search().await.unwrap(), found);
    assert!(stage.log.status().damaged.is_empty(), "it was put back");
    stage.store.overwrite(&key, good.slice(..10));
    search().await.unwrap_err();
    assert_eq!(stage.log.status().damaged.len(), 1);
    // What has expired since its row was asked for is no damage.
    stage.log.advance_log_start(Offset::new(30)).await.unwrap();
    assert!(stage.log.status().damaged.is_empty(), "the log begins behind it");
    stage.tiers.close().await;
}
