//! Changing the settings of topics and of the broker while it runs.
//!
//! # Consistency
//! Checked as a whole, committed, then put in effect for every partition. A change of the broker's settings that would
//! leave a topic with settings that contradict each other is refused.
//!
//! # Cancellation
//! A change that has begun ends without its caller: see `whole_changes`.
//!
//! # Crash safety
//! What was committed is in effect after the next start.

use std::sync::Arc;

use futures::FutureExt as _;

use crate::catalog::{StorageError, TopicError};
use crate::model::ids::BadTopicName;
use crate::model::settings::{Before, BrokerSettings, DynamicSettings, InvalidSetting, Values, topic_setting};
use crate::model::{TopicConfig, TopicName};

use super::config_changes::{BadChanges, ConfigChanges};
use super::follow_catalog::{may_be_made, outcome_is_unknown};
use super::state::Broker;
use super::topic::Topic;
use super::whole_changes::ChangeTurn;

/// Settings were not changed. The texts are what clients are shown.
#[derive(Debug, thiserror::Error)]
pub enum AlterConfigsError {
    /// There is no such topic.
    #[error("The topic '{0}' does not exist.")]
    UnknownTopic(String),
    /// Nor could there be.
    #[error("Topic name is invalid: {0}")]
    InvalidTopicName(#[from] BadTopicName),
    /// The topic of no name would be the default of all, which Kafka does not have.
    #[error("Default topic resources are not allowed.")]
    DefaultTopic,
    /// The changes cannot be meant.
    #[error(transparent)]
    Changes(#[from] BadChanges),
    /// A topic's setting is wrong.
    #[error(transparent)]
    InvalidConfig(#[from] InvalidSetting),
    /// What is not a list has no items: of a broker, in other words than of a topic.
    #[error("Config value {operation} is not allowed for config key: {name}")]
    BrokerNotAList {
        /// `append` or `subtract`.
        operation: String,
        /// Which setting.
        name: String,
    },
    /// A broker's setting is wrong.
    #[error("{0}")]
    InvalidBrokerConfig(InvalidSetting),
    /// Settings that only a restart changes.
    #[error("Cannot update these configs dynamically: [{0}]")]
    ReadOnly(String),
    /// Together with a topic's own, the broker's setting makes no sense.
    #[error("the settings of topic '{topic}' would contradict each other: {source}")]
    Topic {
        /// Which.
        topic: String,
        /// Why.
        source: InvalidSetting,
    },
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] StorageError),
}

/// Whose settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerScope {
    /// This broker's.
    This,
    /// Every broker's.
    Every,
}

impl Broker {
    /// Changes a topic's overrides, or only says whether that could be done.
    pub async fn alter_topic_configs(
        self: &Arc<Self>,
        name: &str,
        changes: &ConfigChanges,
        validate_only: bool,
    ) -> Result<(), AlterConfigsError> {
        let (name, changes) = (name.to_owned(), changes.clone());
        let altered = self.whole(move |broker, turn| {
            async move { broker.alter_topic_configs_in_turn(&name, &changes, validate_only, &turn).await }.boxed()
        });
        altered.await?
    }

    async fn alter_topic_configs_in_turn(
        &self,
        name: &str,
        changes: &ConfigChanges,
        validate_only: bool,
        _turn: &ChangeTurn,
    ) -> Result<(), AlterConfigsError> {
        changes.check()?;
        if name.is_empty() {
            return Err(AlterConfigsError::DefaultTopic);
        }
        TopicName::parse(name)?;
        let unknown = || AlterConfigsError::UnknownTopic(name.to_owned());
        let topics = self.topics();
        let Some(topic) = topics.by_name(name) else {
            // As in Kafka, settings that could not be a topic's are named first.
            let overrides = self.altered(&Values::new(), changes)?;
            self.settings().topic_config(&overrides, Before::default())?;
            return Err(unknown());
        };
        let overrides = self.altered(&topic.overrides, changes)?;
        let config = self.reconfigured(&self.settings(), topic, &overrides)?;
        if validate_only || overrides == *topic.overrides {
            return Ok(());
        }
        if let Err(error) = self.catalog.set_topic_configs(topic.id, overrides.clone()).await {
            if may_be_made(&error) && self.settle_held().await.is_ok() {
                let now = self.topics();
                let is_made = now.by_id(topic.id).is_some_and(|topic| *topic.overrides == overrides);
                if is_made {
                    return Ok(());
                }
            }
            return Err(match error {
                TopicError::Storage(error) => error.into(),
                TopicError::Exists(_) | TopicError::Missing(_) | TopicError::Changed(_) => unknown(),
            });
        }
        self.registry.publish([configured(topic, overrides, config).await]);
        Ok(())
    }

