//! What members ask: join, sync, heartbeat, leave.
//!
//! # Cancellation
//! A join or sync whose caller goes away stays in the group: the member is still waited for, until its session ends.

use uuid::Builder;

use super::coordinator_of_groups::Coordinator;
use super::group::{GroupError, Heartbeat, JoinRefused, JoinReply, JoinRequest, Leaving, SyncReply, SyncRequest};
use super::group_event::Absent;

impl Coordinator {
    /// A member wants a place in the next generation; ends when that begins, or before with a refusal.
    pub async fn join(&self, group_id: &str, request: JoinRequest) -> JoinReply {
        let joined = self.ask_to_join(group_id, &request).await;
        joined.unwrap_or_else(|error| Err(JoinRefused { member_id: request.member_id, error }))
    }

    async fn ask_to_join(&self, group_id: &str, request: &JoinRequest) -> Result<JoinReply, GroupError> {
        named(group_id)?;
        let timeouts = self.settings.min_session_timeout_ms..=self.settings.max_session_timeout_ms;
        if !timeouts.contains(&request.session_timeout_ms) {
            return Err(GroupError::InvalidSessionTimeout);
        }
        let is_new = request.member_id.is_empty();
        if is_new {
            self.make_room()?;
        }
        let new_id = self.new_member_id(request);
        let absent = if is_new { Absent::Create } else { Absent::Leave };
        let waiting = self
            .turn(group_id, absent, |turn| {
                let (ticket, waiting) = turn.owner.await_join();
                turn.owner.group.join(request, &new_id, ticket, turn.now, &mut turn.effects);
                turn.members_changed = true;
                waiting
            })
            .await?
            .ok_or(GroupError::UnknownMemberId)?;
        tokio::select! {
            biased;
            reply = waiting => reply.map_err(|_| GroupError::CoordinatorNotAvailable),
            () = self.closing.cancelled() => Err(GroupError::CoordinatorNotAvailable),
        }
    }

    /// As Kafka calls them: by what they call themselves, and something that nobody else has.
    fn new_member_id(&self, request: &JoinRequest) -> String {
        let called = request.group_instance_id.as_deref().unwrap_or(&request.client_id);
        format!("{called}-{}", Builder::from_random_bytes((self.random)()).into_uuid())
    }

    /// A member wants its share; ends when the leader's assignment is stored.
    pub async fn sync(&self, group_id: &str, request: SyncRequest) -> SyncReply {
        named(group_id)?;
        let waiting = self
            .turn(group_id, Absent::Leave, |turn| {
                let (ticket, waiting) = turn.owner.await_sync();
                turn.owner.group.sync(&request, ticket, &mut turn.effects);
                waiting
            })
            .await?
            .ok_or(GroupError::UnknownMemberId)?;
        tokio::select! {
            biased;
            reply = waiting => reply.unwrap_or(Err(GroupError::CoordinatorNotAvailable)),
            () = self.closing.cancelled() => Err(GroupError::CoordinatorNotAvailable),
        }
    }

    /// A member lives.
    pub async fn heartbeat(&self, group_id: &str, request: &Heartbeat) -> Result<(), GroupError> {
        named(group_id)?;
        let alive = self.turn(group_id, Absent::Leave, |turn| turn.owner.group.heartbeat(request, turn.now)).await?;
        alive.unwrap_or(Err(GroupError::UnknownMemberId))
    }

    /// Members go. One outcome for each, in their order.
    pub async fn leave(&self, group_id: &str, leaving: &[Leaving]) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        named(group_id)?;
        let left = self.turn(group_id, Absent::Leave, |turn| {
            turn.members_changed = true;
            turn.owner.group.leave(leaving, turn.now, &mut turn.effects)
        });
        left.await?.unwrap_or_else(|| Ok(vec![Err(GroupError::UnknownMemberId); leaving.len()]))
    }
}

/// Members' groups have names.
fn named(group_id: &str) -> Result<(), GroupError> {
    if group_id.is_empty() { Err(GroupError::InvalidGroupId) } else { Ok(()) }
}
