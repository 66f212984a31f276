//! Produce, Fetch and ListOffsets over a socket and real logs, in every version.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    FetchRequest, FetchResponse, ListOffsetsRequest, ProduceRequest, ProduceResponse, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;

use super::bench::{Bench, batch, fetch, produce, topic};
use crate::model::{Codec, LeaderEpoch, Offset, ProducerId};
use crate::record::{BatchBuilder, BatchSpec, Batches};

fn only(response: &ProduceResponse) -> &PartitionProduceResponse {
    assert_eq!((response.responses.len(), response.responses[0].partition_responses.len()), (1, 1));
    &response.responses[0].partition_responses[0]
}

/// The values of all records in an answer, in order, with their offsets.
fn values(response: &FetchResponse) -> Vec<(i64, String)> {
    let mut values = Vec::new();
    for partition in response.responses.iter().flat_map(|topic| &topic.partitions) {
        for batch in Batches::new(partition.records.as_deref().unwrap_or_default()) {
            for record in &batch.unwrap().records().unwrap() {
                let record = record.unwrap();
                values.push((record.offset.get(), String::from_utf8(record.value.unwrap().to_vec()).unwrap()));
            }
        }
    }
    values
}

#[tokio::test]
async fn what_is_produced_in_any_version_is_fetched_in_any_version() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    for (at, version) in (3..=13).enumerate() {
        for (acks, extra) in [(1, 0), (-1, 1)] {
            let response = wire.call(&produce(acks, version, batch(&[&format!("v{version}a{acks}")])), version).await;
            let partition = only(&response);
            assert_eq!((partition.error_code, partition.log_append_time_ms), (0, -1), "version {version}");
            assert_eq!(partition.base_offset, i64::try_from(2 * at + extra).unwrap());
        }
    }
    let expected: Vec<_> =
        (0..).zip((3..=13).flat_map(|version| [format!("v{version}a1"), format!("v{version}a-1")])).collect();
    for version in 4..=18 {
        let response = wire.call(&fetch(version, &[(0, 0)], 0), version).await;
        assert_eq!(values(&response), expected, "version {version}");
        let partition = &response.responses[0].partitions[0];
        assert_eq!((partition.error_code, partition.high_watermark, partition.last_stable_offset), (0, 22, 22));
        assert_eq!(partition.aborted_transactions, None);
    }
}

#[tokio::test]
async fn pipelined_appends_keep_their_order_and_silence_is_kept() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    for number in 0..100 {
        wire.send(&produce(if number % 3 == 2 { 0 } else { -1 }, 9, batch(&[&number.to_string()])), 9).await;
    }
    for number in (0..100).filter(|number| number % 3 != 2) {
        let response = wire.receive::<ProduceRequest>(9, 99 - number).await;
        assert_eq!(only(&response).base_offset, i64::from(number));
    }
    let all = wire.call(&fetch(12, &[(0, 0)], 0), 12).await;
    assert_eq!(values(&all), (0..100).map(|number| (number, number.to_string())).collect::<Vec<_>>());
}

#[tokio::test]
async fn bad_batches_are_refused_with_kafkas_codes() {
    let bench = Bench::start().await;
    bench.add_topic("small", 2, 1, &[("max.message.bytes", "200")]).await;
    let mut wire = bench.connect().await;
    let mut damaged = batch(&["x"]).to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let two = [batch(&["x"]), batch(&["y"])].concat();
    for (bytes, error) in [
        (Bytes::from(damaged), ResponseError::CorruptMessage),
        (Bytes::from(two), ResponseError::InvalidRecord),
        (Bytes::new(), ResponseError::InvalidRecord),
    ] {
        let response = wire.call(&produce(-1, 9, bytes), 9).await;
        assert_eq!(only(&response).error_code, error.code());
        assert_eq!(only(&response).base_offset, -1);
    }
    let mut elsewhere = produce(-1, 9, batch(&["x"]));
    elsewhere.topic_data[0].partition_data[0].index = 2;
    assert_eq!(only(&wire.call(&elsewhere, 9).await).error_code, ResponseError::UnknownTopicOrPartition.code());
    elsewhere.topic_data[0].name = topic("small");
    elsewhere.topic_data[0].partition_data[0].index = 0;
    elsewhere.topic_data[0].partition_data[0].records = Some(batch(&[&"x".repeat(200)]));
    assert_eq!(only(&wire.call(&elsewhere, 9).await).error_code, ResponseError::MessageTooLarge.code());
    let odd_acks = wire.call(&produce(2, 9, batch(&["x"])), 9).await;
    assert_eq!(only(&odd_acks).error_code, ResponseError::InvalidRequiredAcks.code());
    let mut unknown_id = produce(-1, 13, batch(&["x"]));
    unknown_id.topic_data[0].topic_id = uuid::Uuid::from_u128(99);
    assert_eq!(only(&wire.call(&unknown_id, 13).await).error_code, ResponseError::UnknownTopicId.code());

    wire.send(&produce(0, 9, Bytes::new()), 9).await;
    assert!(wire.receive_frame().await.is_none(), "silence cannot say what is wrong, so the connection is closed");
}

