//! Changing a topic's settings.
//!
//! # Consistency
//! Checked as a whole, committed, then put in effect for every partition.

use std::sync::Arc;

use crate::model::settings::Before;

use super::create_topics::CreateTopicError;
use super::state::Broker;
use super::topic::{Overrides, Topic};

impl Broker {
    /// Changes a topic's overrides by `change`, or only says whether that could be done.
    pub async fn alter_topic_configs(
        &self,
        name: &str,
        change: impl FnOnce(&Topic, &mut Overrides) -> Result<(), CreateTopicError> + Send,
        validate_only: bool,
    ) -> Result<(), CreateTopicError> {
        let _one_at_a_time = self.changing.lock().await;
        let topic = self.topics().by_name(name).cloned().ok_or(CreateTopicError::Unknown)?;
        let mut overrides = Overrides::clone(&topic.overrides);
        change(&topic, &mut overrides)?;
        let has_remote_segments =
            topic.partitions.iter().filter_map(|partition| partition.tier()).any(|tier| tier.has_remote_segments());
        let before = Before { config: Some(&topic.config), has_remote_segments };
        let config = Arc::new(self.settings().topic_config(&overrides, before)?);
        if validate_only || overrides == *topic.overrides {
            return Ok(());
        }
        self.catalog.set_topic_configs(topic.id, overrides.clone()).await?;
        for partition in &topic.partitions {
            partition.set_config(Arc::clone(&config));
            // What cannot be done now is done by the next round.
            if let Some(tier) = partition.tier()
                && let Err(error) = tier.reconcile().await
            {
                tracing::warn!(%error, topic = name, "what the settings mean for the bucket is left to the next round");
            }
        }
        self.registry.publish([Arc::new(Topic { overrides: Arc::new(overrides), config, ..Topic::clone(&topic) })]);
        Ok(())
    }
}
