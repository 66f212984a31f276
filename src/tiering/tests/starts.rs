//! What a start finds: a log that goes on with the bucket's history, or one that does not.

use std::sync::Arc;

use super::stage::{Stage, batch, config};
use crate::catalog::{NewSegmentRow, SegmentContent};
use crate::log::AppendError;
use crate::model::{Codec, LeaderEpoch, Offset, ProducerId, TopicConfig};
use crate::record::{BatchBuilder, BatchSpec, ValidBatch};
use crate::tiering::TieringOptions;
use crate::tiering::remote_segment::RemoteSegment;

fn of_producer(sequence: i32) -> ValidBatch {
    let mut builder = BatchBuilder::new(BatchSpec {
        producer: Some((ProducerId(5), 0, sequence)),
        ..BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, Codec::None)
    });
    for number in 0..10 {
        builder.push(Offset::new(number), super::stage::BASE_MS, None, Some(b"v"), std::iter::empty()).unwrap();
    }
    builder.build().unwrap()
}

async fn stage() -> Stage {
    let config = TopicConfig { min_insync_replicas: 1, ..config() };
    let options = TieringOptions { orphan_grace: std::time::Duration::ZERO, ..TieringOptions::default() };
    Stage::with(config, options).await
}

#[tokio::test]
async fn a_wiped_disk_begins_where_the_bucket_ends_with_epochs_and_producers() {
    let mut stage = stage().await;
    stage.append(&of_producer(0));
    stage.restart().await;
    stage.append(&of_producer(10));
    stage.log.log.roll().unwrap();
    stage.upload_all().await;
    let expected = stage.read(0).await;
    let epochs = stage.log.log.epochs().entries().to_vec();
    assert_eq!(stage.produce(5).get(), 20, "these are lost with the disk");

    stage.wipe_disk();
    stage.restart().await;
    let log = &stage.log.log;
    assert_eq!((log.local_start_offset().get(), log.log_end_offset().get()), (20, 20));
    assert_eq!(stage.log.view().log_start, Offset::ZERO);
    assert_eq!(stage.read(0).await, expected);
    let known = log.epochs().entries().to_vec();
    assert_eq!(known[..2], epochs[..2], "{known:?}");
    assert_eq!(log.epochs().epoch_at(Offset::new(15)), Some(epochs[1].epoch));
    // The producer is known: what it has sent is not taken twice, and what it did not send is missed.
    let append = |sequence| log.append(&of_producer(sequence), stage.log.leader_epoch(), 0);
    let again = append(10).unwrap();
    assert!(again.duplicate && again.base_offset.get() == 10, "{again:?}");
    assert!(matches!(append(40), Err(AppendError::OutOfOrderSequence { expected: 20, .. })));
    assert_eq!(append(20).unwrap().base_offset.get(), 20);
    stage.show();
    log.roll().unwrap();
    stage.upload_all().await;
    assert_eq!(stage.tiered_to(), 30);
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_log_of_another_lineage_is_set_aside() {
    let mut stage = stage().await;
    stage.segment();
    stage.upload_all().await;
    let expected = stage.read(0).await;
    // A copy of the folder from before, on which another history was written.
    stage.wipe_disk();
    let elsewhere = stage.log_elsewhere();
    for _ in 0..5 {
        elsewhere.append(&batch(10, 0, Codec::None), LeaderEpoch::new(77), 0).unwrap();
    }
    elsewhere.close().unwrap();
    drop(elsewhere);
    stage.restart().await;
    assert_eq!(stage.log.log.log_end_offset().get(), 30, "it begins where the bucket ends");
    assert_eq!(stage.read(0).await, expected);
    let aside = std::fs::read_dir(stage.folder()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(aside.into_iter().any(|name| name.to_string_lossy().contains(".aside-")), "kept under another name");
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_log_that_goes_on_is_left_alone() {
    let mut stage = stage().await;
    stage.segment();
    stage.upload_all().await;
    stage.segment();
    stage.produce(7);
    let expected = stage.read(0).await;
    for _ in 0..3 {
        stage.restart().await;
        assert_eq!(stage.read(0).await, expected);
        assert_eq!(stage.log.log.local_start_offset(), Offset::ZERO);
    }
    stage.drop_local().await;
    stage.restart().await;
    assert_eq!(stage.log.view().local_start.get(), 30);
    assert_eq!(stage.read(0).await, expected);
    stage.tiers.close().await;
}

#[tokio::test]
async fn one_damaged_object_does_not_keep_a_broker_from_starting() {
    let mut stage = stage().await;
    stage.segment();
    stage.upload_all().await;
    let (key, _) = stage.store.objects().into_iter().find(|(key, _)| key.starts_with("topics/")).unwrap();
    stage.store.overwrite(&crate::object_storage::ObjectKey::parse(&key).unwrap(), bytes::Bytes::from_static(b"no"));
    stage.restart().await;
    assert_eq!(stage.read(0).await.len(), 30, "the local copy is still there");
    stage.wipe_disk();
    stage.restart().await;
    assert_eq!(stage.produce(1).get(), 30, "no offset is given twice");
    stage.tiers.close().await;
}

#[tokio::test]
async fn one_row_that_makes_no_sense_does_not_keep_a_broker_from_starting() {
    let mut stage = stage().await;
    stage.segment();
    let row = NewSegmentRow {
        id: ulid::Ulid(1),
        tp: stage.tp(),
        base: Offset::ZERO,
        end: Offset::new(29),
        leader_epoch: stage.log.leader_epoch(),
        generation: 0,
        object_key: "topics/orders/0".to_owned(),
        incarnation: 1,
        start_number: 1,
    };
    stage.catalog.insert_writing(row.clone()).await.unwrap();
    let content = SegmentContent { record_count: 30, row_groups: b"no index".to_vec(), ..SegmentContent::default() };
    stage.catalog.append_segment(row, content).await.unwrap();
    stage.restart().await;
    assert_eq!((stage.read(0).await.len(), stage.tiered_to()), (30, 30), "the local copy is still there");
    stage.wipe_disk();
    stage.restart().await;
    assert_eq!(stage.produce(1).get(), 30, "no offset is given twice");
    stage.tiers.close().await;
}

#[tokio::test]
async fn damaged_producers_in_one_object_do_not_keep_a_broker_from_starting() {
    let mut stage = stage().await;
    stage.append(&of_producer(0));
    stage.log.log.roll().unwrap();
    stage.upload_all().await;
    let expected = stage.read(0).await;
    let row = stage.catalog.last_segment(stage.tp()).await.unwrap().unwrap();
    let newest = Arc::new(RemoteSegment::of_row(&row).unwrap());
    let footer = stage.tiers.reader.footer(&stage.tiers.threads, &newest).await.unwrap();
    let range = footer.producer_snapshot().expect("the producer is in it");
    let objects = stage.store.objects();
    let (_, whole) = objects.into_iter().find(|(key, _)| *key == row.head.object_key).unwrap();
    // The frame's mark, its middle and its checksum.
    for at in [range.start, range.start.midpoint(range.end), range.end - 1] {
        let mut damaged = whole.to_vec();
        damaged[usize::try_from(at).unwrap()] ^= 1;
        stage.store.overwrite(&newest.key, damaged.into());
        stage.wipe_disk();
        stage.restart().await;
        assert_eq!(stage.log.log.log_end_offset().get(), 10, "byte {at}: no offset is given twice");
        assert_eq!(stage.read(0).await, expected, "byte {at}");
        let again = stage.log.log.append(&of_producer(0), stage.log.leader_epoch(), 0).unwrap();
        assert!(!again.duplicate && again.base_offset.get() == 10, "byte {at}: the producer is not known");
    }
    stage.store.overwrite(&newest.key, whole);
    stage.wipe_disk();
    stage.restart().await;
    let again = stage.log.log.append(&of_producer(0), stage.log.leader_epoch(), 0).unwrap();
    assert!(again.duplicate && again.base_offset.get() == 0, "whole, it is known: {again:?}");
    stage.tiers.close().await;
}
