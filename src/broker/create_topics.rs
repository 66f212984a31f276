//! Making topics and adding partitions to them, as Kafka's controller decides it.
//!
//! # Consistency
//! The catalog's transaction decides; then the logs are made, then everybody sees the topic.
//!
//! # Crash safety
//! A crash behind the transaction leaves a topic without folders; they are made at the next start.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::{NewTopicRow, PartitionRow, StorageError, TopicError};
use crate::log::LogError;
use crate::model::limits::PARTITIONS_PER_REQUEST_MAX;
use crate::model::settings::{Before, InvalidSetting};
use crate::model::{LeaderEpoch, Offset, TopicConfig, TopicName, TopicPartition};
use crate::tiering::RemoteReadError;

use super::ids::new_id;
use super::open_topic::{OpenTopicError, TopicParts};
use super::state::Broker;
use super::topic::Topic;

/// A topic that somebody wants.
#[derive(Clone, Debug, Default)]
pub struct NewTopic {
    /// Its name, as it came.
    pub name: String,
    /// How many partitions; `None` leaves it to the broker.
    pub partitions: Option<i32>,
    /// How many replicas; `None` leaves it to the broker.
    pub replication_factor: Option<i16>,
    /// Which brokers hold which partition, where the caller says so.
    pub assignments: Vec<(i32, Vec<i32>)>,
    /// Its overrides.
    pub configs: BTreeMap<String, String>,
}

/// A topic as it was made, or would be.
#[derive(Clone, Debug)]
pub struct CreatedTopic {
    /// Its id; none where it was only asked whether it could be made.
    pub id: Option<crate::model::TopicId>,
    /// How many partitions.
    pub partitions: i32,
    /// Its overrides.
    pub configs: BTreeMap<String, String>,
}

/// A topic was not made, or not changed. The texts are what clients are shown.
#[derive(Debug, thiserror::Error)]
pub enum CreateTopicError {
    /// There is one.
    #[error("Topic '{0}' already exists.")]
    Exists(String),
    /// There is none.
    #[error("This server does not host this topic-partition.")]
    Unknown,
    /// The name is not one, or too like another's.
    #[error("{0}")]
    InvalidName(String),
    /// The number of partitions is not one.
    #[error("{0}")]
    InvalidPartitions(String),
    /// More replicas than brokers, or none.
    #[error("{0}")]
    InvalidReplicationFactor(String),
    /// The assignment names what is not there.
    #[error("{0}")]
    InvalidAssignment(String),
    /// The request contradicts itself.
    #[error("{0}")]
    InvalidRequest(String),
    /// A setting is wrong.
    #[error(transparent)]
    InvalidConfig(#[from] InvalidSetting),
    /// Topics cannot be deleted on this broker.
    #[error("Topic deletion is disabled.")]
    DeletionDisabled,
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] StorageError),
    /// The disk failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The bucket failed.
    #[error(transparent)]
    Bucket(RemoteReadError),
}

impl From<OpenTopicError> for CreateTopicError {
    fn from(error: OpenTopicError) -> Self {
        match error {
            OpenTopicError::Log(error) => Self::Log(error),
            OpenTopicError::Lineage(error) => Self::Bucket(error),
        }
    }
}

impl From<TopicError> for CreateTopicError {
    fn from(error: TopicError) -> Self {
        match error {
            TopicError::Exists(name) => Self::Exists(name.as_str().to_owned()),
            TopicError::Missing(_) | TopicError::Changed(_) => Self::Unknown,
            TopicError::Storage(error) => Self::Catalog(error),
        }
    }
}

/// What is wanted, checked.
struct Plan {
    name: TopicName,
    partitions: i32,
    config: TopicConfig,
    configs: BTreeMap<String, String>,
}

impl Broker {
    /// Makes one topic, or only says whether it could be made.
    pub async fn create_topic(&self, wanted: NewTopic, validate_only: bool) -> Result<CreatedTopic, CreateTopicError> {
        let _one_at_a_time = self.changing.lock().await;
        let plan = self.plan(wanted)?;
        let mut created = CreatedTopic { id: None, partitions: plan.partitions, configs: plan.configs.clone() };
        if !validate_only {
            created.id = Some(self.make(plan).await?.id);
        }
        Ok(created)
    }