    /// What a change makes of a topic's overrides.
    fn altered(&self, overrides: &Values, changes: &ConfigChanges) -> Result<Values, BadChanges> {
        let settings = self.settings();
        let kind = |name: &str| topic_setting(name).map(|setting| setting.kind);
        changes.applied(overrides, kind, |name| settings.topic_text(name, overrides))
    }

    /// What `overrides` make of the topic under these settings of the broker.
    pub(super) fn reconfigured(
        &self,
        settings: &BrokerSettings,
        topic: &Topic,
        overrides: &Values,
    ) -> Result<TopicConfig, InvalidSetting> {
        let has_remote_segments =
            topic.partitions.iter().filter_map(|partition| partition.tier()).any(|tier| tier.has_remote_segments());
        let before = Before { config: Some(&topic.config), has_remote_segments };
        settings.topic_config(overrides, before)
    }

    /// Changes the broker's settings, or only says whether that could be done.
    pub async fn alter_broker_configs(
        self: &Arc<Self>,
        scope: BrokerScope,
        changes: &ConfigChanges,
        validate_only: bool,
    ) -> Result<(), AlterConfigsError> {
        let changes = changes.clone();
        let altered = self.whole(move |broker, turn| {
            async move { broker.alter_broker_configs_in_turn(scope, &changes, validate_only, &turn).await }.boxed()
        });
        altered.await?
    }

    async fn alter_broker_configs_in_turn(
        &self,
        scope: BrokerScope,
        changes: &ConfigChanges,
        validate_only: bool,
        _turn: &ChangeTurn,
    ) -> Result<(), AlterConfigsError> {
        changes.check()?;
        let settings = self.settings();
        let mut dynamic = settings.dynamic().clone();
        let values = match scope {
            BrokerScope::This => &mut dynamic.broker,
            BrokerScope::Every => &mut dynamic.default,
        };
        let effective = |name: &str| settings.effective(name).unwrap_or_default();
        *values = changes.applied(values, BrokerSettings::kind, effective).map_err(|bad| match bad {
            BadChanges::NotAList { operation, name } => {
                AlterConfigsError::BrokerNotAList { operation: operation.to_lowercase(), name }
            }
            other => other.into(),
        })?;
        let values = values.clone();
        let fixed: Vec<_> =
            values.keys().filter(|name| !BrokerSettings::is_dynamic(name)).map(String::as_str).collect();
        if !fixed.is_empty() {
            return Err(AlterConfigsError::ReadOnly(fixed.join(", ")));
        }
        let after = settings.with_dynamic(dynamic).map_err(AlterConfigsError::InvalidBrokerConfig)?;
        // What a topic without settings of its own would have.
        after.topic_config(&Values::new(), Before::default()).map_err(AlterConfigsError::InvalidBrokerConfig)?;
        let topics = self.under(&after)?;
        if validate_only || after == *settings {
            return Ok(());
        }
        let broker = (scope == BrokerScope::This).then(|| self.id());
        if let Err(error) = self.catalog.set_broker_configs(broker, values.clone()).await {
            let is_made = outcome_is_unknown(&error)
                && self.settle_held().await.is_ok()
                && self.settings().dynamic() == after.dynamic();
            return if is_made { Ok(()) } else { Err(error.into()) };
        }
        tracing::info!(?scope, settings = ?values, "settings of the broker changed");
        self.put_in_effect(after, topics).await;
        Ok(())
    }

