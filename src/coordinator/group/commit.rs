//! Committed offsets: who may commit, fetch and delete them, and when they expire.
//!
//! A commit is allowed first, stored then, and in the group only after that: [`Group::commit`], the store,
//! [`Group::committed`].

use crate::model::{LeaderEpoch, Offset, TopicId, TopicPartition};

use super::error::GroupError;
use super::now::Now;
use super::state::{Group, GroupState};
use super::subscription;

/// OffsetCommit, of a member or of somebody who only commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRequest {
    /// Empty without a membership.
    pub member_id: String,
    /// The static member's name.
    pub group_instance_id: Option<String>,
    /// −1 without a membership.
    pub generation: i32,
    /// How long to keep the offsets, where the version (2 to 4) says so.
    pub retention_ms: Option<i64>,
    /// What to commit.
    pub offsets: Vec<OffsetToCommit>,
}

/// One partition of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetToCommit {
    /// Which partition.
    pub partition: TopicPartition,
    /// Where to go on.
    pub offset: Offset,
    /// The epoch of the last record read, where known.
    pub leader_epoch: Option<LeaderEpoch>,
    /// Whatever the client wants to remember with it.
    pub metadata: String,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// Where to go on.
    pub offset: Offset,
    /// The epoch of the last record read, where known.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The client's own.
    pub metadata: String,
    /// When, by the wall clock.
    pub committed_at_ms: i64,
    /// When it expires, where the client said so.
    pub expires_at_ms: Option<i64>,
}

/// What a commit comes to: one outcome for each offset, and those to store.
pub type Committing = (Vec<Result<(), GroupError>>, Vec<(TopicPartition, CommittedOffset)>);

impl Group {
    /// Whether this may be committed, and what of it. What comes out is on its way until `committed` says so.
    pub fn commit(&mut self, request: &CommitRequest, now: Now) -> Result<Committing, GroupError> {
        self.may_commit(request)?;
        if matches!(self.state, GroupState::Stable | GroupState::PreparingRebalance) {
            self.extend_session(&request.member_id, now);
        }
        let expires_at_ms = request.retention_ms.map(|retention_ms| now.unix_ms.saturating_add(retention_ms));
        let mut outcomes = Vec::with_capacity(request.offsets.len());
        let mut to_store = Vec::with_capacity(request.offsets.len());
        for offset in &request.offsets {
            // Java counts characters as UTF-16 does.
            if offset.metadata.encode_utf16().count() > self.settings.offset_metadata_max_bytes {
                outcomes.push(Err(GroupError::OffsetMetadataTooLarge));
                continue;
            }
            outcomes.push(Ok(()));
            let committed = CommittedOffset {
                offset: offset.offset,
                leader_epoch: offset.leader_epoch,
                metadata: offset.metadata.clone(),
                committed_at_ms: now.unix_ms,
                expires_at_ms,
            };
            to_store.push((offset.partition, committed));
        }
        self.offsets.on_their_way += to_store.len();
        Ok((outcomes, to_store))
    }

    fn may_commit(&self, request: &CommitRequest) -> Result<(), GroupError> {
        if self.state == GroupState::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        if request.generation < 0 && self.state == GroupState::Empty {
            return Ok(());
        }
        let instance = request.group_instance_id.as_deref();
        if request.generation < 0 && request.member_id.is_empty() && instance.is_none() {
            // Somebody without a membership, while others have one.
            return Err(GroupError::UnknownMemberId);
        }
        self.members.validate(&request.member_id, instance)?;
        if request.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        if self.state == GroupState::CompletingRebalance {
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }

    /// The store has answered for offsets that `commit` gave out.
    pub fn committed(&mut self, offsets: Vec<(TopicPartition, CommittedOffset)>, stored: bool) {
        self.offsets.on_their_way = self.offsets.on_their_way.saturating_sub(offsets.len());
        if stored {
            self.restore_offsets(offsets);
        }
    }

    /// Offsets that are in the store.
    pub fn restore_offsets(&mut self, offsets: impl IntoIterator<Item = (TopicPartition, CommittedOffset)>) {
        for (partition, offset) in offsets {
            self.offsets.put(partition, offset);
        }
    }

    /// Whether offsets are allowed and not yet stored.
    pub fn has_commits_on_their_way(&self) -> bool {
        self.offsets.on_their_way > 0
    }

    /// The committed offset of a partition.
    pub fn offset_of(&self, partition: &TopicPartition) -> Option<&CommittedOffset> {
        if self.state == GroupState::Dead { None } else { self.offsets.get(partition) }
    }

    /// All committed offsets.
    pub fn all_offsets(&self) -> Vec<(TopicPartition, CommittedOffset)> {
        if self.state == GroupState::Dead {
            return Vec::new();
        }
        self.offsets.all().map(|(partition, offset)| (*partition, offset.clone())).collect()
    }

    /// Whether offsets may be deleted at all.
    pub fn may_delete_offsets(&self) -> Result<(), GroupError> {
        match self.state {
            GroupState::Dead => Err(GroupError::GroupIdNotFound),
            GroupState::Empty => Ok(()),
            _ if self.agreed.protocol_type.as_deref() == Some(subscription::CONSUMER) => Ok(()),
            _ => Err(GroupError::NonEmptyGroup),
        }
    }

    /// Whether offsets of this topic may be deleted.
    pub fn may_delete_offsets_of(&self, topic: &str) -> Result<(), GroupError> {
        if self.is_subscribed_to(topic) { Err(GroupError::GroupSubscribedToTopic) } else { Ok(()) }
    }

    /// Offsets that are no longer in the store.
    pub fn offsets_deleted(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.offsets.remove(partition);
        }
    }

    /// Which offsets of a topic there are.
    pub fn partitions_of(&self, topic_id: TopicId) -> Vec<TopicPartition> {
        self.offsets.of_topic(topic_id).collect()
    }

    /// Offsets whose time is over. Only an empty group loses any: from when it became empty, or, if nobody ever
    /// joined it, from each commit.
    pub fn expired_offsets(&self, now: Now) -> Vec<TopicPartition> {
        if self.state != GroupState::Empty {
            return Vec::new();
        }
        let empty_since = self.agreed.protocol_type.as_ref().and(self.state_since_ms);
        let expired = |offset: &CommittedOffset| match offset.expires_at_ms {
            Some(at) => now.unix_ms >= at,
            None => {
                let since = empty_since.unwrap_or(offset.committed_at_ms);
                now.unix_ms.saturating_sub(since) >= self.settings.offsets_retention_ms
            }
        };
        self.offsets.all().filter(|(_, offset)| expired(offset)).map(|(partition, _)| *partition).collect()
    }

    /// Whether nothing happens by itself any more: what the store holds is all there is.
    pub fn is_at_rest(&self) -> bool {
        self.state == GroupState::Empty
            && self.offsets.on_their_way == 0
            && self.members.pending_join.is_empty()
            && self.saving.is_empty()
    }

    /// Whether nothing is left that would have to be kept.
    pub fn is_forgettable(&self) -> bool {
        self.is_at_rest() && self.offsets.is_empty()
    }

    /// The group is about to be deleted from the store.
    pub fn begin_delete(&mut self) -> Result<(), GroupError> {
        match self.state {
            GroupState::Dead => Err(GroupError::GroupIdNotFound),
            GroupState::Empty => {
                self.state = GroupState::Dead;
                Ok(())
            }
            _ => Err(GroupError::NonEmptyGroup),
        }
    }

    /// It could not be deleted, and goes on.
    pub fn delete_failed(&mut self) {
        if self.state == GroupState::Dead {
            self.state = GroupState::Empty;
        }
    }
}
