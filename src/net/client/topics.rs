//! Making, growing and removing topics.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use kafka_protocol::messages::delete_topics_request::DeleteTopicsRequest;

use super::cluster::{KafkaClient, text, topic_name};
use super::error::{ClientError, KafkaError};

/// How long the cluster may take.
const TIMEOUT: Duration = Duration::from_secs(30);
const TIMEOUT_MS: i32 = 30_000;
/// The cluster's own default, for a number of partitions or replicas.
const DEFAULT: i16 = -1;

/// A topic that is wanted.
#[derive(Clone, Debug, Default)]
pub struct WantedTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; the cluster's default where it is not said.
    pub partitions: Option<i32>,
    /// How many replicas; the cluster's default where it is not said.
    pub replication_factor: Option<i16>,
    /// Its settings.
    pub configs: BTreeMap<String, String>,
}

impl KafkaClient {
    /// Makes a topic, or only says whether it could be made.
    pub async fn create_topic(&self, topic: &WantedTopic, validate_only: bool) -> Result<(), ClientError> {
        let configs = topic
            .configs
            .iter()
            .map(|(name, value)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))));
        let wanted = CreatableTopic::default()
            .with_name(topic_name(&topic.name))
            .with_num_partitions(topic.partitions.unwrap_or(DEFAULT.into()))
            .with_replication_factor(topic.replication_factor.unwrap_or(DEFAULT))
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default()
            .with_topics(vec![wanted])
            .with_timeout_ms(TIMEOUT_MS)
            .with_validate_only(validate_only);
        let response = self.ask_controller(&request, 7, TIMEOUT).await?;
        for topic in response.topics {
            let subject = format!("topic '{}'", topic.name.as_str());
            KafkaError::check(subject, topic.error_code, topic.error_message.as_deref())?;
        }
        Ok(())
    }

    /// Gives a topic more partitions, `count` in all.
    pub async fn create_partitions(&self, topic: &str, count: i32) -> Result<(), ClientError> {
        let grown =
            CreatePartitionsTopic::default().with_name(topic_name(topic)).with_count(count).with_assignments(None);
        let request = CreatePartitionsRequest::default().with_topics(vec![grown]).with_timeout_ms(TIMEOUT_MS);
        let response = self.ask_controller(&request, 3, TIMEOUT).await?;
        for result in response.results {
            let subject = format!("topic '{}'", result.name.as_str());
            KafkaError::check(subject, result.error_code, result.error_message.as_deref())?;
        }
        Ok(())
    }

    /// Removes a topic.
    pub async fn delete_topic(&self, topic: &str) -> Result<(), ClientError> {
        let request =
            DeleteTopicsRequest::default().with_topic_names(vec![topic_name(topic)]).with_timeout_ms(TIMEOUT_MS);
        let response = self.ask_controller(&request, 5, TIMEOUT).await?;
        for result in response.responses {
            let subject = format!("topic '{topic}'");
            KafkaError::check(subject, result.error_code, result.error_message.as_deref())?;
        }
        Ok(())
    }
}
