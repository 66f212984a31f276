//! CreateTopics: makes topics, or says which could be made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse, TopicName as WireTopicName};

use super::config_values::source_code;
use super::wire::text;
use crate::broker::{CreatedTopic, NewTopic};
use crate::model::settings::{BrokerSettings, Source, Values};
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::FrontEnd;

/// From this version on a topic is described as it was made.
const DESCRIBED: i16 = 5;
/// From this version on with its id.
const TOPIC_IDS: i16 = 7;
/// Left to the broker.
const DEFAULT: i32 = -1;

/// An error and what is said about it.
type Refusal = (ResponseError, String);

/// Makes topics. Those that are named twice are made never.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let repeated = repeated(request.topics.iter().map(|topic| topic.name.as_str()));
    let mut responses = Vec::with_capacity(request.topics.len());
    let (mut names, mut wanted) = (Vec::new(), Vec::new());
    for topic in request.topics.into_iter().filter(|topic| !repeated.contains(topic.name.as_str())) {
        let name = topic.name.clone();
        match new_topic(topic) {
            Ok(topic) => {
                names.push(name);
                wanted.push(topic);
            }
            Err(refusal) => responses.push(refused(name, refusal)),
        }
    }
    let broker = &call.state().broker;
    let created = broker.create_topics(wanted, request.validate_only).await;
    let settings = broker.settings();
    for (name, created) in names.into_iter().zip(created) {
        responses.push(match created {
            Ok(created) => described(call.version, &settings, name, &created),
            Err(error) => refused(name, (error.kafka(), error.to_string())),
        });
    }
    responses.extend(repeated.into_iter().map(|name| {
        refused(WireTopicName(text(name)), (ResponseError::InvalidRequest, "Duplicate topic name.".to_owned()))
    }));
    CreateTopicsResponse::default().with_topics(responses)
}

/// The names that come more than once.
pub fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).map(str::to_owned).collect()
}

fn new_topic(topic: CreatableTopic) -> Result<NewTopic, Refusal> {
    let nulls: Vec<&str> =
        topic.configs.iter().filter(|config| config.value.is_none()).map(|config| config.name.as_str()).collect();
    if !nulls.is_empty() {
        let message = format!("Null value not supported for topic configs: {}", nulls.join(","));
        return Err((ResponseError::InvalidConfig, message));
    }
    let configs: BTreeMap<String, String> = topic
        .configs
        .iter()
        .filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?.to_string())))
        .collect();
    let brokers = |assignment: &kafka_protocol::messages::create_topics_request::CreatableReplicaAssignment| {
        assignment.broker_ids.iter().map(|broker| broker.0).collect()
    };
    Ok(NewTopic {
        name: topic.name.to_string(),
        partitions: (topic.num_partitions != DEFAULT).then_some(topic.num_partitions),
        replication_factor: (i32::from(topic.replication_factor) != DEFAULT).then_some(topic.replication_factor),
        assignments: topic.assignments.iter().map(|one| (one.partition_index, brokers(one))).collect(),
        configs,
    })
}

fn refused(name: WireTopicName, (error, message): Refusal) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(name)
        .with_error_code(error.code())
        .with_error_message(Some(text(message)))
        .with_configs(Some(Vec::new()))
}

fn described(
    version: i16,
    settings: &BrokerSettings,
    name: WireTopicName,
    created: &CreatedTopic,
) -> CreatableTopicResult {
    let mut response =
        CreatableTopicResult::default().with_name(name).with_error_message(None).with_configs(Some(Vec::new()));
    if version >= TOPIC_IDS {
        response.topic_id = created.id.uuid();
    }
    if version >= DESCRIBED {
        response.num_partitions = created.partitions;
        response.replication_factor = 1;
        response.configs = Some(configs(settings, &created.overrides, created));
    }
    response
}

fn configs(settings: &BrokerSettings, overrides: &Values, created: &CreatedTopic) -> Vec<CreatableTopicConfigs> {
    let resolved = settings.resolve_topic(overrides, &created.config);
    let described = resolved.into_iter().map(|setting| {
        // What was set for the topic is told as it came.
        let as_it_came = overrides.get(setting.name).filter(|_| setting.source == Source::Topic).cloned();
        CreatableTopicConfigs::default()
            .with_name(text(setting.name))
            .with_value(as_it_came.or(setting.value).map(text))
            .with_config_source(source_code(setting.source))
    });
    described.collect()
}
