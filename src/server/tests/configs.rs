//! Settings described and altered over the wire, of topics and of the broker.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use kafka_protocol::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, alter_configs_request,
    incremental_alter_configs_request,
};
use kafka_protocol::protocol::StrBytes;

use super::bench::Bench;
use super::wire::Wire;
use crate::model::settings::TOPIC_SETTINGS;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

async fn describe_in(version: i16, wire: &mut Wire, kind: i8, name: &str, keys: &[&str]) -> DescribeConfigsResult {
    let keys = (!keys.is_empty()).then(|| keys.iter().map(|key| text(key)).collect());
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(keys);
    let request = DescribeConfigsRequest::default()
        .with_resources(vec![resource])
        .with_include_synonyms(true)
        .with_include_documentation(version >= 3);
    wire.call(&request, version).await.results.remove(0)
}

async fn describe(wire: &mut Wire, kind: i8, name: &str, keys: &[&str]) -> DescribeConfigsResult {
    describe_in(4, wire, kind, name, keys).await
}

/// Value and source of one setting.
async fn value(wire: &mut Wire, kind: i8, name: &str, key: &str) -> (String, i8) {
    let described = describe(wire, kind, name, &[key]).await;
    let one = &described.configs[0];
    (one.value.as_ref().unwrap().to_string(), one.config_source)
}

fn sources(config: &DescribeConfigsResourceResult) -> Vec<(String, i8)> {
    config.synonyms.iter().map(|synonym| (synonym.value.as_ref().unwrap().to_string(), synonym.source)).collect()
}

type Change<'a> = (&'a str, i8, Option<&'a str>);

fn resource(kind: i8, name: &str, changes: &[Change<'_>]) -> incremental_alter_configs_request::AlterConfigsResource {
    let change = |(name, operation, value): &Change<'_>| {
        incremental_alter_configs_request::AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    };
    incremental_alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(changes.iter().map(change).collect())
}

/// Code and text of the answer.
async fn change(wire: &mut Wire, kind: i8, name: &str, changes: &[Change<'_>]) -> (i16, Option<String>) {
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource(kind, name, changes)]);
    let response = wire.call(&request, 1).await;
    let one = &response.responses[0];
    assert_eq!((one.resource_type, one.resource_name.as_str()), (kind, name));
    (one.error_code, one.error_message.as_ref().map(|message| message.to_string()))
}

fn refused(error: ResponseError, message: &str) -> (i16, Option<String>) {
    (error.code(), Some(message.to_owned()))
}

const DONE: (i16, Option<String>) = (0, None);

#[tokio::test]
async fn every_setting_of_a_topic_is_described_in_every_version() {
    let bench = Bench::start().await;
    bench.add_topic("set", 2, 1, &[("retention.ms", "5000"), ("cleanup.policy", "compact,delete")]).await;
    let mut wire = bench.connect().await;
    for version in 1..=4 {
        let all = describe_in(version, &mut wire, TOPIC, "set", &[]).await;
        assert_eq!((all.error_code, all.configs.len()), (0, TOPIC_SETTINGS.len()));
        let keys = ["retention.ms", "max.message.bytes", "no.such"];
        let described = describe_in(version, &mut wire, TOPIC, "set", &keys).await;
        let [bytes, retention] = &described.configs[..] else { panic!("two settings are known") };
        assert_eq!((bytes.name.as_str(), bytes.config_source, bytes.read_only), ("max.message.bytes", 5, false));
        assert_eq!(sources(bytes), [("1048588".to_owned(), 5)]);
        assert_eq!((retention.value.as_deref(), retention.config_source), (Some("5000"), 1));
        assert_eq!(sources(retention), [("5000".to_owned(), 1)]);
        if version >= 3 {
            assert_eq!((bytes.config_type, retention.config_type), (3, 5), "int and long");
            assert!(retention.documentation.as_deref().unwrap().contains("segments go"));
        }
    }
    assert_eq!(value(&mut wire, TOPIC, "set", "remote.storage.enable").await, ("false".to_owned(), 5));
    assert_eq!(value(&mut wire, TOPIC, "orders", "remote.storage.enable").await, ("true".to_owned(), 5));
    assert_eq!(value(&mut wire, TOPIC, "orders", "local.retention.ms").await, ("86400000".to_owned(), 5));
    let bare = DescribeConfigsRequest::default().with_resources(vec![
        DescribeConfigsResource::default().with_resource_type(TOPIC).with_resource_name(text("set")),
    ]);
    let bare = wire.call(&bare, 4).await;
    let no_extras =
        |config: &DescribeConfigsResourceResult| config.synonyms.is_empty() && config.documentation.is_none();
    assert!(bare.results[0].configs.iter().all(no_extras));
}