    fn plan(&self, wanted: NewTopic) -> Result<Plan, CreateTopicError> {
        let name = TopicName::parse(&wanted.name)
            .map_err(|error| CreateTopicError::InvalidName(format!("Topic name is invalid: {error}")))?;
        let topics = self.topics();
        if topics.by_name(name.as_str()).is_some() {
            return Err(CreateTopicError::Exists(wanted.name));
        }
        if let Some(other) = topics.colliding(&name) {
            let text = format!("Topic '{name}' collides with existing topic: {}", other.name);
            return Err(CreateTopicError::InvalidName(text));
        }
        let partitions = self.partitions_wanted(&wanted)?;
        let config = self.settings().topic_config(&wanted.configs, Before::default())?;
        Ok(Plan { name, partitions, config, configs: wanted.configs })
    }

    fn partitions_wanted(&self, wanted: &NewTopic) -> Result<i32, CreateTopicError> {
        if !wanted.assignments.is_empty() {
            return self.assigned_partitions(wanted);
        }
        match wanted.replication_factor {
            None | Some(1) => {}
            Some(factor) if factor <= 0 => {
                return Err(CreateTopicError::InvalidReplicationFactor(
                    "Replication factor must be larger than 0, or -1 to use the default value.".to_owned(),
                ));
            }
            Some(factor) => {
                return Err(CreateTopicError::InvalidReplicationFactor(format!(
                    "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot \
                     be reached because only 1 broker(s) are registered."
                )));
            }
        }
        let partitions =
            wanted.partitions.unwrap_or_else(|| i32::try_from(self.settings().number("num.partitions")).unwrap_or(1));
        if partitions <= 0 {
            let text = "Number of partitions was set to an invalid non-positive value.".to_owned();
            return Err(CreateTopicError::InvalidPartitions(text));
        }
        check_count(partitions)?;
        Ok(partitions)
    }

    fn assigned_partitions(&self, wanted: &NewTopic) -> Result<i32, CreateTopicError> {
        if wanted.replication_factor.is_some() {
            return Err(CreateTopicError::InvalidRequest(
                "A manual partition assignment was specified, but replication factor was not set to -1.".to_owned(),
            ));
        }
        if wanted.partitions.is_some() {
            return Err(CreateTopicError::InvalidRequest(
                "A manual partition assignment was specified, but numPartitions was not set to -1.".to_owned(),
            ));
        }
        let mut numbers: Vec<i32> = wanted.assignments.iter().map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        if numbers.iter().enumerate().any(|(at, number)| i32::try_from(at) != Ok(*number)) {
            return Err(CreateTopicError::InvalidAssignment(
                "partitions should be a consecutive 0-based integer sequence".to_owned(),
            ));
        }
        for (_, brokers) in &wanted.assignments {
            self.check_assignment(brokers)?;
        }
        let count = i32::try_from(numbers.len()).unwrap_or(i32::MAX);
        check_count(count)?;
        Ok(count)
    }

    fn check_assignment(&self, brokers: &[i32]) -> Result<(), CreateTopicError> {
        let refused = |text: String| Err(CreateTopicError::InvalidAssignment(text));
        if brokers.is_empty() {
            return refused("The manual partition assignment includes an empty replica list.".to_owned());
        }
        if let Some(unknown) = brokers.iter().find(|broker| **broker != self.id().0) {
            return refused(format!(
                "The manual partition assignment includes broker {unknown}, but no such broker is registered."
            ));
        }
        if brokers.len() > 1 {
            let broker = self.id().0;
            return refused(format!("The manual partition assignment includes the broker {broker} more than once."));
        }
        Ok(())
    }

