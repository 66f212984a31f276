//! Topics made, grown and deleted over the wire, in every version, with Kafka's words.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest, MetadataResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::model::limits::AUTO_CREATED_PER_REQUEST_MAX;

use super::bench::{Bench, id_of, topic};
use super::wire::Wire;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn wanted(name: &str, partitions: i32, factor: i16) -> CreatableTopic {
    CreatableTopic::default().with_name(topic(name)).with_num_partitions(partitions).with_replication_factor(factor)
}

fn with_configs(name: &str, configs: &[(&str, Option<&str>)]) -> CreatableTopic {
    let config = |(name, value): &(&str, Option<&str>)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(value.map(text))
    };
    wanted(name, 1, 1).with_configs(configs.iter().map(config).collect())
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let one = |(partition, brokers): &(i32, &[i32])| {
        CreatableReplicaAssignment::default()
            .with_partition_index(*partition)
            .with_broker_ids(brokers.iter().map(|broker| BrokerId(*broker)).collect())
    };
    wanted(name, -1, -1).with_assignments(assignments.iter().map(one).collect())
}

fn create(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(10_000)
}

/// Code and text of the only answer.
async fn refusal(wire: &mut Wire, topic: CreatableTopic) -> (Option<ResponseError>, String) {
    let response = wire.call(&create(vec![topic]).with_validate_only(true), 7).await;
    let one = &response.topics[0];
    (ResponseError::try_from_code(one.error_code), one.error_message.as_deref().unwrap_or_default().to_owned())
}

fn value<'a>(result: &'a CreatableTopicResult, name: &str) -> (Option<&'a str>, i8) {
    let config = result.configs.as_ref().unwrap().iter().find(|config| config.name.as_str() == name).unwrap();
    (config.value.as_deref(), config.config_source)
}

#[tokio::test]
async fn topics_are_made_in_every_version_and_described_as_they_were_made() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    for version in 2..=7 {
        let name = format!("made-{version}");
        let request = create(vec![with_configs(&name, &[("retention.ms", Some(" 1000 "))]).with_num_partitions(3)]);
        let dry = wire.call(&request.clone().with_validate_only(true), version).await;
        assert_eq!(dry.topics[0].error_code, 0, "version {version}");
        assert!(bench.broker.topics().by_name(&name).is_none(), "only asked");
        let response = wire.call(&request, version).await;
        let result = &response.topics[0];
        assert_eq!((result.error_code, result.error_message.as_deref()), (0, None), "version {version}");
        let made = bench.broker.topics().by_name(&name).cloned().unwrap();
        assert_eq!(made.partitions.len(), 3);
        if version >= 5 {
            assert_eq!((result.num_partitions, result.replication_factor), (3, 1));
            assert_eq!(value(result, "retention.ms"), (Some(" 1000 "), 1), "as it came");
            assert_eq!(value(result, "segment.bytes"), (Some("1073741824"), 5));
            assert_eq!(value(result, "remote.storage.enable"), (Some("true"), 5));
        }
        assert_eq!(result.topic_id, if version >= 7 { made.id.uuid() } else { Uuid::nil() });
        let again = wire.call(&request, version).await;
        assert_eq!(again.topics[0].error_code, ResponseError::TopicAlreadyExists.code());
        assert_eq!(again.topics[0].error_message.as_deref(), Some(format!("Topic '{name}' already exists.").as_str()));
    }
    let defaults = wire.call(&create(vec![wanted("defaults", -1, -1)]), 7).await;
    assert_eq!((defaults.topics[0].num_partitions, defaults.topics[0].replication_factor), (1, 1));
}

