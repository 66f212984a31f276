//! Committing and reading offsets.
//!
//! # Consistency
//! A commit is answered when it is in the catalog, and read only after that.
//!
//! # Cancellation
//! A commit whose caller goes away, or waited too long, may still be stored.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::coordinator_of_groups::Coordinator;
use super::group::{CommitRequest, CommittedOffset, Group, GroupError};
use super::group_event::{Absent, GroupEvent};
use super::resident::{CommitReply, PendingCommit};
use crate::model::limits::GROUP_COMMITS_KIB_MAX;
use crate::model::{TopicId, TopicPartition};

/// Partitions of one topic whose offsets are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicOffsets {
    /// The topic.
    pub topic_id: TopicId,
    /// Its name, which members are subscribed by.
    pub topic: String,
    /// Which of its partitions.
    pub partitions: Vec<i32>,
}

/// How a commit begins.
enum Begun {
    /// Nothing of it has to be stored.
    Answered(CommitReply),
    /// It is on its way.
    Stored(oneshot::Receiver<CommitReply>),
}

impl Coordinator {
    /// Commits offsets: one outcome for each. A group that does not exist comes to be, if the committer is no member.
    pub async fn commit(&self, group_id: &str, request: CommitRequest) -> CommitReply {
        tokio::select! {
            biased;
            reply = self.commit_stored(group_id, &request) => reply,
            () = self.clock.sleep(self.commit_timeout) => Err(GroupError::CoordinatorNotAvailable),
        }
    }

    async fn commit_stored(&self, group_id: &str, request: &CommitRequest) -> CommitReply {
        let permits = u32::try_from(kib_of(group_id, request)).unwrap_or(u32::MAX);
        let budget = Arc::clone(&self.commits).acquire_many_owned(permits).await;
        let budget = budget.map_err(|_| GroupError::CoordinatorNotAvailable)?;
        let absent = if request.generation < 0 { Absent::Create } else { Absent::Leave };
        let is_full = self.make_room().is_err();
        let begun = self
            .turn(group_id, absent, |turn| {
                if is_full && adds(&turn.owner.group, request) {
                    return Begun::Answered(Err(GroupError::CoordinatorNotAvailable));
                }
                match turn.owner.group.commit(request, turn.now) {
                    Err(error) => Begun::Answered(Err(error)),
                    Ok((outcomes, offsets)) if offsets.is_empty() => Begun::Answered(Ok(outcomes)),
                    Ok((outcomes, offsets)) => {
                        let (reply, stored) = oneshot::channel();
                        let commit = PendingCommit { offsets, outcomes, reply: Some(reply), _budget: budget };
                        turn.owner.outbox.commits.push(commit);
                        self.commits_pending.fetch_add(1, Ordering::Relaxed);
                        Begun::Stored(stored)
                    }
                }
            })
            .await?;
        match begun.ok_or(GroupError::GroupIdNotFound)? {
            Begun::Answered(reply) => reply,
            Begun::Stored(stored) => stored.await.unwrap_or(Err(GroupError::CoordinatorNotAvailable)),
        }
    }

    /// Commits that are decided and not stored yet.
    pub fn pending_commits(&self) -> usize {
        self.commits_pending.load(Ordering::Relaxed)
    }

    /// What a group has committed of these partitions, or of all; nothing of those of which it has not.
    pub async fn offsets(
        &self,
        group_id: &str,
        wanted: Option<&[TopicPartition]>,
    ) -> Result<Vec<(TopicPartition, CommittedOffset)>, GroupError> {
        let read = |turn: &mut GroupEvent<'_>| match wanted {
            None => turn.owner.group.all_offsets(),
            Some(wanted) => wanted
                .iter()
                .filter_map(|tp| turn.owner.group.offset_of(tp).map(|offset| (*tp, offset.clone())))
                .collect(),
        };
        Ok(self.turn(group_id, Absent::Leave, read).await?.unwrap_or_default())
    }
}

/// Whether the group would know of more partitions than before.
fn adds(group: &Group, request: &CommitRequest) -> bool {
    request.offsets.iter().any(|offset| group.offset_of(&offset.partition).is_none())
}

/// What a commit takes in memory while it waits, about.
fn kib_of(group_id: &str, request: &CommitRequest) -> usize {
    let bytes: usize = request.offsets.iter().map(|offset| 256 + 2 * (group_id.len() + offset.metadata.len())).sum();
    (bytes / 1024 + 1).min(GROUP_COMMITS_KIB_MAX)
}