    async fn make(&self, plan: Plan) -> Result<Arc<Topic>, CreateTopicError> {
        let id = new_id(self.random);
        let row = NewTopicRow {
            id,
            name: plan.name.clone(),
            partitions: plan.partitions,
            configs: plan.configs.clone(),
            leader: self.id(),
            leader_epoch: 0,
            tiered: plan.config.remote.enabled,
        };
        self.catalog.create_topic(row).await?;
        let parts =
            TopicParts { name: plan.name, id, overrides: Arc::new(plan.configs), config: Arc::new(plan.config) };
        let rows = new_rows(&parts, self, 0..plan.partitions);
        let partitions = self.open_partitions(&parts, &rows).await?;
        tracing::info!(topic = parts.name.as_str(), id = %id, partitions = plan.partitions, "topic created");
        let topic = parts.with(partitions);
        self.registry.publish([Arc::clone(&topic)]);
        Ok(topic)
    }

    /// Makes a topic because a client asked for its metadata. Somebody else may have made it meanwhile.
    pub async fn auto_create_topic(&self, name: &str) -> Result<Arc<Topic>, CreateTopicError> {
        let wanted = NewTopic { name: name.to_owned(), ..NewTopic::default() };
        match self.create_topic(wanted, false).await {
            Ok(_) | Err(CreateTopicError::Exists(_)) => {
                self.topics().by_name(name).cloned().ok_or(CreateTopicError::Unknown)
            }
            Err(error) => Err(error),
        }
    }

    /// Adds partitions up to `count`, or only says whether that could be done.
    pub async fn create_partitions(
        &self,
        name: &str,
        count: i32,
        assignments: Option<Vec<Vec<i32>>>,
        validate_only: bool,
    ) -> Result<(), CreateTopicError> {
        let _one_at_a_time = self.changing.lock().await;
        let topic = self.topics().by_name(name).cloned().ok_or(CreateTopicError::Unknown)?;
        let have = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        if count == have {
            let text = format!("Topic already has {have} partition(s).");
            return Err(CreateTopicError::InvalidPartitions(text));
        }
        if count < have {
            let text = format!("The topic {name} currently has {have} partition(s); {count} would not be an increase.");
            return Err(CreateTopicError::InvalidPartitions(text));
        }
        check_count(count)?;
        if let Some(assignments) = assignments {
            let added = count - have;
            if i32::try_from(assignments.len()) != Ok(added) {
                return Err(CreateTopicError::InvalidAssignment(format!(
                    "Attempted to add {added} additional partition(s), but only {} assignment(s) were specified.",
                    assignments.len()
                )));
            }
            assignments.iter().try_for_each(|brokers| self.check_assignment(brokers))?;
        }
        if validate_only {
            return Ok(());
        }
        self.add_partitions(&topic, have, count).await
    }

    async fn add_partitions(&self, topic: &Topic, have: i32, count: i32) -> Result<(), CreateTopicError> {
        let row = NewTopicRow {
            id: topic.id,
            name: topic.name.clone(),
            partitions: count,
            configs: BTreeMap::new(),
            leader: self.id(),
            leader_epoch: 0,
            tiered: topic.config.remote.enabled,
        };
        self.catalog.add_partitions(row, have).await?;
        let parts = TopicParts {
            name: topic.name.clone(),
            id: topic.id,
            overrides: Arc::clone(&topic.overrides),
            config: Arc::clone(&topic.config),
        };
        let rows = new_rows(&parts, self, have..count);
        let mut partitions = topic.partitions.clone();
        partitions.extend(self.open_partitions(&parts, &rows).await?);
        self.registry.publish([parts.with(partitions)]);
        Ok(())
    }
}

fn check_count(partitions: i32) -> Result<(), CreateTopicError> {
    if usize::try_from(partitions).is_ok_and(|count| count <= PARTITIONS_PER_REQUEST_MAX) {
        return Ok(());
    }
    let text = format!("Excessively large number of partitions per request: {partitions}");
    Err(CreateTopicError::InvalidPartitions(text))
}

/// The rows that the catalog has just made.
fn new_rows(parts: &TopicParts, broker: &Broker, numbers: std::ops::Range<i32>) -> Vec<PartitionRow> {
    let row = |number| PartitionRow {
        tp: TopicPartition::new(parts.id, number),
        leader: broker.id(),
        leader_epoch: LeaderEpoch::ZERO,
        log_start: Offset::ZERO,
        tiered_to: parts.config.remote.enabled.then_some(Offset::ZERO),
    };
    numbers.map(row).collect()
}