#[tokio::test]
async fn resources_that_are_not_there_get_kafkas_words() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    use ResponseError::*;
    let malformed = "This most likely occurs because of a request being malformed by the client library or the message \
                     was sent to an incompatible broker. See the broker logs for more details.";
    for (kind, name, error, message) in [
        (TOPIC, "nope", UnknownTopicOrPartition, ""),
        (TOPIC, "", InvalidTopicException, "Topic name is invalid: the empty string is not allowed"),
        (BROKER, "9", InvalidRequest, "Unexpected broker id, expected 7 or empty string, but received 9"),
        (BROKER, "x", InvalidRequest, "Broker id must be an integer, but it is: x"),
        (LOGGER, "", InvalidRequest, "Broker id must not be empty"),
        (LOGGER, "9", InvalidRequest, "Unexpected broker id, expected 7 but received 9"),
        (3, "orders", InvalidRequest, malformed),
        (32, "orders", InvalidRequest, malformed),
    ] {
        let described = describe(&mut wire, kind, name, &[]).await;
        let answer = (described.error_code, described.error_message.as_deref().unwrap());
        assert_eq!(answer, (error.code(), message), "{kind} {name}");
        assert!(described.configs.is_empty());
    }
    for (kind, name, error, message) in [
        (TOPIC, "nope", UnknownTopicOrPartition, "The topic 'nope' does not exist."),
        (TOPIC, "", InvalidRequest, "Default topic resources are not allowed."),
        (BROKER, "9", InvalidRequest, "Unexpected broker id, expected 7, but received 9"),
        (BROKER, "x", InvalidRequest, "Node id must be an integer, but it is: x"),
        (LOGGER, "9", InvalidRequest, "Unexpected node id. Expected 7, but received 9"),
        (LOGGER, "7", InvalidConfig, "Logger retention.ms does not exist!"),
        (99, "orders", InvalidRequest, "Unknown resource type 99"),
    ] {
        let answer = change(&mut wire, kind, name, &[("retention.ms", SET, Some("5"))]).await;
        assert_eq!(answer, refused(error, message), "{kind} {name}");
    }
}

