//! Deleting topics.
//!
//! # Consistency
//! The catalog marks the topic and fences its leaders in one transaction; from then on nobody is served. Then its control
//! file in the bucket says so, then the client is answered; a bucket that does not answer is not waited for, and holds up
//! no other change. Its folders, its objects and its row go afterwards, the row last: it is what names the rest.
//!
//! # Retries
//! Work on its partitions that had begun before may still make and rename files: the folder is renamed first, and whoever
//! comes by the old path finds nothing. What cannot be removed, or cannot be noted in the bucket before the row goes, is
//! tried again with every sweep and at the next start.
//!
//! # Cancellation
//! A change that has begun ends without its caller: see `whole_changes`.
//!
//! # Crash safety
//! Whatever a crash leaves of a deleted topic is named by its row and removed at the next start.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use futures::FutureExt as _;
use parking_lot::Mutex;

use crate::catalog::{StorageError, TopicError};
use crate::disk::{Disk, parent_of, with_suffix};
use crate::model::{TopicId, TopicName};

use super::follow_catalog::may_be_made;
use super::state::Broker;
use super::topic::Topic;
use super::whole_changes::ChangeTurn;

/// What the folder of a deleted topic is called while it goes.
pub(super) const GOING: &str = ".deleted";

/// Deleted topics of which something could not be removed yet.
#[derive(Debug, Default)]
pub(super) struct Undone {
    topics: Mutex<BTreeSet<TopicId>>,
    /// Two that remove the same folder would both fail.
    removing: tokio::sync::Mutex<()>,
}

/// A topic was not deleted. The texts are what clients are shown.
#[derive(Debug, thiserror::Error)]
pub enum DeleteTopicError {
    /// There is none of that id.
    #[error("This server does not host this topic ID.")]
    Unknown,
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] StorageError),
}

impl From<TopicError> for DeleteTopicError {
    fn from(error: TopicError) -> Self {
        match error {
            TopicError::Exists(_) | TopicError::Missing(_) | TopicError::Changed(_) => Self::Unknown,
            TopicError::Storage(error) => Self::Catalog(error),
        }
    }
}

impl Broker {
    /// Whether topics can be deleted: `delete.topic.enable`.
    pub fn may_delete_topics(&self) -> bool {
        self.settings().switch("delete.topic.enable")
    }

    /// Deletes a topic. Its name is free when this returns.
    pub async fn delete_topic(self: &Arc<Self>, id: TopicId) -> Result<(), DeleteTopicError> {
        self.whole(move |broker, turn| async move { broker.delete_topic_in_turn(id, turn).await }.boxed()).await?
    }

    async fn delete_topic_in_turn(self: &Arc<Self>, id: TopicId, turn: ChangeTurn) -> Result<(), DeleteTopicError> {
        let topic = self.topics().by_id(id).cloned().ok_or(DeleteTopicError::Unknown)?;
        if let Err(error) = self.catalog.delete_topic(id).await {
            // It may have been deleted all the same, now or when this was asked for before.
            if may_be_made(&error) && self.settle_held().await.is_ok() && self.topics().by_id(id).is_none() {
                return Ok(());
            }
            return Err(error.into());
        }
        self.forget(&topic).await;
        drop(turn);
        self.tiers.note_deleted(id).await;
        let broker = Arc::clone(self);
        let name = topic.name.clone();
        self.tasks.spawn(async move { broker.finish_deletion(&name, id).await });
        Ok(())
    }

    /// Ends a topic that the catalog has no more: nobody is served, and groups forget it.
    pub(super) async fn forget(&self, topic: &Topic) {
        self.registry.withdraw(topic.id);
        self.coordinator.topic_deleted(topic.id).await;
        for partition in &topic.partitions {
            partition.retire();
        }
        tracing::info!(topic = topic.name.as_str(), id = %topic.id, "topic deleted");
    }

    /// Removes what is left of a deleted topic. What cannot be removed now is tried again, and the row stays until then.
    pub(super) async fn finish_deletion(&self, name: &TopicName, id: TopicId) {
        if let Err(error) = self.remove_folder(name, id).await {
            tracing::error!(%error, topic = name.as_str(), "the folder of a deleted topic cannot be removed yet");
            self.undone.topics.lock().insert(id);
            return;
        }
        self.forget_made(id).await;
        // Before the row, which is the last that knows: whoever rebuilds a catalog believes the file. It may have been noted
        // already, or not: the bucket was away, or a crash came between.
        if !self.tiers.note_deleted(id).await {
            self.undone.topics.lock().insert(id);
            return;
        }
        match self.catalog.purge_topic(id).await {
            Ok(true) => tracing::info!(topic = name.as_str(), id = %id, "nothing is left of a deleted topic"),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, topic = name.as_str(), "a deleted topic's row cannot be removed yet");
                self.undone.topics.lock().insert(id);
            }
        }
    }

    /// Tries again what could not be removed.
    pub(super) async fn retry_deletions(&self) {
        let undone = self.undone.topics.lock().clone();
        for id in undone {
            self.undone.topics.lock().remove(&id);
            self.finish_emptied(id).await;
        }
    }

    /// Objects of this topic have gone. If it is deleted and they were the last, so is what else is left of it.
    pub(super) async fn finish_emptied(&self, id: TopicId) {
        match self.catalog.topic(id).await {
            Ok(Some(row)) if row.deleted => self.finish_deletion(&row.name, id).await,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, %id, "whether a topic is deleted cannot be asked now");
                self.undone.topics.lock().insert(id);
            }
        }
    }

    async fn remove_folder(&self, name: &TopicName, id: TopicId) -> io::Result<()> {
        {
            let _one_at_a_time = self.undone.removing.lock().await;
            let (disk, dir) = (Arc::clone(&self.disk), self.topic_dir(name, id));
            let removed = tokio::task::spawn_blocking(move || remove_moved(disk.as_ref(), &dir)).await;
            removed.map_err(io::Error::other)??;
        }
        // Under the lock, so that no new topic of that name makes its folder at the same time.
        let _one_at_a_time = self.changing.lock().await;
        let named = parent_of(&self.topic_dir(name, id)).to_owned();
        let disk = Arc::clone(&self.disk);
        tokio::task::spawn_blocking(move || remove_if_empty(disk.as_ref(), &named)).await.map_err(io::Error::other)?
    }
}

/// Renames a folder and removes it then. A full disk may have no room for the new name: then it goes where it is.
fn remove_moved(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    let going = with_suffix(dir, GOING);
    disk.remove_dir_all(&going)?;
    if disk.try_exists(dir)? {
        match disk.rename_durable(dir, &going) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => disk.remove_dir_all(dir)?,
            other => other?,
        }
    }
    disk.remove_dir_all(&going)
}

/// The folder of a name goes with the last topic that had the name.
fn remove_if_empty(disk: &dyn Disk, named: &Path) -> io::Result<()> {
    if disk.try_exists(named)? {
        if disk.read_dir(named)?.is_empty() {
            disk.remove_dir(named)?;
            return disk.sync_dir(parent_of(named));
        }
        disk.sync_dir(named)?;
    }
    Ok(())
}