/// A topic, and how it is refused.
type Refusal = (CreatableTopic, ResponseError, &'static str);

fn bad_counts_and_settings() -> Vec<Refusal> {
    use ResponseError::*;
    let unable = "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because \
                  only 1 broker(s) are registered or some brokers have all their log directories cordoned.";
    let positive = "Number of partitions was set to an invalid non-positive value.";
    let factor = "Replication factor must be larger than 0, or -1 to use the default value.";
    vec![
        (wanted("x_y", 1, 1), InvalidTopicException, "Topic 'x_y' collides with existing topic: x.y"),
        (wanted("a", 0, 1), InvalidPartitions, positive),
        (wanted("a", -2, 3), InvalidPartitions, positive),
        (wanted("a", 0, 0), InvalidReplicationFactor, factor),
        (wanted("a", 1, 3), InvalidReplicationFactor, unable),
        (wanted("a", 10_001, 1), PolicyViolation, "Excessively large number of partitions per request."),
        (with_configs("a", &[("no.such", Some("1"))]), InvalidConfig, "Unknown topic config name: no.such"),
        (
            with_configs("a", &[("retention.ms", None), ("segment.ms", None)]),
            InvalidConfig,
            "Null value not supported for topic configs: retention.ms,segment.ms",
        ),
        (
            with_configs("a", &[("segment.bytes", Some("100"))]),
            InvalidConfig,
            "Invalid value 100 for configuration segment.bytes: Value must be at least 1048576",
        ),
    ]
}

fn bad_assignments() -> Vec<Refusal> {
    use ResponseError::*;
    vec![
        (
            assigned("a", &[(0, &[7]), (2, &[7])]),
            InvalidReplicaAssignment,
            "partitions should be a consecutive 0-based integer sequence",
        ),
        (
            assigned("a", &[(0, &[7]), (0, &[7])]),
            InvalidReplicaAssignment,
            "Found multiple manual partition assignments for partition 0",
        ),
        (
            assigned("a", &[(0, &[9])]),
            InvalidReplicaAssignment,
            "The manual partition assignment includes broker 9, but no such broker is registered.",
        ),
        (
            assigned("a", &[(0, &[7, 7])]),
            InvalidReplicaAssignment,
            "The manual partition assignment includes the broker 7 more than once.",
        ),
        (
            assigned("a", &[(0, &[])]),
            InvalidReplicaAssignment,
            "The manual partition assignment includes an empty replica list.",
        ),
        (
            assigned("a", &[(0, &[7])]).with_replication_factor(1),
            InvalidRequest,
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        ),
        (
            assigned("a", &[(0, &[7])]).with_num_partitions(1),
            InvalidRequest,
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        ),
        (
            wanted("__cluster_metadata", 1, 1),
            InvalidRequest,
            "Creation of internal topic __cluster_metadata is prohibited.",
        ),
    ]
}

#[tokio::test]
async fn what_kafka_refuses_to_make_is_refused_in_its_words() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    use ResponseError::*;
    let longest = "a".repeat(249);
    for name in ["ok", longest.as_str(), "__consumer_offsets"] {
        assert_eq!(refusal(&mut wire, wanted(name, 1, 1)).await.0, None, "{name}");
    }
    let longer = "a".repeat(250);
    for (name, reason) in [
        ("", "the empty string is not allowed".to_owned()),
        ("..", "'..' is not allowed".to_owned()),
        ("a/b", "'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'".to_owned()),
        (longer.as_str(), format!("the length of '{longer}' is longer than the max allowed length 249")),
    ] {
        let expected = (Some(InvalidTopicException), format!("Topic name is invalid: {reason}"));
        assert_eq!(refusal(&mut wire, wanted(name, 1, 1)).await, expected);
    }
    bench.add_topic("x.y", 2, 1, &[]).await;
    for (topic, error, message) in bad_counts_and_settings().into_iter().chain(bad_assignments()) {
        assert_eq!(refusal(&mut wire, topic).await, (Some(error), message.to_owned()));
    }
    assert_eq!(refusal(&mut wire, assigned("a", &[(1, &[7]), (0, &[7])])).await.0, None);
}

#[tokio::test]
async fn topics_of_one_request_are_judged_together() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    let answers = async |wire: &mut Wire, request: CreateTopicsRequest| {
        let mut topics = wire.call(&request, 7).await.topics;
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        topics.into_iter().map(|topic| (topic.name.to_string(), topic.error_code)).collect::<Vec<_>>()
    };
    let twice = create(vec![wanted("twice", 1, 1), wanted("once", 1, 1), wanted("twice", 1, 1)]);
    let expected = [("once".to_owned(), 0), ("twice".to_owned(), ResponseError::InvalidRequest.code())];
    assert_eq!(answers(&mut wire, twice).await, expected);
    assert!(bench.broker.topics().by_name("twice").is_none());
    let many = create(vec![wanted("m1", 6000, 1), wanted("m2", 6000, 1)]);
    let policy = ResponseError::PolicyViolation.code();
    assert_eq!(answers(&mut wire, many).await, [("m1".to_owned(), policy), ("m2".to_owned(), policy)]);
    assert!(wire.call(&create(Vec::new()), 7).await.topics.is_empty());
}

