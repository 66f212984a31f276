//! DescribeConfigs: every setting of topics and of the broker, with where its value comes from.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use super::config_values::{BROKER, BROKER_LOGGER, BrokerWords, TOPIC, broker_scope, kind_code, source_code};
use super::wire::{MALFORMED, text};
use crate::broker::BrokerScope;
use crate::model::TopicName;
use crate::model::settings::Resolved;
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::FrontEnd;

/// From this version on settings have kinds and documents.
const DOCUMENTED: i16 = 3;
/// Settings that one answer may hold: those of ten thousand topics.
const SETTINGS_MAX: usize = 500_000;

const WORDS: BrokerWords = BrokerWords {
    what: "Broker id",
    another: |this, asked| format!("Unexpected broker id, expected {this} or empty string, but received {asked}"),
};
const LOGGER_WORDS: BrokerWords = BrokerWords {
    what: "Broker id",
    another: |this, asked| format!("Unexpected broker id, expected {this} but received {asked}"),
};

/// An error and what is said about it.
type Refusal = (ResponseError, String);

/// Describes settings.
pub fn handle(call: &Call<FrontEnd>, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let shape =
        Shape { version: call.version, synonyms: request.include_synonyms, documents: request.include_documentation };
    let mut room = SETTINGS_MAX;
    let results = request.resources.into_iter().map(|resource| {
        let described = settings_of(call.state(), &resource).and_then(|settings| {
            let asked = shape.asked(settings, &resource);
            let left = room.checked_sub(asked.len()).ok_or_else(too_many)?;
            room = left;
            Ok(asked)
        });
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name);
        match described {
            // Kafka's text for "no error".
            Ok(configs) => result.with_error_message(Some(text(""))).with_configs(configs),
            Err((error, message)) => result.with_error_code(error.code()).with_error_message(Some(text(message))),
        }
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn too_many() -> Refusal {
    (ResponseError::InvalidRequest, "one answer cannot hold so many settings: ask for fewer resources".to_owned())
}

fn settings_of(state: &FrontEnd, resource: &DescribeConfigsResource) -> Result<Vec<Resolved>, Refusal> {
    let name = resource.resource_name.as_str();
    let invalid = |message: String| (ResponseError::InvalidRequest, message);
    let settings = state.broker.settings();
    match resource.resource_type {
        TOPIC => {
            TopicName::parse(name).map_err(|bad| (bad.kafka(), format!("Topic name is invalid: {bad}")))?;
            let topics = state.topics();
            let topic = topics.by_name(name).ok_or((ResponseError::UnknownTopicOrPartition, String::new()))?;
            Ok(settings.resolve_topic(&topic.overrides, &topic.config))
        }
        BROKER => match broker_scope(name, state.broker.id(), &WORDS).map_err(invalid)? {
            BrokerScope::This => {
                Ok(settings.resolve_broker().into_iter().map(|setting| known(state, setting)).collect())
            }
            BrokerScope::Every => Ok(settings.resolve_defaults()),
        },
        BROKER_LOGGER => match broker_scope(name, state.broker.id(), &LOGGER_WORDS).map_err(invalid)? {
            BrokerScope::This => Ok(Vec::new()),
            BrokerScope::Every => Err(invalid("Broker id must not be empty".to_owned())),
        },
        _ => Err(invalid(MALFORMED.to_owned())),
    }
}

/// A setting that nobody has set, where the broker knows what follows from the others.
fn known(state: &FrontEnd, mut setting: Resolved) -> Resolved {
    let advertised = || {
        let endpoint = state.broker.advertised();
        format!("PLAINTEXT://{}:{}", endpoint.host, endpoint.port)
    };
    match setting.name {
        "node.id" | "broker.id" => setting.value = Some(state.broker.id().0.to_string()),
        "advertised.listeners" => setting.value = setting.value.or_else(|| Some(advertised())),
        "log.dirs" => {
            let path = state.broker.log_dir().to_string_lossy().into_owned();
            setting.value = setting.value.or(Some(path));
        }
        _ => {}
    }
    setting
}

/// What the answer is to hold.
struct Shape {
    version: i16,
    synonyms: bool,
    documents: bool,
}

impl Shape {
    /// Those settings that were asked for: all, where none is named.
    fn asked(&self, settings: Vec<Resolved>, resource: &DescribeConfigsResource) -> Vec<DescribeConfigsResourceResult> {
        let keys = resource.configuration_keys.as_deref().unwrap_or_default();
        let is_asked = |setting: &Resolved| keys.is_empty() || keys.iter().any(|key| key.as_str() == setting.name);
        settings.into_iter().filter(is_asked).map(|setting| self.described(setting)).collect()
    }

    fn described(&self, setting: Resolved) -> DescribeConfigsResourceResult {
        let mut result = DescribeConfigsResourceResult::default()
            .with_name(text(setting.name))
            .with_value(setting.value.map(text))
            .with_read_only(setting.read_only)
            .with_config_source(source_code(setting.source))
            .with_documentation(None);
        if self.version >= DOCUMENTED {
            result.config_type = kind_code(setting.kind);
            result.documentation = self.documents.then(|| text(setting.doc));
        }
        if self.synonyms {
            let synonyms = setting.synonyms.into_iter().map(|synonym| {
                DescribeConfigsSynonym::default()
                    .with_name(text(synonym.name))
                    .with_value(Some(text(synonym.value)))
                    .with_source(source_code(synonym.source))
            });
            result.synonyms = synonyms.collect();
        }
        result
    }
}
