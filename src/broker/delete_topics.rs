//! Deleting topics.
//!
//! # Consistency
//! The catalog marks the topic and fences its leaders in one transaction; from then on nobody is served. Then its control
//! file in the bucket says so, then the client is answered. Its folders, its objects and its row go afterwards.
//!
//! # Crash safety
//! Whatever a crash leaves of a deleted topic is named by its row and removed at the next start.

use std::path::Path;
use std::sync::Arc;

use crate::disk::parent_of;
use crate::model::{TopicId, TopicName};

use super::create_topics::CreateTopicError;
use super::state::Broker;

impl Broker {
    /// Deletes a topic. Its name is free when this returns.
    pub async fn delete_topic(self: &Arc<Self>, id: TopicId) -> Result<(), CreateTopicError> {
        if !self.settings().switch("delete.topic.enable") {
            return Err(CreateTopicError::DeletionDisabled);
        }
        let _one_at_a_time = self.changing.lock().await;
        let topic = self.topics().by_id(id).cloned().ok_or(CreateTopicError::Unknown)?;
        self.catalog.delete_topic(id).await?;
        self.registry.withdraw(id);
        self.coordinator.topic_deleted(id).await;
        for partition in &topic.partitions {
            partition.retire();
        }
        self.tiers.note_deleted(id).await;
        tracing::info!(topic = topic.name.as_str(), id = %id, "topic deleted");
        let broker = Arc::clone(self);
        let name = topic.name.clone();
        self.tasks.spawn(async move { broker.finish_deletion(&name, id).await });
        Ok(())
    }

    /// Removes what is left of a deleted topic. What cannot be removed now is tried again at the next start.
    pub(super) async fn finish_deletion(&self, name: &TopicName, id: TopicId) {
        let dir = self.topic_dir(name, id);
        let disk = Arc::clone(&self.disk);
        let removed = tokio::task::spawn_blocking(move || remove_topic_dir(disk.as_ref(), &dir)).await;
        match removed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, topic = name.as_str(), "the folder of a deleted topic cannot be removed");
                return;
            }
            Err(panic) => {
                tracing::error!(%panic, topic = name.as_str(), "removing the folder of a deleted topic panicked");
                return;
            }
        }
        match self.catalog.purge_topic(id).await {
            Ok(true) => tracing::info!(topic = name.as_str(), id = %id, "nothing is left of a deleted topic"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, topic = name.as_str(), "a deleted topic's row cannot be removed yet"),
        }
    }
}

fn remove_topic_dir(disk: &dyn crate::disk::Disk, dir: &Path) -> std::io::Result<()> {
    disk.remove_dir_all(dir)?;
    let named = parent_of(dir);
    if disk.try_exists(named)? {
        if disk.read_dir(named)?.is_empty() {
            disk.remove_dir(named)?;
            return disk.sync_dir(parent_of(named));
        }
        disk.sync_dir(named)?;
    }
    Ok(())
}