fn grown(name: &str, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsTopic {
    let one = |brokers: &&[i32]| {
        let brokers = brokers.iter().map(|broker| BrokerId(*broker)).collect();
        CreatePartitionsAssignment::default().with_broker_ids(brokers)
    };
    let assignments = assignments.map(|assignments| assignments.iter().map(one).collect());
    CreatePartitionsTopic::default().with_name(topic(name)).with_count(count).with_assignments(assignments)
}

fn grow(topics: Vec<CreatePartitionsTopic>) -> CreatePartitionsRequest {
    CreatePartitionsRequest::default().with_topics(topics).with_timeout_ms(10_000)
}

#[tokio::test]
async fn partitions_are_added_in_every_version_and_never_taken_away() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    for version in 0..=3 {
        let count = 3 + i32::from(version);
        let request = grow(vec![grown("orders", count, None)]);
        let dry = wire.call(&request.clone().with_validate_only(true), version).await;
        assert_eq!((dry.results[0].error_code, dry.results[0].error_message.as_deref()), (0, None));
        let response = wire.call(&request, version).await;
        assert_eq!((response.results.len(), response.results[0].error_code), (1, 0), "version {version}");
        let have = bench.broker.topics().by_name("orders").unwrap().partitions.len();
        assert_eq!(i32::try_from(have).unwrap(), count);
    }
    use ResponseError::*;
    for (topic, error, message) in [
        (grown("orders", 6, None), InvalidPartitions, Some("Topic already has 6 partition(s).")),
        (
            grown("orders", -1, None),
            InvalidPartitions,
            Some("The topic orders currently has 6 partition(s); -1 would not be an increase."),
        ),
        (grown("nope", 6, None), UnknownTopicOrPartition, None),
        (grown("a/b", 6, None), UnknownTopicOrPartition, None),
        (grown("orders", i32::MAX, None), PolicyViolation, Some("Excessively large number of partitions per request.")),
        (
            grown("orders", 8, Some(&[&[7]])),
            InvalidReplicaAssignment,
            Some("Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."),
        ),
        (
            grown("orders", 7, Some(&[&[1]])),
            InvalidReplicaAssignment,
            Some("The manual partition assignment includes broker 1, but no such broker is registered."),
        ),
    ] {
        let response = wire.call(&grow(vec![topic]), 3).await;
        let one = &response.results[0];
        assert_eq!((one.error_code, one.error_message.as_deref()), (error.code(), message));
    }
    let assigned = wire.call(&grow(vec![grown("orders", 7, Some(&[&[7]]))]), 3).await;
    assert_eq!(assigned.results[0].error_code, 0);
    let twice = wire.call(&grow(vec![grown("orders", 8, None), grown("orders", 9, None)]), 3).await;
    assert_eq!((twice.results.len(), twice.results[0].error_code), (1, InvalidRequest.code()));
}

fn delete(version: i16, topics: &[(Option<&str>, Uuid)]) -> DeleteTopicsRequest {
    let request = DeleteTopicsRequest::default().with_timeout_ms(10_000);
    if version < 6 {
        return request.with_topic_names(topics.iter().map(|(name, _)| topic(name.unwrap())).collect());
    }
    let state =
        |(name, id): &(Option<&str>, Uuid)| DeleteTopicState::default().with_name(name.map(topic)).with_topic_id(*id);
    request.with_topics(topics.iter().map(state).collect())
}

/// Name, id and code of each answer, sorted.
async fn deleted(wire: &mut Wire, version: i16, topics: &[(Option<&str>, Uuid)]) -> Vec<(String, Uuid, i16)> {
    let response = wire.call(&delete(version, topics), version).await;
    let name = |name: Option<TopicName>| name.map_or("-".to_owned(), |name| name.to_string());
    let mut answers: Vec<_> =
        response.responses.into_iter().map(|one| (name(one.name), one.topic_id, one.error_code)).collect();
    answers.sort();
    answers
}

#[tokio::test]
async fn topics_are_deleted_by_name_or_id_and_named_once() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    let nil = Uuid::nil();
    let (unknown, invalid) = (ResponseError::UnknownTopicOrPartition.code(), ResponseError::InvalidRequest.code());
    for version in 1..=6 {
        let number = 50 + u128::try_from(version).unwrap();
        bench.add_topic("doomed", number, 1, &[]).await;
        let answers = deleted(&mut wire, version, &[(Some("doomed"), nil), (Some("nope"), nil)]).await;
        let id = if version >= 6 { id_of(number) } else { nil };
        assert_eq!(answers, [("doomed".to_owned(), id, 0), ("nope".to_owned(), nil, unknown)], "version {version}");
        assert!(bench.broker.topics().by_name("doomed").is_none());
    }
    for (name, id) in [("a", 2), ("b", 3), ("c", 4)] {
        bench.add_topic(name, id, 1, &[]).await;
    }
    assert_eq!(deleted(&mut wire, 6, &[(None, id_of(2))]).await, [("a".to_owned(), id_of(2), 0)]);
    let gone = ResponseError::UnknownTopicId.code();
    assert_eq!(deleted(&mut wire, 6, &[(None, id_of(2))]).await, [("-".to_owned(), id_of(2), gone)]);
    assert_eq!(deleted(&mut wire, 6, &[(None, nil)]).await, [("-".to_owned(), nil, invalid)]);
    assert_eq!(deleted(&mut wire, 6, &[(Some("b"), id_of(3))]).await, [("b".to_owned(), id_of(3), invalid)]);
    assert_eq!(deleted(&mut wire, 6, &[(Some("b"), nil), (Some("b"), nil)]).await, [("b".to_owned(), nil, invalid)]);
    let both = deleted(&mut wire, 6, &[(Some("b"), nil), (None, id_of(3)), (None, id_of(4)), (None, id_of(4))]).await;
    assert_eq!(both, [("-".to_owned(), id_of(4), invalid), ("b".to_owned(), id_of(3), invalid)]);
    assert_eq!(bench.broker.topics().len(), 3, "what is named twice stays");
}

