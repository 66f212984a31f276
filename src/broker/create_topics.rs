//! Making topics, as Kafka's controller decides it.
//!
//! # Consistency
//! The catalog's transaction decides; then the logs are made, then everybody sees the topic. The topics of one request are
//! judged together, before any of them is made.
//!
//! # Cancellation
//! A change that has begun ends without its caller: see `whole_changes`.
//!
//! # Crash safety
//! A crash behind the transaction leaves a topic without folders; they are made at the next start.

use std::sync::Arc;

use futures::FutureExt as _;

use crate::catalog::{NewTopicRow, PartitionRow, StorageError, TopicError};
use crate::model::ids::BadTopicName;
use crate::model::limits::{AUTO_CREATED_PER_REQUEST_MAX, PARTITIONS_PER_REQUEST_MAX};
use crate::model::settings::{Before, InvalidSetting, Values};
use crate::model::{LeaderEpoch, Offset, TopicConfig, TopicId, TopicName, TopicPartition};

use super::assignments::BadAssignment;
use super::follow_catalog::may_be_made;
use super::ids::new_id;
use super::open_topic::{OpenTopicError, TopicParts};
use super::registry::Topics;
use super::state::Broker;
use super::topic::{Topic, is_internal};
use super::whole_changes::ChangeTurn;

/// The name of the log that Kafka's controllers agree by.
const RESERVED: &str = "__cluster_metadata";

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
    pub configs: Values,
}

/// A topic as it was made, or would be.
#[derive(Clone, Debug)]
pub struct CreatedTopic {
    /// Its id; that of a topic which is only asked for is never given again.
    pub id: TopicId,
    /// How many partitions.
    pub partitions: i32,
    /// Its overrides.
    pub overrides: Arc<Values>,
    /// What is in effect.
    pub config: Arc<TopicConfig>,
}

