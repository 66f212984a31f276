//! Records deleted, producers given ids, directories described.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::{
    DeleteRecordsRequest, DescribeLogDirsRequest, InitProducerIdRequest, ProducerId, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;

use super::bench::{Bench, batch, fetch, produce, topic};
use super::wire::Wire;

/// Partition, low watermark and code of each answer.
async fn delete(wire: &mut Wire, version: i16, name: &str, offsets: &[(i32, i64)]) -> Vec<(i32, i64, i16)> {
    let one = |(partition, offset): &(i32, i64)| {
        DeleteRecordsPartition::default().with_partition_index(*partition).with_offset(*offset)
    };
    let asked = DeleteRecordsTopic::default().with_name(topic(name)).with_partitions(offsets.iter().map(one).collect());
    let request = DeleteRecordsRequest::default().with_topics(vec![asked]).with_timeout_ms(30_000);
    let response = wire.call(&request, version).await;
    let results = response.topics.iter().flat_map(|topic| &topic.partitions);
    results.map(|one| (one.partition_index, one.low_watermark, one.error_code)).collect()
}

#[tokio::test]
async fn records_are_deleted_up_to_the_high_watermark() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    for _ in 0..5 {
        wire.call(&produce(-1, 9, batch(&["v"])), 9).await;
    }
    for version in 0..=2 {
        let to = i64::from(version) + 1;
        assert_eq!(delete(&mut wire, version, "orders", &[(0, to)]).await, [(0, to, 0)], "version {version}");
    }
    assert_eq!(delete(&mut wire, 2, "orders", &[(0, 1)]).await, [(0, 3, 0)], "it never goes back");
    let beyond = ResponseError::OffsetOutOfRange.code();
    assert_eq!(delete(&mut wire, 2, "orders", &[(0, 6)]).await, [(0, -1, beyond)]);
    assert_eq!(delete(&mut wire, 2, "orders", &[(0, -2)]).await, [(0, -1, beyond)]);
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(delete(&mut wire, 2, "orders", &[(9, 1), (0, 4)]).await, [(9, -1, unknown), (0, 4, 0)]);
    assert_eq!(delete(&mut wire, 2, "nope", &[(0, 1)]).await, [(0, -1, unknown)]);
    assert_eq!(delete(&mut wire, 2, "orders", &[(0, 4), (0, -1)]).await, [(0, 5, 0)], "the last counts");
    assert!(delete(&mut wire, 2, "orders", &[]).await.is_empty());
    assert_eq!(delete(&mut wire, 2, "orders", &[(1, -1)]).await, [(1, 0, 0)], "an empty log");

    let below = wire.call(&fetch(12, &[(0, 4)], 0), 12).await;
    let partition = &below.responses[0].partitions[0];
    assert_eq!((partition.error_code, partition.log_start_offset), (beyond, -1));
    let appended = wire.call(&produce(-1, 9, batch(&["v"])), 9).await;
    let partition = &appended.responses[0].partition_responses[0];
    assert_eq!((partition.base_offset, partition.log_start_offset), (5, 5));

    bench.add_topic("__consumer_offsets", 2, 1, &[]).await;
    let internal = ResponseError::InvalidTopicException.code();
    assert_eq!(delete(&mut wire, 2, "__consumer_offsets", &[(0, 0)]).await, [(0, -1, internal)]);
    bench.add_topic("latest", 3, 1, &[("cleanup.policy", "compact")]).await;
    let policy = ResponseError::PolicyViolation.code();
    assert_eq!(delete(&mut wire, 2, "latest", &[(0, 0)]).await, [(0, -1, policy)]);
}

#[tokio::test]
async fn producers_get_ids_that_nobody_has_and_transactions_are_refused_for_good() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    let mut last = -1;
    for version in 0..=5 {
        let response = wire.call(&InitProducerIdRequest::default().with_transactional_id(None), version).await;
        assert_eq!((response.error_code, response.producer_epoch), (0, 0));
        assert!(response.producer_id.0 > last, "version {version}");
        last = response.producer_id.0;
    }
    let mut ask = async |id: i64, epoch: i16, transactional: Option<&str>| {
        let transactional = transactional.map(|text| TransactionalId(StrBytes::from_string(text.to_owned())));
        let request = InitProducerIdRequest::default()
            .with_transactional_id(transactional)
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(epoch);
        let response = wire.call(&request, 4).await;
        (response.error_code, response.producer_id.0, response.producer_epoch)
    };
    let (code, id, epoch) = ask(last, 7, None).await;
    assert_eq!((code, epoch), (0, 0));
    assert!(id > last, "as Kafka: a producer without transactions begins anew");
    let invalid = (ResponseError::InvalidRequest.code(), -1, -1);
    assert_eq!(ask(5, -1, None).await, invalid);
    assert_eq!(ask(-1, 5, None).await, invalid);
    assert_eq!(ask(-1, -1, Some("")).await, invalid);
    let denied = (ResponseError::TransactionalIdAuthorizationFailed.code(), -1, -1);
    assert_eq!(ask(-1, -1, Some("t")).await, denied);
}

#[tokio::test]
async fn the_directory_is_described_with_what_partitions_take() {
    let bench = Bench::start().await;
    bench.add_topic("other", 2, 1, &[]).await;
    let mut wire = bench.connect().await;
    let sent = batch(&["v"]);
    wire.call(&produce(-1, 9, sent.clone()), 9).await;
    let asked = |name: &str, partitions: &[i32]| {
        DescribableLogDirTopic::default().with_topic(topic(name)).with_partitions(partitions.to_vec())
    };
    for version in 1..=4 {
        let all = wire.call(&DescribeLogDirsRequest::default().with_topics(None), version).await;
        let [dir] = &all.results[..] else { panic!("one directory") };
        assert_eq!((all.error_code, dir.error_code, dir.topics.len()), (0, 0, 2), "version {version}");
        assert!(std::path::Path::new(dir.log_dir.as_str()).is_absolute());
        if version >= 4 {
            assert!(dir.total_bytes > dir.usable_bytes && dir.usable_bytes > 0);
        }
        let topics = vec![asked("orders", &[0, 0, 9]), asked("nope", &[0]), asked("other", &[])];
        let some = wire.call(&DescribeLogDirsRequest::default().with_topics(Some(topics)), version).await;
        let [only] = &some.results[0].topics[..] else { panic!("one topic is there and named with a partition") };
        let [partition] = &only.partitions[..] else { panic!("one partition") };
        let size = i64::try_from(sent.len()).unwrap();
        assert_eq!((partition.partition_index, partition.partition_size, partition.offset_lag), (0, size, 0));
        assert!(!partition.is_future_key);
    }
    bench.broker.log_dir_health().fail("the test says so");
    let failed = wire.call(&DescribeLogDirsRequest::default().with_topics(None), 4).await;
    assert_eq!(failed.results[0].error_code, ResponseError::KafkaStorageError.code());
    assert!(failed.results[0].topics.is_empty());
}
