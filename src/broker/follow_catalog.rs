//! Bringing the registry and the broker's settings to what the catalog says, where a change of either ended in a way that
//! nobody knows, or stopped half-way: a commit whose answer was lost, logs that could not be made behind a commit.
//!
//! # Consistency
//! Under the topic lock. The catalog decides and the registry follows, whatever the change was: topics that the catalog has
//! are opened, those that it has not are served no more, missing partitions and settings are brought over. The folder of a
//! topic goes only where the catalog says that the topic is deleted; one that it does not know is left to the next start,
//! which sets it aside.
//!
//! # Retries
//! After a doubt the catalog is asked at once, and again with every tick. The doubt ends with a look behind a write that
//! waits for every change under way: a commit that a database holds up, for as long as that may be, is seen when it has
//! happened. As long as the catalog cannot be asked so, or a log cannot be opened, the doubt stays.
//!
//! # Cancellation
//! Between two topics.
//!
//! # Crash safety
//! Nothing is decided here. A start does the same from nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::catalog::{StorageError, TopicError, TopicRow};
use crate::model::settings::{Before, InvalidSetting};
use crate::model::{TopicId, TopicName, TopicPartition};

use super::configs::{AlterConfigsError, configured};
use super::open_topic::{OpenTopicError, TopicParts};
use super::state::Broker;
use super::topic::Topic;

/// Whether the registry may differ from the catalog, and what has gone because it did.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    raised: AtomicBool,
    /// Deleted topics whose folders are still there.
    gone: Mutex<Vec<(TopicName, TopicId)>>,
}

impl Doubt {
    /// They may differ.
    pub(super) fn raise(&self) {
        self.raised.store(true, Ordering::Relaxed);
    }

    /// A deleted topic's folders have to go.
    pub(super) fn note_gone(&self, name: TopicName, id: TopicId) {
        self.gone.lock().push((name, id));
    }

    fn is_settled(&self) -> bool {
        !self.raised.load(Ordering::Relaxed)
    }

    /// By whoever holds the topic lock.
    fn end(&self) {
        self.raised.store(false, Ordering::Relaxed);
    }
}

