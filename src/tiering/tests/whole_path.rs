//! A record's way into the bucket and back.

use super::stage::{Stage, config};
use crate::model::Offset;
use crate::object_storage::Operation;
use crate::tiering::TieringOptions;

#[tokio::test]
async fn what_was_uploaded_and_dropped_reads_as_it_did() {
    let stage = Stage::new().await;
    for _ in 0..4 {
        stage.segment();
    }
    stage.produce(5);
    let hot = stage.read(0).await;
    assert_eq!(hot.len(), 125);
    stage.upload_all().await;
    assert_eq!(stage.tiered_to(), 120);
    assert_eq!(stage.rows().await.len(), 4);
    assert_eq!(stage.drop_local().await, 4);
    assert_eq!(stage.log.view().local_start.get(), 120);
    assert_eq!(stage.read(0).await, hot);
    for from in [1, 9, 10, 29, 30, 31, 77, 119, 120, 124] {
        assert_eq!(stage.read(from).await, hot[usize::try_from(from).unwrap()..], "from {from}");
    }
    let topic = stage.control(&format!("_tidelog/topics/{}.json", stage.id)).unwrap();
    assert_eq!((topic["name"].as_str(), topic["deleted"].as_bool()), (Some("orders"), Some(false)));
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_cold_read_is_one_get_with_a_warm_footer_and_none_with_a_warm_cache() {
    let stage = Stage::new().await;
    stage.segment();
    stage.segment();
    stage.upload_all().await;
    stage.drop_local().await;
    let gets = || stage.tiers.bucket().counts().of(Operation::Read).requests;
    let before = gets();
    stage.log.read_remote(Offset::new(15)).await.unwrap();
    assert_eq!(gets() - before, 2, "footer and row group");
    let warm = gets();
    stage.log.read_remote(Offset::new(3)).await.unwrap();
    assert!(stage.log.read_cached(Offset::new(29)).is_some());
    assert_eq!(gets(), warm, "the same row group");
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_replay_of_more_than_the_cache_holds_fetches_each_row_group_once() {
    let segments = 24;
    let groups_held = 6;
    let probe = Stage::new().await;
    probe.segment();
    probe.upload_all().await;
    probe.drop_local().await;
    probe.read(0).await;
    probe.tiers.reader.settle();
    let group_bytes = probe.tiers.reader.weight();
    probe.tiers.close().await;

    let options = TieringOptions { cache_bytes: group_bytes * groups_held, ..TieringOptions::default() };
    let stage = Stage::with(config(), options).await;
    for _ in 0..segments {
        stage.segment();
    }
    stage.upload_all().await;
    stage.drop_local().await;
    let before = stage.tiers.bucket().counts().of(Operation::Read).requests;
    for segment in 0..segments {
        // A client takes a row group in several answers.
        for _ in 0..10 {
            let from = Offset::new(segment * 30);
            if stage.log.read_cached(from).is_none() {
                stage.log.read_remote(from).await.unwrap();
            }
            stage.tiers.reader.settle();
        }
    }
    let gets = stage.tiers.bucket().counts().of(Operation::Read).requests - before;
    assert_eq!(gets, 2 * u64::try_from(segments).unwrap(), "a footer and a row group of each");
    stage.tiers.close().await;
}
