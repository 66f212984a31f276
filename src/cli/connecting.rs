//! Reaching a cluster, and how a client's errors end a run.
//!
//! # Retries
//! The first connection is tried again until `--timeout`: whoever starts a broker and asks it in the next line of a script
//! is answered.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::clock::SystemClock;
use crate::net::client::{ClientError, ClientOptions, ClusterMetadata, KafkaClient, TopicMetadata};

use super::outcome::{Exit, Failure};
use super::patience::Patience;

/// Between two tries of the first connection.
const PAUSE: Duration = Duration::from_millis(200);
/// `--timeout 0s` asks once, and an answer takes its time.
const ANSWER_MIN: Duration = Duration::from_secs(1);

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
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = patience)]
    pub timeout: Duration,
}

impl ClusterArgs {
    /// A client of it.
    pub async fn connect(&self) -> Result<Arc<KafkaClient>, Failure> {
        let clock = SystemClock::shared();
        let (limit, since) = (self.timeout.max(ANSWER_MIN), clock.monotonic());
        let patience = Patience::of_first_connection(Arc::clone(&clock), self.timeout);
        loop {
            let left = limit.saturating_sub(clock.monotonic().saturating_sub(since));
            let connected = tokio::select! {
                connected = KafkaClient::connect(&self.bootstrap_server, self.options(), Arc::clone(&clock)) => connected,
                () = clock.sleep(left) => Err(self.no_answer(limit)),
            };
            match connected {
                Ok(client) => {
                    patience.answered();
                    return Ok(Arc::new(client));
                }
                Err(error) if may_come(&error) && patience.bears(since, &error) => clock.sleep(PAUSE.min(left)).await,
                Err(error @ ClientError::UnknownHost { .. }) => {
                    return Err(Failure::usage(format!("--bootstrap-server: {error}")));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// No answer takes longer than all of it may.
    fn options(&self) -> ClientOptions {
        let (default, limit) = (ClientOptions::default(), self.timeout.max(ANSWER_MIN));
        ClientOptions {
            connect_timeout: default.connect_timeout.min(limit),
            timeout: default.timeout.min(limit),
            patience: self.timeout,
            ..default
        }
    }

    fn no_answer(&self, limit: Duration) -> ClientError {
        let reason = format!("nothing within {} s (--timeout)", limit.as_secs_f32());
        ClientError::Unreachable { address: self.bootstrap_server.clone(), reason }
    }
}

/// A time; seconds where no unit says otherwise.
fn patience(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text).map_err(|error| format!("{error}; write 60, 60s, 5m, …")),
    }
}

/// Whether somebody may yet answer.
fn may_come(error: &ClientError) -> bool {
    matches!(error, ClientError::Unreachable { .. } | ClientError::TimedOut { .. })
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::BadAddress(_) => Exit::Usage,
            ClientError::Unreachable { .. }
            | ClientError::UnknownHost { .. }
            | ClientError::TimedOut { .. }
            | ClientError::Closed { .. }
            | ClientError::NoLeader { .. } => Exit::Unreachable,
            ClientError::Refused(refused) if refused.is_unknown_topic() => Exit::NotFound,
            _ => Exit::Failed,
        };
        let text = match &error {
            ClientError::BadAddress(_) => format!("--bootstrap-server: {error}"),
            ClientError::Unreachable { .. } => format!("{error}; say --bootstrap-server, or start one: tidelog serve"),
            ClientError::UnknownHost { .. } => {
                format!("{error}; that is where the cluster says that it is (serve --advertise)")
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_unit_is_in_seconds() {
        assert_eq!(patience("3"), Ok(Duration::from_secs(3)));
        assert_eq!(patience("0"), Ok(Duration::ZERO));
        assert_eq!(patience("5m"), Ok(Duration::from_secs(300)));
        assert!(patience("-3").is_err() && patience("soon").is_err_and(|said| said.contains("write 60, 60s")));
    }
}
