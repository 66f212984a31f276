//! SyncGroup, and what follows when a state has been stored.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::effects::{Answer, Effects, SaveId, Ticket};
use super::error::GroupError;
use super::messages::{JoinRefused, SyncRequest, Synced};
use super::now::Now;
use super::state::{AfterSave, Group, GroupState, Saving, answer_join, answer_sync};

impl Group {
    /// A member asks for its share; the leader brings everyone's.
    pub fn sync(&mut self, request: &SyncRequest, ticket: Ticket, effects: &mut Effects) {
        if let Err(error) = self.may_sync(request) {
            answer_sync(Some(ticket), error, effects);
            return;
        }
        let member_id = request.member_id.as_str();
        self.members.pending_sync.remove(member_id);
        if self.members.pending_sync.is_empty() {
            self.timers.sync = None;
        }
        if self.state == GroupState::Stable {
            let share = self.share_of(member_id);
            effects.answers.push(Answer::Sync(ticket, Ok(share)));
            return;
        }
        if let Some(member) = self.members.members.get_mut(member_id) {
            let earlier = member.awaiting_sync.replace(ticket);
            answer_sync(earlier, GroupError::RebalanceInProgress, effects);
        }
        if self.members.is_leader(member_id) {
            self.store_assignment(request, effects);
        }
    }

    fn may_sync(&self, request: &SyncRequest) -> Result<(), GroupError> {
        match self.state {
            GroupState::Dead => return Err(GroupError::CoordinatorNotAvailable),
            GroupState::Empty => return Err(GroupError::UnknownMemberId),
            _ => {}
        }
        self.members.validate(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        let differs = |said: &Option<String>, agreed: &Option<String>| said.is_some() && said != agreed;
        if differs(&request.protocol_type, &self.agreed.protocol_type)
            || differs(&request.protocol_name, &self.agreed.protocol_name)
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        if self.state == GroupState::PreparingRebalance {
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }

    /// The shares go to the store first; who is given them afterwards survives a restart.
    fn store_assignment(&mut self, request: &SyncRequest, effects: &mut Effects) {
        let mut given: BTreeMap<&str, &Bytes> = BTreeMap::new();
        given.extend(request.assignments.iter().map(|(member_id, share)| (member_id.as_str(), share)));
        let ids = self.members.members.keys();
        let shares: Vec<(String, Bytes)> = ids
            .map(|id| {
                (id.clone(), given.get(id.as_str()).map(|share| Bytes::copy_from_slice(share)).unwrap_or_default())
            })
            .collect();
        self.save(AfterSave::Assign(shares.clone()), effects);
        if let Some(save) = &mut effects.save {
            save.record.assign(shares);
        }
    }

    fn share_of(&self, member_id: &str) -> Synced {
        let member = self.members.members.get(member_id);
        Synced {
            protocol_type: self.agreed.protocol_type.clone(),
            protocol_name: self.agreed.protocol_name.clone(),
            assignment: member.map(|member| member.assignment.clone()).unwrap_or_default(),
        }
    }

    /// A state was stored, or was not; states that were replaced before they were sent count as stored with this one.
    pub fn saved(&mut self, id: SaveId, stored: bool, now: Now, effects: &mut Effects) {
        let (done, waiting): (Vec<Saving>, Vec<Saving>) =
            std::mem::take(&mut self.saving).into_iter().partition(|saving| saving.id.0 <= id.0);
        self.saving = waiting;
        for saving in done {
            match saving.then {
                AfterSave::Nothing => {}
                AfterSave::Assign(shares) => self.assignment_stored(saving.generation, shares, stored, now, effects),
                AfterSave::WelcomeBack { member_id, former_leader, can_skip_assignment } if stored => {
                    self.welcome_back(&member_id, former_leader, can_skip_assignment, effects);
                }
                AfterSave::WelcomeBack { member_id, .. } => self.not_welcome(&member_id, effects),
            }
        }
    }

    fn assignment_stored(
        &mut self,
        generation: i32,
        shares: Vec<(String, Bytes)>,
        stored: bool,
        now: Now,
        effects: &mut Effects,
    ) {
        if self.state != GroupState::CompletingRebalance || generation != self.generation {
            return;
        }
        if !stored {
            self.give_up_assignment(GroupError::CoordinatorNotAvailable, now, effects);
            self.prepare_rebalance(now, effects);
            return;
        }
        for (member_id, share) in shares {
            if let Some(member) = self.members.members.get_mut(&member_id) {
                member.assignment = share;
            }
        }
        self.enter(GroupState::Stable, now);
        let ids: Vec<String> = self.members.members.keys().cloned().collect();
        for member_id in ids {
            let share = self.share_of(&member_id);
            let Some(member) = self.members.members.get_mut(&member_id) else { continue };
            let Some(ticket) = member.awaiting_sync.take() else { continue };
            effects.answers.push(Answer::Sync(ticket, Ok(share)));
            self.extend_session(&member_id, now);
        }
    }

    /// A new member id could not be stored: the client begins anew.
    fn not_welcome(&mut self, member_id: &str, effects: &mut Effects) {
        if self.state != GroupState::Stable {
            return;
        }
        let Some(member) = self.members.members.get_mut(member_id) else { return };
        let refused = JoinRefused { member_id: String::new(), error: GroupError::CoordinatorNotAvailable };
        answer_join(member.awaiting_join.take(), refused, effects);
    }
}