    /// Puts settings of the broker in effect, and what they make of each topic.
    async fn put_in_effect(&self, settings: BrokerSettings, topics: Vec<(Arc<Topic>, TopicConfig)>) {
        self.settings.store(Arc::new(settings));
        let mut changed = Vec::new();
        for (topic, config) in topics.into_iter().filter(|(topic, config)| *config != *topic.config) {
            changed.push(configured(&topic, Values::clone(&topic.overrides), config).await);
        }
        self.registry.publish(changed);
    }

    /// Brings the settings of the broker to what the catalog has, by whoever holds the topic lock.
    pub(super) async fn follow_settings(&self) -> Result<(), AlterConfigsError> {
        let settings = self.settings();
        let stored = Self::understood(self.stored_settings().await?, &settings);
        if stored == *settings.dynamic() {
            return Ok(());
        }
        let after = settings.with_dynamic(stored).map_err(AlterConfigsError::InvalidBrokerConfig)?;
        let topics = self.under(&after)?;
        tracing::info!("settings of the broker are as the catalog has them");
        self.put_in_effect(after, topics).await;
        Ok(())
    }

    /// Every topic with what it would have under other settings of the broker.
    fn under(&self, settings: &BrokerSettings) -> Result<Vec<(Arc<Topic>, TopicConfig)>, AlterConfigsError> {
        let topics = self.topics();
        let configured = topics.iter().map(|topic| match self.reconfigured(settings, topic, &topic.overrides) {
            Ok(config) => Ok((Arc::clone(topic), config)),
            Err(source) => Err(AlterConfigsError::Topic { topic: topic.name.as_str().to_owned(), source }),
        });
        configured.collect()
    }

    async fn stored_settings(&self) -> Result<DynamicSettings, StorageError> {
        Ok(DynamicSettings {
            broker: self.catalog.broker_configs(Some(self.id())).await?,
            default: self.catalog.broker_configs(None).await?,
        })
    }

    /// At start: what was set while an earlier process ran.
    pub(super) async fn load_settings(&self) -> Result<(), StorageError> {
        let start = self.settings();
        let dynamic = Self::understood(self.stored_settings().await?, &start);
        match start.with_dynamic(dynamic) {
            Ok(settings) => self.settings.store(Arc::new(settings)),
            Err(error) => tracing::error!(%error, "settings that were made while a broker ran are left out"),
        }
        Ok(())
    }

    /// Those that this version takes; a value that it does not is left out, and named.
    fn understood(mut dynamic: DynamicSettings, start: &BrokerSettings) -> DynamicSettings {
        for values in [&mut dynamic.broker, &mut dynamic.default] {
            values.retain(|name, value| {
                let alone = DynamicSettings { broker: [(name.clone(), value.clone())].into(), ..Default::default() };
                let problem = match start.with_dynamic(alone) {
                    Ok(_) if BrokerSettings::is_dynamic(name) => return true,
                    Ok(_) => "it cannot be changed while a broker runs".to_owned(),
                    Err(error) => error.to_string(),
                };
                tracing::warn!(name, value, problem, "a setting that was made while a broker ran is left out");
                false
            });
        }
        dynamic
    }
}

/// Puts settings in effect for a topic's partitions; returns the topic that has them.
pub(super) async fn configured(topic: &Topic, overrides: Values, config: TopicConfig) -> Arc<Topic> {
    let config = Arc::new(config);
    for partition in &topic.partitions {
        partition.set_config(Arc::clone(&config));
        // What cannot be done now is done by the next round.
        if let Some(tier) = partition.tier()
            && let Err(error) = tier.reconcile().await
        {
            let topic = topic.name.as_str();
            tracing::warn!(%error, topic, "what the settings mean for the bucket is left to the next round");
        }
    }
    let topic = Topic { overrides: Arc::new(overrides), config, ..topic.clone() };
    topic.warn_of_what_is_missing();
    Arc::new(topic)
}