#[tokio::test]
async fn a_fetch_at_the_tail_waits_for_records_and_ends_with_its_client() {
    let bench = Bench::start().await;
    let (mut consumer, mut producer) = (bench.connect().await, bench.connect().await);
    let forever = i32::MAX;
    consumer.send(&fetch(12, &[(1, 0), (0, 0)], forever), 12).await;
    producer.call(&produce(-1, 9, batch(&["late"])), 9).await;
    let response = consumer.receive::<FetchRequest>(12, 0).await;
    assert_eq!(values(&response), [(0, "late".to_owned())]);

    let immediately = consumer.call(&fetch(12, &[(0, 1)], 1), 12).await;
    assert!(values(&immediately).is_empty());
    consumer.send(&fetch(12, &[(0, 1)], forever), 12).await;
    let missing = producer.call(&fetch(12, &[(5, 0)], forever), 12).await;
    assert_eq!(
        missing.responses[0].partitions[0].error_code,
        ResponseError::UnknownTopicOrPartition.code(),
        "errors do not wait"
    );
    let beyond = producer.call(&fetch(12, &[(0, 99)], forever), 12).await;
    assert_eq!(beyond.responses[0].partitions[0].error_code, ResponseError::OffsetOutOfRange.code());
}

#[tokio::test]
async fn one_budget_of_bytes_and_one_batch_at_least() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    let one = batch(&[&"x".repeat(1000)]);
    for _ in 0..3 {
        wire.call(&produce(-1, 9, one.clone()), 9).await;
    }
    let mut second = produce(-1, 9, one.clone());
    second.topic_data[0].partition_data[0].index = 1;
    wire.call(&second, 9).await;
    let lengths = |response: &FetchResponse| -> Vec<usize> {
        let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
        partitions.map(|partition| partition.records.as_ref().map_or(0, Bytes::len)).collect()
    };
    let tiny = wire.call(&fetch(12, &[(1, 0), (0, 0)], 0).with_max_bytes(1), 12).await;
    assert_eq!(lengths(&tiny), [one.len(), 0], "one batch, once a request");
    let all = wire.call(&fetch(12, &[(1, 0), (0, 0)], 0).with_max_bytes(i32::MAX), 12).await;
    assert_eq!(lengths(&all), [one.len(), 3 * one.len()]);
    let two_batches = i32::try_from(2 * one.len()).unwrap();
    let bounded = wire.call(&fetch(12, &[(1, 0), (0, 0)], 0).with_max_bytes(two_batches), 12).await;
    assert_eq!(lengths(&bounded), [one.len(), one.len()]);
}

#[tokio::test]
async fn epochs_that_part_are_told() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    wire.call(&produce(-1, 9, batch(&["a", "b"])), 9).await;
    let mut asked = fetch(12, &[(0, 2)], 0);
    let code = |response: &FetchResponse| response.responses[0].partitions[0].error_code;
    asked.topics[0].partitions[0].current_leader_epoch = 0;
    assert_eq!(code(&wire.call(&asked, 12).await), ResponseError::FencedLeaderEpoch.code());
    asked.topics[0].partitions[0].current_leader_epoch = 2;
    assert_eq!(code(&wire.call(&asked, 12).await), ResponseError::UnknownLeaderEpoch.code());
    asked.topics[0].partitions[0].current_leader_epoch = 1;
    asked.topics[0].partitions[0].last_fetched_epoch = 0;
    let diverging = wire.call(&asked, 12).await;
    assert_eq!(code(&diverging), 0);
    assert_eq!(diverging.responses[0].partitions[0].diverging_epoch.end_offset, 0);
    asked.topics[0].partitions[0].last_fetched_epoch = 1;
    asked.topics[0].partitions[0].fetch_offset = 9;
    let beyond = wire.call(&asked, 12).await;
    let partition = &beyond.responses[0].partitions[0];
    assert_eq!((code(&beyond), partition.diverging_epoch.epoch, partition.diverging_epoch.end_offset), (0, 1, 2));
    assert_eq!(partition.high_watermark, 2, "where the logs part is told, not that the offset is too far");
}

