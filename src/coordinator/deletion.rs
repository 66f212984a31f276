//! Deleting groups, and offsets of groups, because somebody asks for it.
//!
//! # Consistency
//! A group is refused everything from the moment its deletion is decided; it is gone when the catalog has no trace of it.

use tokio::sync::oneshot;

use super::coordinator_of_groups::Coordinator;
use super::group::GroupError;
use super::group_event::{Absent, GroupEvent};
use super::offsets::TopicOffsets;
use super::resident::{PendingDelete, PendingForget};
use crate::model::TopicPartition;

type Waiting = oneshot::Receiver<Result<(), GroupError>>;

impl Coordinator {
    /// Deletes a group that has no members.
    pub async fn delete_group(&self, group_id: &str) -> Result<(), GroupError> {
        let begun = self.turn(group_id, Absent::Leave, |turn| {
            turn.owner.group.begin_delete()?;
            let (reply, waiting) = oneshot::channel();
            turn.owner.outbox.delete = Some(PendingDelete { reply: Some(reply) });
            Ok(waiting)
        });
        finish(begun.await?.unwrap_or(Err(GroupError::GroupIdNotFound))?).await
    }

    /// Deletes offsets: one outcome for each topic, in their order.
    pub async fn delete_offsets(
        &self,
        group_id: &str,
        topics: &[TopicOffsets],
    ) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        let begun = self.turn(group_id, Absent::Leave, |turn| begin_deleting(turn, topics)).await?;
        let (outcomes, waiting) = begun.unwrap_or(Err(GroupError::GroupIdNotFound))?;
        if let Some(waiting) = waiting {
            finish(waiting).await?;
        }
        Ok(outcomes)
    }
}

type Deleting = (Vec<Result<(), GroupError>>, Option<Waiting>);

fn begin_deleting(turn: &mut GroupEvent<'_>, topics: &[TopicOffsets]) -> Result<Deleting, GroupError> {
    let group = &turn.owner.group;
    group.may_delete_offsets()?;
    let mut outcomes = Vec::with_capacity(topics.len());
    let mut offsets = Vec::new();
    for topic in topics {
        let outcome = group.may_delete_offsets_of(&topic.topic);
        outcomes.push(outcome);
        if outcome.is_ok() {
            let partitions = topic.partitions.iter().map(|number| TopicPartition::new(topic.topic_id, *number));
            offsets.extend(partitions.filter_map(|tp| group.offset_of(&tp).map(|offset| (tp, offset.clone()))));
        }
    }
    if offsets.is_empty() {
        return Ok((outcomes, None));
    }
    let (reply, waiting) = oneshot::channel();
    turn.owner.outbox.forgets.push(PendingForget { offsets, reply: Some(reply) });
    Ok((outcomes, Some(waiting)))
}

async fn finish(waiting: Waiting) -> Result<(), GroupError> {
    waiting.await.unwrap_or(Err(GroupError::CoordinatorNotAvailable))
}