#[tokio::test]
async fn a_broker_that_deletes_nothing_says_so() {
    let bench = Bench::with_settings(&[("delete.topic.enable", "false")]).await;
    let mut wire = bench.connect().await;
    for version in 1..=6 {
        let disabled = if version >= 3 { ResponseError::TopicDeletionDisabled } else { ResponseError::InvalidRequest };
        let answers = deleted(&mut wire, version, &[(Some("orders"), Uuid::nil())]).await;
        assert_eq!(answers, [("orders".to_owned(), Uuid::nil(), disabled.code())]);
    }
}

async fn metadata(wire: &mut Wire, version: i16, names: &[&str], create: bool) -> MetadataResponse {
    let named = |name: &&str| MetadataRequestTopic::default().with_name(Some(topic(name)));
    let request = MetadataRequest::default()
        .with_topics(Some(names.iter().map(named).collect()))
        .with_allow_auto_topic_creation(version < 4 || create);
    wire.call(&request, version).await
}

#[tokio::test]
async fn metadata_makes_topics_where_broker_and_client_want_that() {
    let bench = Bench::with_settings(&[("num.partitions", "3")]).await;
    let mut wire = bench.connect().await;
    for version in 0..=13 {
        let name = format!("auto-{version}");
        if version >= 4 {
            let kept = metadata(&mut wire, version, &[&name], false).await;
            assert_eq!(kept.topics[0].error_code, ResponseError::UnknownTopicOrPartition.code());
        }
        let made = metadata(&mut wire, version, &[&name, "a/b", &name, "__consumer_offsets"], true).await;
        let answers: Vec<_> = made.topics.iter().map(|topic| (topic.error_code, topic.partitions.len())).collect();
        assert_eq!(answers, [(0, 3), (17, 0), (3, 0)], "version {version}");
    }
    bench.add_topic("x.y", 90, 1, &[]).await;
    let collides = metadata(&mut wire, 9, &["x_y"], true).await;
    assert_eq!(collides.topics[0].error_code, ResponseError::UnknownTopicOrPartition.code(), "as Kafka");

    let strict = Bench::with_settings(&[("auto.create.topics.enable", "false")]).await;
    let answer = metadata(&mut strict.connect().await, 9, &["auto"], true).await;
    assert_eq!(answer.topics[0].error_code, ResponseError::UnknownTopicOrPartition.code());
}

/// The topic lock is free between two of them, and what one request leaves the next one makes.
#[tokio::test]
async fn one_request_makes_no_more_than_its_share_of_missing_topics() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    let before = bench.broker.topics().iter().count();
    let mut names = vec!["a/b".to_owned()];
    names.extend((0..AUTO_CREATED_PER_REQUEST_MAX + 3).map(|number| format!("auto-{number}")));
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for missing in [3, 0] {
        let made = metadata(&mut wire, 9, &names, true).await;
        let unknown = ResponseError::UnknownTopicOrPartition.code();
        assert_eq!(made.topics.iter().filter(|topic| topic.error_code == unknown).count(), missing);
    }
    assert_eq!(bench.broker.topics().iter().count() - before, names.len() - 1);
}

#[tokio::test]
async fn topics_named_as_a_version_cannot_are_refused() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    let by_id = |name: Option<&str>, id| {
        let topic = MetadataRequestTopic::default().with_name(name.map(topic)).with_topic_id(id);
        MetadataRequest::default().with_topics(Some(vec![topic]))
    };
    for (version, request) in
        [(10, by_id(Some("orders"), id_of(1))), (11, by_id(None, id_of(1))), (12, by_id(None, Uuid::nil()))]
    {
        let response = wire.call(&request, version).await;
        let invalid = ResponseError::InvalidRequest.code();
        assert_eq!((response.brokers.len(), response.topics[0].error_code), (0, invalid), "version {version}");
    }
    let wrong_name = wire.call(&by_id(Some("another"), id_of(1)), 12).await;
    assert_eq!(wrong_name.topics[0].name.as_ref().unwrap().as_str(), "orders", "the id counts");
}