#[tokio::test]
async fn a_fetch_session_goes_on_over_the_wire() {
    let bench = Bench::start().await;
    let (mut wire, mut producer) = (bench.connect().await, bench.connect().await);
    producer.call(&produce(-1, 9, batch(&["a"])), 9).await;
    let first = wire.call(&fetch(13, &[(0, 0), (1, 0)], 0).with_session_epoch(0), 13).await;
    assert!(first.session_id > 0 && values(&first).len() == 1);
    let moved = fetch(13, &[(0, 1)], i32::MAX).with_session_id(first.session_id).with_session_epoch(1);
    wire.send(&moved, 13).await;
    producer.call(&produce(-1, 9, batch(&["b"])), 9).await;
    let second = wire.receive::<FetchRequest>(13, 0).await;
    assert_eq!((values(&second), second.responses[0].partitions.len()), (vec![(1, "b".to_owned())], 1));
    let stale = wire.call(&moved, 13).await;
    assert_eq!(stale.error_code, ResponseError::InvalidFetchSessionEpoch.code());
}

#[tokio::test]
async fn offsets_are_listed_in_every_version_that_knows_them() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    wire.call(&produce(-1, 9, batch(&["a", "b", "c"])), 9).await;
    let unsupported = (ResponseError::UnsupportedVersion.code(), -1, -1);
    for version in 1..=10 {
        let since = |from: i16, found: (i16, i64, i64)| if version >= from { found } else { unsupported };
        for (timestamp, expected) in [
            (-1, (0, 3, -1)),
            (-2, (0, 0, -1)),
            (-3, since(7, (0, 2, 1_700_000_000_002))),
            (-4, since(8, (0, 0, -1))),
            (-5, since(9, (0, -1, -1))),
            (-6, unsupported),
            (1_700_000_000_001, (0, 1, 1_700_000_000_001)),
            (0, (0, 0, 1_700_000_000_000)),
            (1_800_000_000_000, (0, -1, -1)),
        ] {
            let partition = ListOffsetsPartition::default().with_partition_index(0).with_timestamp(timestamp);
            let asked = ListOffsetsTopic::default().with_name(topic("orders")).with_partitions(vec![partition]);
            let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![asked]);
            let response = wire.call(&request, version).await;
            let found = &response.topics[0].partitions[0];
            assert_eq!((found.error_code, found.offset, found.timestamp), expected, "{timestamp} in version {version}");
            let has_epoch = version >= 4 && found.offset >= 0;
            assert_eq!(found.leader_epoch, if has_epoch { 1 } else { -1 }, "{timestamp} in version {version}");
        }
    }
}

/// An idempotent producer's batch of one record.
fn idempotent(epoch: i16, sequence: i32) -> Bytes {
    let producer = Some((ProducerId(4000), epoch, sequence));
    let spec = BatchSpec { producer, ..BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, Codec::None) };
    let mut builder = BatchBuilder::new(spec);
    builder.push(Offset::ZERO, 1_700_000_000_000, None, Some(b"v"), std::iter::empty()).unwrap();
    builder.build().unwrap().bytes().clone()
}

#[tokio::test]
async fn producers_are_answered_as_kafka_does() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    for (epoch, sequence, expected) in [
        (0, 0, (0, 0, -1, 0)),
        (0, 0, (0, 0, 1_700_000_000_000, 0)),
        (0, 9, (ResponseError::OutOfOrderSequenceNumber.code(), -1, -1, 0)),
        (0, 1, (0, 1, -1, 0)),
        (2, 1, (ResponseError::OutOfOrderSequenceNumber.code(), -1, -1, 0)),
        (2, 0, (0, 2, -1, 0)),
        (1, 0, (ResponseError::InvalidProducerEpoch.code(), -1, -1, 0)),
    ] {
        let response = wire.call(&produce(-1, 9, idempotent(epoch, sequence)), 9).await;
        let one = only(&response);
        let answer = (one.error_code, one.base_offset, one.log_append_time_ms, one.log_start_offset);
        assert_eq!(answer, expected, "epoch {epoch}, sequence {sequence}");
    }
}

