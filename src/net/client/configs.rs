//! Settings of topics, with where each value came from.

use std::time::Duration;

use kafka_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

use super::cluster::{KafkaClient, text};
use super::error::{ClientError, KafkaError};

/// The wire's number for topics.
const TOPIC: i8 = 2;

/// A setting in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// Its value; none where the broker keeps it to itself.
    pub value: Option<String>,
    /// Where it came from.
    pub source: ConfigSource,
}

/// Where a setting's value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// The topic's own.
    Topic,
    /// Set for the broker or the cluster.
    Broker,
    /// Set by nobody.
    Default,
}

impl ConfigSource {
    /// One word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Broker => "broker",
            Self::Default => "default",
        }
    }

    fn of(source: i8) -> Self {
        match source {
            1 => Self::Topic,
            2..=4 => Self::Broker,
            _ => Self::Default,
        }
    }
}

impl KafkaClient {
    /// All settings of a topic.
    pub async fn topic_configs(&self, topic: &str) -> Result<Vec<ConfigEntry>, ClientError> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(topic))
            .with_configuration_keys(None);
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let response = self.ask_any(&request, 4).await?;
        let mut entries = Vec::new();
        for result in response.results {
            KafkaError::check(format!("topic '{topic}'"), result.error_code, result.error_message.as_deref())?;
            entries.extend(result.configs.iter().map(|config| ConfigEntry {
                name: config.name.to_string(),
                value: config.value.as_ref().map(ToString::to_string),
                source: ConfigSource::of(config.config_source),
            }));
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Sets settings of a topic; `None` takes the topic's own value away.
    pub async fn alter_topic_configs(
        &self,
        topic: &str,
        changes: &[(String, Option<String>)],
    ) -> Result<(), ClientError> {
        let configs = changes.iter().map(|(name, value)| {
            let operation = i8::from(value.is_none());
            AlterableConfig::default()
                .with_name(text(name))
                .with_config_operation(operation)
                .with_value(value.as_deref().map(text))
        });
        let resource = AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(topic))
            .with_configs(configs.collect());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        let response = self.ask_controller(&request, 1, Duration::ZERO).await?;
        for result in response.responses {
            KafkaError::check(format!("topic '{topic}'"), result.error_code, result.error_message.as_deref())?;
        }
        Ok(())
    }
}