/// The registry is not where the catalog is.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    /// The catalog cannot be asked.
    #[error(transparent)]
    Catalog(#[from] StorageError),
    /// The logs of a topic cannot be opened.
    #[error("the logs of topic '{topic}': {source}")]
    Open {
        /// Which.
        topic: TopicName,
        /// Why.
        source: OpenTopicError,
    },
    /// The broker's own settings cannot be put in effect.
    #[error("the settings of the broker: {0}")]
    Settings(#[from] AlterConfigsError),
    /// The settings of a topic cannot be understood.
    #[error("the settings of topic '{topic}': {source}")]
    Config {
        /// Which.
        topic: TopicName,
        /// Why.
        source: InvalidSetting,
    },
}

/// Whether a change that ended so may have been made all the same, by this attempt or an earlier one.
pub(super) fn may_be_made(error: &TopicError) -> bool {
    match error {
        TopicError::Exists(_) | TopicError::Missing(_) | TopicError::Changed(_) => true,
        TopicError::Storage(error) => outcome_is_unknown(error),
    }
}

/// Whether what ended so may have been committed all the same.
pub(super) fn outcome_is_unknown(error: &StorageError) -> bool {
    error.may_be_committed()
}

impl Broker {
    /// After a change that may have been made or not, by whoever holds the topic lock: looks at once, and lets it be looked
    /// again.
    pub(super) async fn settle_held(&self) -> Result<(), FollowError> {
        self.doubt.raise();
        let followed = self.follow_catalog().await;
        if let Err(error) = &followed {
            tracing::warn!(%error, "topics may not be what the catalog says yet");
        }
        followed
    }

    /// The next look, where there is a doubt; and the end of what has gone.
    pub(super) async fn settle(&self) {
        if !self.doubt.is_settled() {
            let _one_at_a_time = self.changing.lock().await;
            match self.follow_what_has_ended().await {
                Ok(()) => self.doubt.end(),
                Err(error) => tracing::debug!(%error, "topics are not what the catalog says yet"),
            }
        }
        let gone = std::mem::take(&mut *self.doubt.gone.lock());
        for (name, id) in gone {
            self.finish_deletion(&name, id).await;
        }
    }

    async fn follow_what_has_ended(&self) -> Result<(), FollowError> {
        // What is known already, while that waits.
        self.follow_catalog().await?;
        self.catalog.wait_for_changes().await?;
        self.follow_catalog().await
    }

    /// The broker's settings, then every topic that differs; the first failure of what cannot be brought over now.
    async fn follow_catalog(&self) -> Result<(), FollowError> {
        let followed = self.follow_settings().await.map_err(FollowError::from);
        self.follow_topics().await.and(followed)
    }

    async fn follow_topics(&self) -> Result<(), FollowError> {
        let rows = self.catalog.topics().await?;
        let rows: BTreeMap<TopicId, TopicRow> = rows.into_iter().map(|row| (row.id, row)).collect();
        let topics = self.topics();
        for topic in topics.iter() {
            match rows.get(&topic.id) {
                Some(row) if !row.deleted => continue,
                Some(_) => self.doubt.note_gone(topic.name.clone(), topic.id),
                None => {
                    tracing::warn!(topic = topic.name.as_str(), id = %topic.id, "the catalog does not know this topic")
                }
            }
            self.forget(topic).await;
        }
        let mut followed = Ok(());
        for row in rows.into_values().filter(|row| !row.deleted) {
            let done = match topics.by_id(row.id) {
                Some(topic) => self.follow_topic(topic, &row).await,
                None => self.open_unknown(row).await,
            };
            if followed.is_ok() {
                followed = done;
            }
        }
        followed
    }

    /// A topic that the catalog has and nobody has seen.
    async fn open_unknown(&self, row: TopicRow) -> Result<(), FollowError> {
        let TopicRow { id, name, partitions, configs, .. } = row;
        let config = self.settings().topic_config(&configs, Before::default());
        let config = Arc::new(config.map_err(|source| FollowError::Config { topic: name.clone(), source })?);
        let topic = Topic { name, id, overrides: Arc::new(configs), config, partitions: Vec::new() };
        self.open_more(&topic, partitions).await
    }

    async fn follow_topic(&self, topic: &Topic, row: &TopicRow) -> Result<(), FollowError> {
        let mut now = topic.clone();
        if *now.overrides != row.configs {
            let config = self.reconfigured(&self.settings(), &now, &row.configs);
            let config = config.map_err(|source| FollowError::Config { topic: row.name.clone(), source })?;
            let changed = configured(&now, row.configs.clone(), config).await;
            now = Topic::clone(&changed);
            self.registry.publish([changed]);
        }
        self.open_more(&now, row.partitions).await
    }

    /// Opens the partitions up to `count` that the topic has not, in the epochs that the catalog says.
    async fn open_more(&self, topic: &Topic, count: i32) -> Result<(), FollowError> {
        let have = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        if have >= count {
            return Ok(());
        }
        let mut rows = Vec::new();
        for number in have..count {
            rows.extend(self.catalog.partition(TopicPartition::new(topic.id, number)).await?);
        }
        let Topic { name, id, overrides, config, mut partitions } = topic.clone();
        let parts = TopicParts { name, id, overrides, config };
        let opened = self.open_partitions(&parts, &rows, &self.openings()).await;
        partitions.extend(opened.map_err(|source| FollowError::Open { topic: topic.name.clone(), source })?);
        tracing::info!(topic = topic.name.as_str(), have, count, "a topic is opened as the catalog has it");
        self.registry.publish([parts.with(partitions)]);
        Ok(())
    }
}