#[tokio::test]
async fn partitions_that_are_named_twice_are_answered_once() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    wire.call(&produce(-1, 9, batch(&["a"])), 9).await;
    wire.call(&produce(-1, 9, batch(&["b"])), 9).await;
    let twice = wire.call(&fetch(12, &[(0, 0), (1, 0), (0, 1)], 0), 12).await;
    assert_eq!(values(&twice), [(1, "b".to_owned())], "the last counts");
    assert_eq!(twice.responses[0].partitions.len(), 2);

    let one = |partition, timestamp| {
        ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(timestamp)
    };
    let asked = ListOffsetsTopic::default().with_name(topic("orders")).with_partitions(vec![
        one(0, -1),
        one(1, -1),
        one(0, -2),
    ]);
    let listed = wire.call(&ListOffsetsRequest::default().with_topics(vec![asked]), 7).await;
    let answers: Vec<_> =
        listed.topics[0].partitions.iter().map(|one| (one.partition_index, one.error_code, one.offset)).collect();
    assert_eq!(answers, [(0, ResponseError::InvalidRequest.code(), -1), (1, 0, 0)]);
}

#[tokio::test]
async fn records_are_blamed_one_by_one_and_stamped_by_the_broker() {
    let bench = Bench::start().await;
    bench.add_topic("stamped", 2, 1, &[("message.timestamp.type", "LogAppendTime")]).await;
    bench.add_topic("strict", 3, 1, &[("message.timestamp.before.max.ms", "1000"), ("min.insync.replicas", "2")]).await;
    let mut wire = bench.connect().await;
    let to = |name: &str, acks| {
        let mut request = produce(acks, 9, batch(&["a", "b"]));
        request.topic_data[0].name = topic(name);
        request
    };
    let before_ms = bench.broker.clock().now_ms();
    let stamped = wire.call(&to("stamped", -1), 9).await;
    assert!(only(&stamped).log_append_time_ms >= before_ms);
    for acks in [1, -1] {
        let refused = wire.call(&to("strict", acks), 9).await;
        let one = only(&refused);
        assert_eq!((one.error_code, one.log_start_offset), (ResponseError::InvalidTimestamp.code(), 0));
        let blamed: Vec<_> = one.record_errors.iter().map(|record| record.batch_index).collect();
        assert_eq!(blamed, [0, 1]);
        assert!(one.record_errors[0].batch_index_error_message.as_deref().unwrap().contains("out of range"));
    }
}

#[tokio::test]
async fn a_partition_that_is_written_twice_in_one_request_takes_the_last() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    let mut request = produce(-1, 9, batch(&["a"]));
    let mut second = produce(-1, 9, batch(&["b"])).topic_data.remove(0);
    let third = produce(-1, 9, batch(&["c"])).topic_data.remove(0).partition_data.remove(0);
    second.partition_data.push(third);
    request.topic_data.push(second);
    let response = wire.call(&request, 9).await;
    assert_eq!((only(&response).error_code, only(&response).base_offset), (0, 0));
    assert_eq!(values(&wire.call(&fetch(12, &[(0, 0)], 0), 12).await), [(0, "c".to_owned())]);
    request.topic_data.truncate(1);
    request.topic_data[0].partition_data.clear();
    assert!(wire.call(&request, 9).await.responses.is_empty(), "nothing is asked of the topic");
}

#[tokio::test]
async fn transactions_are_refused_before_anything_is_written() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    let spec = BatchSpec {
        producer: Some((ProducerId(7), 0, 0)),
        ..BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, Codec::None)
    };
    let mut builder = BatchBuilder::new(BatchSpec { attributes: spec.attributes.transactional(), ..spec });
    builder.push(Offset::ZERO, 1_700_000_000_000, None, Some(b"v"), std::iter::empty()).unwrap();
    let transactional = builder.build().unwrap().bytes().clone();
    let refused = wire.call(&produce(-1, 9, transactional.clone()), 9).await;
    let one = only(&refused);
    let code = ResponseError::TransactionalIdAuthorizationFailed.code();
    assert_eq!((one.error_code, one.log_start_offset, one.error_message.clone()), (code, -1, None));
    let mut named = produce(-1, 9, batch(&["a"]));
    named.transactional_id = Some(TransactionalId(StrBytes::from_static_str("t")));
    assert_eq!(only(&wire.call(&named, 9).await).base_offset, 0, "only batches make a transaction");
    let mut silent = wire;
    silent.send(&produce(0, 9, transactional), 9).await;
    assert!(silent.receive_frame().await.is_none(), "who wants no answer is told by the end");
}

