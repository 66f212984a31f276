//! The bucket is read-committed: what was aborted is not there, what is undecided waits, and readers step over the gaps.

use super::stage::{BASE_MS, Seen, Stage};
use crate::model::{Codec, LeaderEpoch, Offset, ProducerId, TimestampType};
use crate::record::control::{self, Marker, Outcome};
use crate::record::{Attributes, BatchBuilder, BatchSpec, Batches, ValidBatch};

fn of_transaction(producer: i64, sequence: i32, records: i64) -> ValidBatch {
    let mut builder = BatchBuilder::new(BatchSpec {
        producer: Some((ProducerId(producer), 0, sequence)),
        attributes: Attributes::default().transactional(),
        ..BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, Codec::None)
    });
    for number in 0..records {
        let value = format!("of {producer}");
        builder.push(Offset::new(number), BASE_MS, None, Some(value.as_bytes()), std::iter::empty()).unwrap();
    }
    builder.build().unwrap()
}

impl Stage {
    fn end(&self, producer: i64, outcome: Outcome) {
        let marker = Marker { outcome, coordinator_epoch: 0 };
        let producer = (ProducerId(producer), 0);
        self.append(&control::build(Offset::ZERO, LeaderEpoch::ZERO, producer, marker, BASE_MS).unwrap());
    }
}

fn values(seen: &[Seen]) -> Vec<(i64, String)> {
    seen.iter().map(|one| (one.offset, String::from_utf8(one.value.clone().unwrap()).unwrap())).collect()
}

#[tokio::test]
async fn aborted_records_and_markers_are_left_out_and_open_transactions_wait() {
    let stage = Stage::new().await;
    stage.append(&of_transaction(1, 0, 3));
    stage.append(&of_transaction(2, 0, 3));
    stage.end(1, Outcome::Commit);
    stage.log.log.roll().unwrap();
    stage.log.upload_next().await;
    assert_eq!(stage.tiered_to(), 0, "the second is open");
    stage.append(&of_transaction(2, 3, 2));
    stage.end(2, Outcome::Abort);
    stage.append(&of_transaction(1, 3, 2));
    stage.end(1, Outcome::Commit);
    stage.log.log.roll().unwrap();
    stage.upload_all().await;
    assert_eq!((stage.tiered_to(), stage.rows().await.len()), (13, 2));
    stage.drop_local().await;
    let seen = values(&stage.read(0).await);
    let expected = [0, 1, 2, 10, 11].map(|offset| (offset, "of 1".to_owned()));
    assert_eq!(seen, expected);
    for from in 3..=10 {
        assert_eq!(values(&stage.read(from).await), expected[3..], "from the gap at {from}");
    }
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_log_that_holds_nothing_but_aborted_records_is_stepped_over() {
    let stage = Stage::new().await;
    for round in 0..3 {
        stage.append(&of_transaction(1, round * 4, 4));
        stage.end(1, Outcome::Abort);
        stage.log.log.roll().unwrap();
    }
    stage.upload_all().await;
    stage.drop_local().await;
    assert_eq!(stage.log.view().local_start.get(), 15);
    assert_eq!(stage.read(0).await, []);
    // What a client gets is a batch that it skips, never an empty one, and it ends where the gap does.
    let records = stage.log.read_remote(Offset::new(7)).await.unwrap();
    let taken = stage.log.take(&records, Offset::new(7), 1 << 20, true);
    let batch = Batches::new(&taken[0]).next().unwrap().unwrap();
    batch.verify_crc().unwrap();
    let header = batch.header();
    assert!(header.attributes.is_control() && header.record_count == 1 && header.producer_id == ProducerId::NONE);
    assert_eq!((header.base_offset.get(), header.last_offset().get()), (7, 9));
    // Such an object still expires by the timestamps of what it does not hold.
    assert!(
        stage
            .tiers
            .live_segments(stage.tp(), Offset::ZERO, 9)
            .await
            .unwrap()
            .iter()
            .all(|one| { one.record_count == 0 && one.max_timestamp_ms == BASE_MS })
    );
    stage.tiers.close().await;
}

#[tokio::test]
async fn the_brokers_own_timestamps_come_back() {
    let stage = Stage::new().await;
    for at_ms in [BASE_MS, BASE_MS + 7, BASE_MS + 7] {
        let mut builder = BatchBuilder::new(BatchSpec {
            timestamp_type: TimestampType::LogAppendTime,
            ..BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, Codec::None)
        });
        for number in 0..4 {
            builder.push(Offset::new(number), at_ms, None, Some(b"v"), std::iter::empty()).unwrap();
        }
        stage.append(&builder.build().unwrap());
    }
    stage.log.log.roll().unwrap();
    let hot = stage.read(0).await;
    stage.upload_all().await;
    stage.drop_local().await;
    assert_eq!(stage.read(0).await, hot);
    let records = stage.log.read_remote(Offset::ZERO).await.unwrap();
    let taken = stage.log.take(&records, Offset::ZERO, 1 << 20, true);
    for batch in taken.iter().flat_map(|bytes| Batches::new(bytes)) {
        let header = *batch.unwrap().header();
        assert_eq!(header.attributes.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(header.leader_epoch, stage.log.leader_epoch());
    }
    stage.tiers.close().await;
}
