//! Which logs were made in the data directory: one small file per topic, beside the logs and not among them, that holds how
//! many of its partitions have had a log. Where a log was made and nothing of it is there, its folder was lost.
//!
//! # Consistency
//! Written when the logs are open and before anybody may append to them; it only rises. A topic from an earlier version has
//! none until it was opened once.
//!
//! # Retries
//! None: whoever opens a topic fails with it.
//!
//! # Cancellation
//! A write that was begun ends.
//!
//! # Crash safety
//! Replaced whole, durably. A file that is lost or damaged proves nothing: then no log counts as made.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::TopicId;

use super::state::Broker;

/// The folder, in the data directory.
const MADE: &str = "made";

impl Broker {
    fn made_path(&self, id: TopicId) -> PathBuf {
        self.data_dir.path().join(MADE).join(id.to_string())
    }

    /// How many partitions of a topic have had a log here.
    pub(super) async fn made_partitions(&self, id: TopicId) -> io::Result<i32> {
        let (disk, path) = (Arc::clone(&self.disk), self.made_path(id));
        let read = tokio::task::spawn_blocking(move || disk.read_all(&path));
        let bytes = read.await.map_err(io::Error::other)??;
        let count = bytes.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.trim().parse().ok());
        Ok(count.unwrap_or(0))
    }

    /// Notes that so many have.
    pub(super) async fn note_made(&self, id: TopicId, count: i32) -> io::Result<()> {
        let (disk, path) = (Arc::clone(&self.disk), self.made_path(id));
        let write = move || {
            disk.create_dir_all_durable(crate::disk::parent_of(&path))?;
            disk.replace_durable(&path, format!("{count}\n").as_bytes())
        };
        tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
    }

    /// Forgets a topic that is deleted. What stays of it does no harm: no other topic ever has that id.
    pub(super) async fn forget_made(&self, id: TopicId) {
        let (disk, path) = (Arc::clone(&self.disk), self.made_path(id));
        let removed = tokio::task::spawn_blocking(move || disk.remove_file(&path)).await.map_err(io::Error::other);
        match removed.and_then(|removed| removed) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, id = %id, "the note that a deleted topic had logs cannot be removed");
            }
            _ => {}
        }
    }
}
