//! Tables `groups` and `group_offsets`: what a coordinator writes of many groups at once.
//!
//! # Consistency
//! One transaction: all of a batch is there, or nothing of it. Within a batch groups are saved first, then offsets are
//! committed, then offsets and groups are forgotten.
//!
//! # Crash safety
//! Writing a batch again leaves what writing it once does, so that whoever does not know how a write ended may repeat it.
//!
//! # Cancellation
//! As for every write of the catalog: one that was handed over may be made without its caller.

use futures::FutureExt as _;

use super::catalog::Catalog;
use super::group_offsets::{GroupOffsetRow, commit, forget, last_of_each};
use super::groups::{GroupRow, delete, save};
use super::session::Session;
use super::storage_error::StorageError;

/// Changes of many groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupBatch {
    /// Groups as they are now.
    pub saved: Vec<GroupRow>,
    /// Commits; of those of one partition by one group the last counts.
    pub committed: Vec<GroupOffsetRow>,
    /// Commits that go, if they are still as they were read.
    pub forgotten: Vec<GroupOffsetRow>,
    /// Groups that go, with all their offsets.
    pub deleted: Vec<String>,
}

impl GroupBatch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.saved.is_empty() && self.committed.is_empty() && self.forgotten.is_empty() && self.deleted.is_empty()
    }
}

impl Catalog {
    /// Writes a batch.
    pub async fn write_groups(&self, mut batch: GroupBatch) -> Result<(), StorageError> {
        batch.committed = last_of_each(batch.committed);
        self.write(batch, |session, batch| async move { write(session, batch).await }.boxed()).await
    }
}

async fn write(session: &mut Session<'_>, batch: &GroupBatch) -> Result<(), StorageError> {
    for group in &batch.saved {
        save(session, group).await?;
    }
    commit(session, &batch.committed).await?;
    for row in &batch.forgotten {
        forget(session, row).await?;
    }
    for group_id in &batch.deleted {
        delete(session, group_id).await?;
    }
    Ok(())
}