#[tokio::test]
async fn single_settings_of_a_topic_are_changed() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    assert_eq!(change(&mut wire, TOPIC, "orders", &[("retention.ms", SET, Some("7777"))]).await, DONE);
    assert_eq!(value(&mut wire, TOPIC, "orders", "retention.ms").await, ("7777".to_owned(), 1));
    let topic = bench.broker.topics().by_name("orders").cloned().unwrap();
    assert_eq!(topic.partitions[1].config().retention.total_ms, Some(7777), "in effect");

    let dry = IncrementalAlterConfigsRequest::default()
        .with_resources(vec![resource(TOPIC, "orders", &[("retention.ms", SET, Some("1"))])])
        .with_validate_only(true);
    assert_eq!(wire.call(&dry, 0).await.responses[0].error_code, 0);
    assert_eq!(value(&mut wire, TOPIC, "orders", "retention.ms").await.0, "7777", "only asked");

    let unset = [("retention.ms", DELETE, None), ("never.heard", DELETE, None)];
    assert_eq!(change(&mut wire, TOPIC, "orders", &unset).await, DONE);
    assert_eq!(value(&mut wire, TOPIC, "orders", "retention.ms").await, ("604800000".to_owned(), 5));

    let policy = [("cleanup.policy", APPEND, Some("compact"))];
    assert_eq!(change(&mut wire, TOPIC, "orders", &policy).await, DONE);
    assert_eq!(value(&mut wire, TOPIC, "orders", "cleanup.policy").await, ("delete,compact".to_owned(), 1));
    assert_eq!(change(&mut wire, TOPIC, "orders", &[("cleanup.policy", SUBTRACT, Some("delete"))]).await, DONE);
    assert_eq!(value(&mut wire, TOPIC, "orders", "cleanup.policy").await.0, "compact");

    use ResponseError::{InvalidConfig, InvalidRequest};
    for (changes, error, message) in [
        (
            &[("retention.ms", SET, Some("x"))] as &[_],
            InvalidConfig,
            "Invalid value x for configuration retention.ms: Not a number of type LONG",
        ),
        (&[("no.such", SET, Some("1"))], InvalidConfig, "Unknown topic config name: no.such"),
        (
            &[("retention.ms", APPEND, Some("1"))],
            InvalidConfig,
            "Can't APPEND to key retention.ms because its type is not LIST.",
        ),
        (&[("retention.ms", SET, None)], InvalidRequest, "Null value not supported for : retention.ms"),
        (
            &[("retention.ms", SET, Some("1")), ("retention.ms", DELETE, None)],
            InvalidRequest,
            "Error due to duplicate config keys",
        ),
        (&[("retention.ms", 9, Some("1"))], InvalidRequest, "Unknown operation type 9"),
    ] {
        assert_eq!(change(&mut wire, TOPIC, "orders", changes).await, refused(error, message));
    }
    let twice = IncrementalAlterConfigsRequest::default().with_resources(vec![
        resource(TOPIC, "orders", &[("segment.ms", SET, Some("60000"))]),
        resource(TOPIC, "orders", &[("segment.ms", SET, Some("70000"))]),
        resource(BROKER, "7", &[]),
    ]);
    let codes: Vec<_> = wire.call(&twice, 1).await.responses.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [InvalidRequest.code(), InvalidRequest.code(), 0]);
}

async fn replace(wire: &mut Wire, version: i16, kind: i8, name: &str, values: &[(&str, Option<&str>)]) -> i16 {
    let config = |(name, value): &(&str, Option<&str>)| {
        alter_configs_request::AlterableConfig::default().with_name(text(name)).with_value(value.map(text))
    };
    let resource = alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(values.iter().map(config).collect());
    let request = AlterConfigsRequest::default().with_resources(vec![resource]);
    wire.call(&request, version).await.responses[0].error_code
}

#[tokio::test]
async fn all_settings_are_replaced_by_the_older_request() {
    let bench = Bench::start().await;
    let mut wire = bench.connect().await;
    for version in 0..=2 {
        let first = [("retention.ms", Some("1000")), ("segment.ms", Some("60000"))];
        assert_eq!(replace(&mut wire, version, TOPIC, "orders", &first).await, 0);
        assert_eq!(value(&mut wire, TOPIC, "orders", "retention.ms").await.1, 1);
        assert_eq!(replace(&mut wire, version, TOPIC, "orders", &[("segment.ms", Some("70000"))]).await, 0);
        assert_eq!(value(&mut wire, TOPIC, "orders", "retention.ms").await, ("604800000".to_owned(), 5));
        assert_eq!(value(&mut wire, TOPIC, "orders", "segment.ms").await, ("70000".to_owned(), 1));
        assert_eq!(replace(&mut wire, version, TOPIC, "orders", &[]).await, 0);
        assert_eq!(value(&mut wire, TOPIC, "orders", "segment.ms").await.1, 5);
    }
    let invalid = ResponseError::InvalidRequest.code();
    assert_eq!(replace(&mut wire, 2, TOPIC, "orders", &[("retention.ms", None)]).await, invalid);
    assert_eq!(replace(&mut wire, 2, LOGGER, "7", &[("a", Some("INFO"))]).await, invalid);
    let bad = replace(&mut wire, 2, TOPIC, "orders", &[("retention.ms", Some("x"))]).await;
    assert_eq!(bad, ResponseError::InvalidConfig.code());
}