#[tokio::test]
async fn what_a_fetch_cannot_mean_is_refused() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    wire.call(&produce(-1, 9, batch(&["a"])), 9).await;
    let invalid = ResponseError::InvalidRequest.code();
    for version in [4, 12, 13] {
        let mut asked = fetch(version, &[(0, 0)], 0);
        asked.isolation_level = 2;
        let refused = wire.call(&asked, version).await;
        assert_eq!(refused.error_code, if version >= 7 { invalid } else { 0 });
        assert_eq!(refused.responses.len(), usize::from(version < 13), "by name each is told");
    }
    let mut asked = fetch(12, &[(0, 0)], 0);
    asked.topics[0].partitions[0].partition_max_bytes = -1;
    assert_eq!(wire.call(&asked, 12).await.responses[0].partitions[0].error_code, invalid);
}

#[tokio::test]
async fn the_times_that_producers_wait_do_not_add_up() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    // Nothing is synced any more, as on a disk that is stuck.
    bench.broker.stop().await;
    let clock = bench.broker.clock();
    let (began, timeout_ms) = (clock.monotonic(), 1_000);
    for _ in 0..5 {
        wire.send(&produce(-1, 9, batch(&["x"])).with_timeout_ms(timeout_ms), 9).await;
    }
    for behind in (0..5).rev() {
        let response = wire.receive::<ProduceRequest>(9, behind).await;
        assert_eq!(only(&response).error_code, ResponseError::RequestTimedOut.code());
    }
    let took = clock.monotonic() - began;
    assert!(took < std::time::Duration::from_secs(3), "{took:?}");
}

/// What no codec makes shorter.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A packed batch of one value, long enough not to be taken for a small one.
fn packed(codec: Codec, value: &str) -> Bytes {
    let value = format!("{value}{LETTERS}");
    let mut builder = BatchBuilder::new(BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, codec));
    builder.push(Offset::ZERO, 1_700_000_000_000, None, Some(value.as_bytes()), std::iter::empty()).unwrap();
    builder.build().unwrap().bytes().clone()
}

#[tokio::test]
async fn batches_that_may_take_long_keep_their_order_and_nobody_elses_thread() {
    let bench = Bench::start().await;
    bench.add_topic("gzip", 2, 1, &[("compression.type", "gzip")]).await;
    let turns = Arc::clone(&bench.shared.state.unfolding);
    let all = u32::try_from(turns.available_permits()).unwrap();
    let taken = Arc::clone(&turns).acquire_many_owned(all).await.unwrap();

    let (mut wire, mut other) = (bench.connect().await, bench.connect().await);
    wire.send(&produce(-1, 9, packed(Codec::Zstd, "first")), 9).await;
    wire.send(&produce(-1, 9, batch(&["second"])), 9).await;
    let mut anew = produce(-1, 9, batch(&[&"x".repeat(100_000)]));
    anew.topic_data[0].name = topic("gzip");
    wire.send(&anew, 9).await;
    wire.send(&produce(0, 9, packed(Codec::Zstd, "silent")), 9).await;
    wire.send(&produce(-1, 9, batch(&["last"])), 9).await;
    let small = other.call(&produce(-1, 9, packed(Codec::None, "beside")), 9).await;
    assert_eq!(only(&small).base_offset, 0, "what takes no time waits for no turn");

    drop(taken);
    for (behind, offset) in [(4, 1), (3, 2), (2, 0), (0, 4)] {
        let response = wire.receive::<ProduceRequest>(9, behind).await;
        assert_eq!((only(&response).error_code, only(&response).base_offset), (0, offset), "{behind} behind");
    }
    let read = values(&other.call(&fetch(12, &[(0, 0)], 0), 12).await);
    let read: Vec<&str> = read.iter().map(|(_, value)| value.trim_end_matches(LETTERS)).collect();
    assert_eq!(read, ["beside", "first", "second", "silent", "last"]);
    assert_eq!(turns.available_permits(), all as usize, "all turns came back");

    let refused = wire.call(&produce(-1, 9, packed(Codec::Zstd, "cut").slice(..100)), 9).await;
    assert_eq!(only(&refused).error_code, ResponseError::InvalidRecord.code());
    let mut damaged = packed(Codec::Zstd, "damaged").to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    wire.send(&produce(0, 9, damaged.into()), 9).await;
    assert!(wire.receive_frame().await.is_none(), "who wants no answer is told by the end, from there too");
}
