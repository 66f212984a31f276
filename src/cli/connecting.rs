//! Reaching a cluster, and how a client's errors end a run.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::clock::SystemClock;
use crate::net::client::{ClientError, ClientOptions, ClusterMetadata, KafkaClient, TopicMetadata};

use super::outcome::{Exit, Failure};

/// Where the cluster is.
#[derive(Clone, Debug, Args)]
pub struct ClusterArgs {
    /// Brokers to begin with, commas between
    #[arg(
        short,
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9092",
        env = "TIDELOG_BOOTSTRAP_SERVER",
        hide_env_values = true
    )]
    pub bootstrap_server: String,
    /// How long to try again where nobody answers: 60s, 5m, …
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
}

impl ClusterArgs {
    /// A client of it.
    pub async fn connect(&self) -> Result<Arc<KafkaClient>, Failure> {
        let default = ClientOptions::default();
        let options = ClientOptions {
            connect_timeout: default.connect_timeout.min(self.timeout),
            patience: self.timeout,
            ..default
        };
        let client = KafkaClient::connect(&self.bootstrap_server, options, SystemClock::shared());
        Ok(Arc::new(client.await?))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::BadAddress(_) => Exit::Usage,
            ClientError::Unreachable { .. }
            | ClientError::TimedOut { .. }
            | ClientError::Closed { .. }
            | ClientError::NoLeader { .. } => Exit::Unreachable,
            ClientError::Refused(refused) if refused.is_unknown_topic() => Exit::NotFound,
            _ => Exit::Failed,
        };
        let text = match &error {
            ClientError::BadAddress(_) => format!("--bootstrap-server: {error}"),
            ClientError::Unreachable { .. } => format!("{error}; say --bootstrap-server, or start one: tidelog serve"),
            _ => error.to_string(),
        };
        Self::new(exit, text)
    }
}

/// One topic as it is now; a failure where there is none.
pub async fn topic(client: &KafkaClient, name: &str) -> Result<(ClusterMetadata, TopicMetadata), Failure> {
    let metadata = client.metadata(Some(&[name])).await?;
    let topic = metadata.topics.get(name).cloned().unwrap_or_default();
    if let Some(error) = topic.error {
        let exit = if error.is_unknown_topic() { Exit::NotFound } else { Exit::Failed };
        let text = if error.is_unknown_topic() { no_topic(name) } else { error.to_string() };
        return Err(Failure::new(exit, text));
    }
    if topic.partitions.is_empty() {
        return Err(Failure::new(Exit::NotFound, no_topic(name)));
    }
    Ok((metadata, topic))
}

fn no_topic(name: &str) -> String {
    format!("there is no topic '{name}'; tidelog topics list shows those that there are, topics create {name} makes it")
}