#[tokio::test]
async fn settings_of_the_broker_are_described_and_those_that_can_are_changed() {
    let bench = Bench::with_settings(&[("num.partitions", "4"), ("message.max.bytes", "1000000")]).await;
    let mut wire = bench.connect().await;
    assert_eq!(value(&mut wire, BROKER, "7", "num.partitions").await, ("4".to_owned(), 4));
    let all = describe(&mut wire, BROKER, "7", &[]).await;
    let named = |name: &str| all.configs.iter().find(|config| config.name.as_str() == name).unwrap();
    assert!(named("num.partitions").read_only && !named("message.max.bytes").read_only);
    assert_eq!(named("log.retention.ms").value, None, "as Kafka: the hours count");
    assert_eq!(named("log.retention.hours").value.as_deref(), Some("168"));
    assert!(describe(&mut wire, BROKER, "", &[]).await.configs.is_empty());

    assert_eq!(change(&mut wire, BROKER, "", &[("message.max.bytes", SET, Some("3000"))]).await, DONE);
    assert_eq!(value(&mut wire, TOPIC, "orders", "max.message.bytes").await, ("3000".to_owned(), 3));
    assert_eq!(change(&mut wire, BROKER, "7", &[("message.max.bytes", SET, Some("2000"))]).await, DONE);
    let described = describe(&mut wire, BROKER, "7", &["message.max.bytes"]).await;
    let expected = [("2000", 2), ("3000", 3), ("1000000", 4), ("1048588", 5)].map(|(value, at)| (value.to_owned(), at));
    assert_eq!(sources(&described.configs[0]), expected);
    assert_eq!(value(&mut wire, TOPIC, "orders", "max.message.bytes").await, ("2000".to_owned(), 2));
    let topic = bench.broker.topics().by_name("orders").cloned().unwrap();
    assert_eq!(topic.partitions[0].config().message.max_bytes, 2000, "in effect");
    assert_eq!(value(&mut wire, BROKER, "", "message.max.bytes").await, ("3000".to_owned(), 3));
    assert_eq!(replace(&mut wire, 2, BROKER, "7", &[]).await, 0);
    assert_eq!(value(&mut wire, TOPIC, "orders", "max.message.bytes").await, ("3000".to_owned(), 3));

    use ResponseError::{InvalidConfig, InvalidRequest};
    for (changes, error, message) in [
        (
            &[("num.partitions", SET, Some("5")), ("node.id", SET, Some("3"))] as &[_],
            InvalidRequest,
            "Cannot update these configs dynamically: [node.id, num.partitions]",
        ),
        (
            &[("message.max.bytes", SET, Some("x"))],
            InvalidRequest,
            "Invalid value x for configuration message.max.bytes: Not a number of type INT",
        ),
        (
            &[("message.max.bytes", APPEND, Some("5"))],
            InvalidConfig,
            "Config value append is not allowed for config key: message.max.bytes",
        ),
    ] {
        assert_eq!(change(&mut wire, BROKER, "7", changes).await, refused(error, message));
    }
    bench.add_topic("small", 5, 1, &[("local.retention.ms", "5000")]).await;
    let (code, message) = change(&mut wire, BROKER, "7", &[("log.retention.ms", SET, Some("4000"))]).await;
    assert_eq!(code, InvalidRequest.code());
    assert!(message.unwrap().contains("topic 'small'"), "no topic is left with settings that contradict each other");
}
