//! Who is who: Metadata and its kin, in every version.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_producers_request::TopicRequest as ProducersOf;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::{
    DescribeClusterRequest, DescribeProducersRequest, DescribeTopicPartitionsRequest, FindCoordinatorRequest,
    MetadataRequest, OffsetForLeaderEpochRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::bench::{Bench, batch, id_of, produce, topic};

fn named(name: &str) -> MetadataRequestTopic {
    MetadataRequestTopic::default().with_name(Some(topic(name)))
}

#[tokio::test]
async fn metadata_names_broker_topics_and_leaders() {
    let bench = Bench::with_settings(&[("auto.create.topics.enable", "false")]).await;
    let mut wire = bench.connect().await;
    for version in 0..=13 {
        let everything = MetadataRequest::default().with_topics((version == 0).then(Vec::new));
        let response = wire.call(&everything, version).await;
        let broker = &response.brokers[0];
        assert_eq!((broker.node_id.0, broker.host.as_str(), broker.port), (7, "broker.example", 9092));
        let orders = &response.topics[0];
        assert_eq!(orders.name.as_ref().unwrap().as_str(), "orders");
        assert_eq!(orders.topic_id, if version >= 10 { id_of(1) } else { uuid::Uuid::nil() });
        assert_eq!(orders.partitions.len(), 2);
        let partition = &orders.partitions[1];
        assert_eq!((partition.partition_index, partition.leader_id.0, partition.isr_nodes.len()), (1, 7, 1));
        assert_eq!(partition.leader_epoch, if version >= 7 { 1 } else { -1 });

        let asked = MetadataRequest::default()
            .with_topics(Some(vec![named("orders"), named("nope"), named("not/good")]))
            .with_allow_auto_topic_creation(version < 4);
        let codes: Vec<_> = wire.call(&asked, version).await.topics.iter().map(|topic| topic.error_code).collect();
        let (unknown, invalid) = (ResponseError::UnknownTopicOrPartition, ResponseError::InvalidTopicException);
        assert_eq!(codes, [0, unknown.code(), invalid.code()], "version {version}");
        if version > 0 {
            let none = MetadataRequest::default().with_topics(Some(Vec::new()));
            assert!(wire.call(&none, version).await.topics.is_empty());
        }
    }
    let by_id = |id| {
        let asked = MetadataRequestTopic::default().with_name(None).with_topic_id(id_of(id));
        MetadataRequest::default().with_topics(Some(vec![asked])).with_include_topic_authorized_operations(true)
    };
    let found = wire.call(&by_id(1), 12).await;
    assert_eq!(found.topics[0].name.as_ref().unwrap().as_str(), "orders");
    assert_eq!(found.topics[0].topic_authorized_operations, 3576, "as Kafka without an authorizer");
    let missing = wire.call(&by_id(9), 12).await;
    assert_eq!((missing.topics[0].error_code, missing.topics[0].topic_id), (100, id_of(9)));
}

#[tokio::test]
async fn this_broker_coordinates_groups_and_no_transactions() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    for version in 0..=6 {
        for kind in 0..=1 {
            let key = StrBytes::from_static_str("g");
            let mut request = FindCoordinatorRequest::default();
            if version >= 4 {
                request.coordinator_keys = vec![key];
            } else {
                request.key = key;
            }
            if version >= 1 {
                request.key_type = kind;
            }
            let response = wire.call(&request, version).await;
            let answer = match response.coordinators.first() {
                Some(one) => (one.error_code, one.node_id.0, one.port),
                None => (response.error_code, response.node_id.0, response.port),
            };
            let expected = if kind == 0 || version == 0 { (0, 7, 9092) } else { (53, -1, -1) };
            assert_eq!(answer, expected, "kind {kind} in version {version}");
        }
    }
}

#[tokio::test]
async fn the_cluster_is_this_broker() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    for version in 0..=2 {
        let request = DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
        let response = wire.call(&request, version).await;
        assert_eq!((response.error_code, response.brokers[0].broker_id.0), (0, 7));
        assert_eq!(response.cluster_authorized_operations, 8096, "as Kafka without an authorizer");
    }
    let controllers = wire.call(&DescribeClusterRequest::default().with_endpoint_type(2), 1).await;
    assert_eq!(controllers.error_code, ResponseError::MismatchedEndpointType.code());
}

#[tokio::test]
async fn ends_of_epochs_are_told() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    wire.call(&produce(-1, 9, batch(&["a", "b"])), 9).await;
    for version in 2..=4 {
        for (epoch, expected) in [(1, (0, 1, 2)), (0, (0, 0, 0)), (2, (0, -1, -1))] {
            let partition = OffsetForLeaderPartition::default().with_partition(0).with_leader_epoch(epoch);
            let asked = OffsetForLeaderTopic::default().with_topic(topic("orders")).with_partitions(vec![partition]);
            let response = wire.call(&OffsetForLeaderEpochRequest::default().with_topics(vec![asked]), version).await;
            let end = &response.topics[0].partitions[0];
            assert_eq!((end.error_code, end.leader_epoch, end.end_offset), expected, "epoch {epoch}");
        }
    }
}

#[tokio::test]
async fn producers_and_partitions_are_described() {
    let bench = Bench::start().await;
    bench.add_topic("aaa", 2, 3, &[]).await;
    let mut wire = bench.connect().await;
    let asked = ProducersOf::default().with_name(topic("orders")).with_partition_indexes(vec![0, 9]);
    let response = wire.call(&DescribeProducersRequest::default().with_topics(vec![asked]), 0).await;
    let codes: Vec<_> = response.topics[0].partitions.iter().map(|partition| partition.error_code).collect();
    assert_eq!(codes, [0, ResponseError::UnknownTopicOrPartition.code()]);

    let mut seen = Vec::new();
    let mut request = DescribeTopicPartitionsRequest::default().with_response_partition_limit(2);
    loop {
        let page = wire.call(&request, 0).await;
        for topic in &page.topics {
            let name = topic.name.as_ref().unwrap().to_string();
            seen.extend(topic.partitions.iter().map(|partition| (name.clone(), partition.partition_index)));
        }
        let Some(cursor) = page.next_cursor else { break };
        let cursor = Cursor::default().with_topic_name(cursor.topic_name).with_partition_index(cursor.partition_index);
        request.cursor = Some(cursor);
    }
    let expected = [("aaa", 0), ("aaa", 1), ("aaa", 2), ("orders", 0), ("orders", 1)];
    assert_eq!(seen, expected.map(|(name, partition)| (name.to_owned(), partition)));
    let missing = TopicRequest::default().with_name(topic("nope"));
    let page = wire.call(&DescribeTopicPartitionsRequest::default().with_topics(vec![missing]), 0).await;
    assert_eq!(page.topics[0].error_code, ResponseError::UnknownTopicOrPartition.code());
}
