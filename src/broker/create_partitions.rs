//! Adding partitions to topics, as Kafka's controller decides it.
//!
//! # Consistency
//! As for new topics: the catalog decides, the logs are made, everybody sees them.
//!
//! # Cancellation
//! A change that has begun ends without its caller: see `whole_changes`.
//!
//! # Crash safety
//! As for new topics.

use std::sync::Arc;

use futures::FutureExt as _;

use crate::catalog::{NewTopicRow, StorageError, TopicError};
use crate::model::limits::PARTITIONS_PER_REQUEST_MAX;
use crate::model::settings::Values;

use super::assignments::BadAssignment;
use super::follow_catalog::{FollowError, may_be_made};
use super::open_topic::{OpenTopicError, TopicParts};
use super::registry::Topics;
use super::state::Broker;
use super::topic::Topic;
use super::whole_changes::ChangeTurn;

/// How many partitions a topic is to have.
#[derive(Clone, Debug)]
pub struct MorePartitions {
    /// Its name.
    pub name: String,
    /// The new number, with those that it has.
    pub count: i32,
    /// Which brokers hold each new one, where the caller says so.
    pub assignments: Option<Vec<Vec<i32>>>,
}

/// Partitions were not added. The texts are what clients are shown.
#[derive(Debug, thiserror::Error)]
pub enum CreatePartitionsError {
    /// There is no such topic.
    #[error("This server does not host this topic-partition.")]
    Unknown,
    /// Nothing would change.
    #[error("Topic already has {0} partition(s).")]
    Same(i32),
    /// Partitions would go.
    #[error("The topic {name} currently has {have} partition(s); {count} would not be an increase.")]
    NoIncrease {
        /// The topic.
        name: String,
        /// How many it has.
        have: i32,
        /// How many were asked for.
        count: i32,
    },
    /// More partitions than one request may make.
    #[error("Excessively large number of partitions per request.")]
    TooManyPartitions,
    /// The assignment names what is not there.
    #[error(transparent)]
    Assignment(#[from] BadAssignment),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] StorageError),
    /// A partition was not opened.
    #[error(transparent)]
    Open(#[from] OpenTopicError),
}

impl From<TopicError> for CreatePartitionsError {
    fn from(error: TopicError) -> Self {
        match error {
            TopicError::Exists(_) | TopicError::Missing(_) | TopicError::Changed(_) => Self::Unknown,
            TopicError::Storage(error) => Self::Catalog(error),
        }
    }
}

impl Broker {
    /// Adds partitions to topics, or only says whether that could be done; one answer for each, in order.
    pub async fn create_partitions(
        self: &Arc<Self>,
        wanted: Vec<MorePartitions>,
        validate_only: bool,
    ) -> Vec<Result<(), CreatePartitionsError>> {
        let count = wanted.len();
        let added = self.whole(move |broker, turn| {
            async move { broker.create_partitions_in_turn(wanted, validate_only, &turn).await }.boxed()
        });
        added.await.unwrap_or_else(|error| (0..count).map(|_| Err(error.clone().into())).collect())
    }

    async fn create_partitions_in_turn(
        &self,
        wanted: Vec<MorePartitions>,
        validate_only: bool,
        _turn: &ChangeTurn,
    ) -> Vec<Result<(), CreatePartitionsError>> {
        let topics = self.topics();
        let mut room = i32::try_from(PARTITIONS_PER_REQUEST_MAX).unwrap_or(i32::MAX);
        let mut done = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let planned = self.plan_partitions(&topics, &wanted, &mut room);
            done.push(match planned {
                Ok(_) if validate_only => Ok(()),
                Ok((topic, have)) => self.add_partitions(topic, have, &wanted).await,
                Err(error) => Err(error),
            });
        }
        done
    }

    fn plan_partitions<'a>(
        &self,
        topics: &'a Topics,
        wanted: &MorePartitions,
        room: &mut i32,
    ) -> Result<(&'a Topic, i32), CreatePartitionsError> {
        let topic = topics.by_name(&wanted.name).ok_or(CreatePartitionsError::Unknown)?;
        let have = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let added = wanted.count.saturating_sub(have);
        if added == 0 {
            return Err(CreatePartitionsError::Same(have));
        }
        if added < 0 {
            let name = wanted.name.clone();
            return Err(CreatePartitionsError::NoIncrease { name, have, count: wanted.count });
        }
        if let Some(assignments) = &wanted.assignments {
            self.check_added(added, assignments)?;
        }
        if added > *room {
            return Err(CreatePartitionsError::TooManyPartitions);
        }
        *room -= added;
        Ok((topic, have))
    }

    async fn add_partitions(
        &self,
        topic: &Topic,
        have: i32,
        wanted: &MorePartitions,
    ) -> Result<(), CreatePartitionsError> {
        let count = wanted.count;
        let row = NewTopicRow {
            id: topic.id,
            name: topic.name.clone(),
            partitions: count,
            configs: Values::new(),
            leader: self.id(),
            leader_epoch: 0,
            tiered: topic.config.remote.enabled,
        };
        if let Err(error) = self.catalog.add_partitions(row, have).await {
            return if may_be_made(&error) { self.made_before(wanted, error).await } else { Err(error.into()) };
        }
        let parts = TopicParts {
            name: topic.name.clone(),
            id: topic.id,
            overrides: Arc::clone(&topic.overrides),
            config: Arc::clone(&topic.config),
        };
        let rows = self.new_rows(&parts, have..count);
        let mut partitions = topic.partitions.clone();
        // Where they cannot be made now, they are as soon as they can be: the catalog has them.
        let opened = self.open_partitions(&parts, &rows, &self.openings()).await;
        partitions.extend(opened.inspect_err(|_| self.doubt.raise())?);
        tracing::info!(topic = topic.name.as_str(), have, count, "partitions added");
        self.registry.publish([parts.with(partitions)]);
        Ok(())
    }

    /// Partitions that the catalog did not add now may have been added all the same, or before: then that is the answer.
    async fn made_before(&self, wanted: &MorePartitions, error: TopicError) -> Result<(), CreatePartitionsError> {
        match self.settle_held().await {
            Ok(()) => {}
            Err(FollowError::Open { topic, source }) if topic.as_str() == wanted.name => return Err(source.into()),
            Err(_) => return Err(error.into()),
        }
        let mut room = i32::MAX;
        match self.plan_partitions(&self.topics(), wanted, &mut room) {
            Err(CreatePartitionsError::Same(_)) => Ok(()),
            Err(other) => Err(other),
            Ok(_) => Err(error.into()),
        }
    }
}