/// A topic was not made. The texts are what clients are shown.
#[derive(Debug, thiserror::Error)]
pub enum CreateTopicError {
    /// There is one.
    #[error("Topic '{0}' already exists.")]
    Exists(String),
    /// The name is not one.
    #[error("Topic name is invalid: {0}")]
    InvalidName(#[from] BadTopicName),
    /// Kafka keeps the name for its controllers.
    #[error("Creation of internal topic {RESERVED} is prohibited.")]
    Reserved,
    /// The name is too like another's.
    #[error("Topic '{name}' collides with existing topic: {other}")]
    Collides {
        /// The name.
        name: TopicName,
        /// The other's.
        other: TopicName,
    },
    /// The number of partitions is not one.
    #[error("Number of partitions was set to an invalid non-positive value.")]
    InvalidPartitions,
    /// More partitions than one request may make.
    #[error("Excessively large number of partitions per request.")]
    TooManyPartitions,
    /// No replica.
    #[error("Replication factor must be larger than 0, or -1 to use the default value.")]
    NoReplicas,
    /// More replicas than brokers.
    #[error(
        "Unable to replicate the partition {0} time(s): The target replication factor of {0} cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned."
    )]
    TooManyReplicas(i64),
    /// The assignment names what is not there.
    #[error(transparent)]
    Assignment(#[from] BadAssignment),
    /// An assignment, and the number that follows from it.
    #[error("A manual partition assignment was specified, but {0} was not set to -1.")]
    AssignedAndCounted(&'static str),
    /// A setting is wrong.
    #[error(transparent)]
    InvalidConfig(#[from] InvalidSetting),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] StorageError),
    /// A partition was not opened.
    #[error(transparent)]
    Open(#[from] OpenTopicError),
}

impl From<TopicError> for CreateTopicError {
    fn from(error: TopicError) -> Self {
        match error {
            TopicError::Exists(name) => Self::Exists(name.as_str().to_owned()),
            // A topic that is being made is not there to be missed or changed.
            TopicError::Missing(id) | TopicError::Changed(id) => Self::Exists(id.to_string()),
            TopicError::Storage(error) => Self::Catalog(error),
        }
    }
}

/// What is wanted, checked.
struct Plan {
    name: TopicName,
    partitions: i32,
    config: TopicConfig,
    configs: Values,
}

impl Broker {
    /// Makes one topic, or only says whether it could be made.
    pub async fn create_topic(
        self: &Arc<Self>,
        wanted: NewTopic,
        validate_only: bool,
    ) -> Result<CreatedTopic, CreateTopicError> {
        let mut created = self.create_topics(vec![wanted], validate_only).await;
        created.pop().unwrap_or(Err(CreateTopicError::InvalidPartitions))
    }

    /// Makes topics, or only says which could be made; one answer for each, in order.
    pub async fn create_topics(
        self: &Arc<Self>,
        wanted: Vec<NewTopic>,
        validate_only: bool,
    ) -> Vec<Result<CreatedTopic, CreateTopicError>> {
        let count = wanted.len();
        let made = self.whole(move |broker, turn| {
            async move { broker.create_topics_in_turn(wanted, validate_only, &turn).await }.boxed()
        });
        made.await.unwrap_or_else(|error| (0..count).map(|_| Err(error.clone().into())).collect())
    }

    async fn create_topics_in_turn(
        &self,
        wanted: Vec<NewTopic>,
        validate_only: bool,
        _turn: &ChangeTurn,
    ) -> Vec<Result<CreatedTopic, CreateTopicError>> {
        let asked = wanted.iter().map(|topic| self.partitions_asked(topic)).fold(0usize, usize::saturating_add);
        if asked > PARTITIONS_PER_REQUEST_MAX {
            return wanted.iter().map(|_| Err(CreateTopicError::TooManyPartitions)).collect();
        }
        let topics = self.topics();
        let plans: Vec<_> = wanted.into_iter().map(|wanted| self.plan(&topics, wanted)).collect();
        let mut made = Vec::with_capacity(plans.len());
        for plan in plans {
            made.push(match plan {
                Ok(plan) if validate_only => Ok(self.planned(plan)),
                Ok(plan) => self.make(plan).await.map(|topic| created(&topic)),
                Err(error) => Err(error),
            });
        }
        made
    }

    fn partitions_asked(&self, wanted: &NewTopic) -> usize {
        if wanted.assignments.is_empty() {
            usize::try_from(self.partitions_or_default(wanted)).unwrap_or(0)
        } else {
            wanted.assignments.len()
        }
    }

    fn partitions_or_default(&self, wanted: &NewTopic) -> i32 {
        wanted.partitions.unwrap_or_else(|| i32::try_from(self.settings().number("num.partitions")).unwrap_or(1))
    }

    fn plan(&self, topics: &Topics, wanted: NewTopic) -> Result<Plan, CreateTopicError> {
        if wanted.name == RESERVED {
            return Err(CreateTopicError::Reserved);
        }
        let name = TopicName::parse(&wanted.name)?;
        if topics.by_name(name.as_str()).is_some() {
            return Err(CreateTopicError::Exists(wanted.name));
        }
        if let Some(other) = topics.colliding(&name) {
            return Err(CreateTopicError::Collides { name, other: other.name.clone() });
        }
        let config = self.settings().topic_config(&wanted.configs, Before::default())?;
        let partitions = self.partitions_wanted(&wanted)?;
        Ok(Plan { name, partitions, config, configs: wanted.configs })
    }

    fn partitions_wanted(&self, wanted: &NewTopic) -> Result<i32, CreateTopicError> {
        if !wanted.assignments.is_empty() {
            if wanted.replication_factor.is_some() {
                return Err(CreateTopicError::AssignedAndCounted("replication factor"));
            }
            if wanted.partitions.is_some() {
                return Err(CreateTopicError::AssignedAndCounted("numPartitions"));
            }
            return Ok(self.assigned_partitions(&wanted.assignments)?);
        }
        if wanted.replication_factor.is_some_and(|factor| factor <= 0) {
            return Err(CreateTopicError::NoReplicas);
        }
        let partitions = self.partitions_or_default(wanted);
        if partitions <= 0 {
            return Err(CreateTopicError::InvalidPartitions);
        }
        let default = || self.settings().number("default.replication.factor");
        match wanted.replication_factor.map_or_else(default, i64::from) {
            1 => Ok(partitions),
            factor => Err(CreateTopicError::TooManyReplicas(factor)),
        }
    }

    fn planned(&self, plan: Plan) -> CreatedTopic {
        CreatedTopic {
            id: new_id(self.random),
            partitions: plan.partitions,
            overrides: Arc::new(plan.configs),
            config: Arc::new(plan.config),
        }
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
        if let Err(error) = self.catalog.create_topic(row).await {
            // It may have been made all the same; or there is one of that name that was not seen yet.
            let is_seen = self.topics().by_name(plan.name.as_str()).is_some();
            if may_be_made(&error)
                && !is_seen
                && self.settle_held().await.is_ok()
                && let Some(made) = self.topics().by_id(id)
            {
                return Ok(Arc::clone(made));
            }
            return Err(error.into());
        }
        let parts =
            TopicParts { name: plan.name, id, overrides: Arc::new(plan.configs), config: Arc::new(plan.config) };
        let rows = self.new_rows(&parts, 0..plan.partitions);
        let partitions = match self.open_partitions(&parts, &rows, &self.openings()).await {
            Ok(partitions) => partitions,
            Err(error) => {
                self.take_back(&parts).await;
                return Err(error.into());
            }
        };
        tracing::info!(topic = parts.name.as_str(), id = %id, partitions = plan.partitions, "topic created");
        let topic = parts.with(partitions);
        self.registry.publish([Arc::clone(&topic)]);
        Ok(topic)
    }

    /// A topic whose logs cannot be made is not one: its name is free again, and its folders go. Where the catalog does not
    /// say so there is a topic, whose logs are made as soon as they can be.
    async fn take_back(&self, parts: &TopicParts) {
        match self.catalog.delete_topic(parts.id).await {
            Ok(()) => self.doubt.note_gone(parts.name.clone(), parts.id),
            Err(error) => {
                tracing::error!(%error, topic = parts.name.as_str(), "a topic without logs stays in the catalog");
                self.doubt.raise();
            }
        }
    }

    /// Whether a client that asks for a topic may have it made: `auto.create.topics.enable`.
    pub fn may_create_topics_by_themselves(&self) -> bool {
        self.settings().switch("auto.create.topics.enable")
    }

    /// Makes topics because a client asked for their metadata, and says which could not be made. Topics that Kafka keeps its
    /// own state in are not made: here that state is elsewhere. Each is a change of its own, so that others get their turn
    /// and nothing more is made for a client that has gone; what is too many for one request is left to the next.
    pub async fn auto_create_topics(self: &Arc<Self>, names: Vec<String>) -> Vec<(String, CreateTopicError)> {
        let mut failed = Vec::new();
        let mut left = AUTO_CREATED_PER_REQUEST_MAX;
        for name in names.into_iter().filter(|name| !is_internal(name)) {
            if left == 0 {
                tracing::info!(
                    next = name,
                    made = AUTO_CREATED_PER_REQUEST_MAX,
                    "a client asked for more missing topics than one request may make: the next request makes more"
                );
                break;
            }
            let wanted = NewTopic { name: name.clone(), ..NewTopic::default() };
            // What can never be made costs nothing, and must not bar what stands behind it.
            if let Err(error) = self.plan(&self.topics(), wanted.clone()) {
                failed.push((name, error));
                continue;
            }
            left -= 1;
            if let Err(error) = self.create_topic(wanted, false).await {
                failed.push((name, error));
            }
        }
        // Somebody else may have made it meanwhile.
        failed.retain(|(_, error)| !matches!(error, CreateTopicError::Exists(_)));
        failed
    }

    /// The rows that the catalog has just made.
    pub(super) fn new_rows(&self, parts: &TopicParts, numbers: std::ops::Range<i32>) -> Vec<PartitionRow> {
        let row = |number| PartitionRow {
            tp: TopicPartition::new(parts.id, number),
            leader: self.id(),
            leader_epoch: LeaderEpoch::ZERO,
            log_start: Offset::ZERO,
            tiered_to: parts.config.remote.enabled.then_some(Offset::ZERO),
        };
        numbers.map(row).collect()
    }
}

fn created(topic: &Topic) -> CreatedTopic {
    CreatedTopic {
        id: topic.id,
        partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
        overrides: Arc::clone(&topic.overrides),
        config: Arc::clone(&topic.config),
    }
}
