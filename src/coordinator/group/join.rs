//! JoinGroup.

use super::effects::{Answer, Effects, Ticket};
use super::error::GroupError;
use super::member::Member;
use super::messages::{JoinRefused, JoinRequest, Joined};
use super::now::Now;
use super::settings::NEW_MEMBER_JOIN_TIMEOUT_MS;
use super::state::{AfterSave, Group, GroupState, answer_join, answer_sync};

/// A join on its way through the group.
struct Joining<'a> {
    request: &'a JoinRequest,
    ticket: Ticket,
    now: Now,
}

impl Joining<'_> {
    fn refuse(&self, member_id: &str, error: GroupError, effects: &mut Effects) {
        answer_join(Some(self.ticket), JoinRefused { member_id: member_id.to_owned(), error }, effects);
    }

    fn accept(&self, joined: Joined, effects: &mut Effects) {
        effects.answers.push(Answer::Join(self.ticket, Ok(joined)));
    }
}

impl Group {
    /// A member wants a place in the next generation. `new_id` is what a new one will be called.
    pub fn join(&mut self, request: &JoinRequest, new_id: &str, ticket: Ticket, now: Now, effects: &mut Effects) {
        let joining = Joining { request, ticket, now };
        tracing::debug!(group = self.group_id, member = request.member_id, reason = request.reason, "a member joins");
        let newcomer = request.member_id.is_empty();
        if !self.has_room_for(&request.member_id) {
            self.dismiss(&request.member_id, effects);
            joining.refuse("", GroupError::GroupMaxSizeReached, effects);
            self.complete_join_unless_initial(now, effects);
        } else if self.state == GroupState::Dead {
            joining.refuse(&request.member_id, GroupError::CoordinatorNotAvailable, effects);
        } else if !self.suits(request) {
            joining.refuse(&request.member_id, GroupError::InconsistentGroupProtocol, effects);
        } else if newcomer {
            self.join_new(&joining, new_id, effects);
        } else {
            self.join_known(&joining, effects);
        }
    }

    fn has_room_for(&self, member_id: &str) -> bool {
        let member = self.members.members.get(member_id);
        match self.state {
            GroupState::Empty | GroupState::Dead => true,
            // Those who wait are counted and not the members: the last of an overfull group to come are left out.
            GroupState::PreparingRebalance => {
                member.is_some_and(|member| member.awaiting_join.is_some())
                    || self.members.awaiting_join() < self.settings.max_size
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                member.is_some() || self.members.members.len() < self.settings.max_size
            }
        }
    }

    fn suits(&self, request: &JoinRequest) -> bool {
        if self.state == GroupState::Empty {
            return !request.protocol_type.is_empty() && !request.protocols.is_empty();
        }
        self.agreed.protocol_type.as_deref() == Some(&request.protocol_type)
            && self.members.supports_any(&request.protocols)
    }

    fn join_new(&mut self, joining: &Joining<'_>, new_id: &str, effects: &mut Effects) {
        let request = joining.request;
        match &request.group_instance_id {
            Some(instance) if self.members.static_ids.contains_key(instance) => {
                self.join_again_static(joining, instance, new_id, effects);
            }
            None if request.requires_member_id => {
                let deadline = joining.now.after(request.session_timeout_ms);
                self.members.pending_join.insert(new_id.to_owned(), deadline);
                self.timers.wake(deadline);
                joining.refuse(new_id, GroupError::MemberIdRequired, effects);
            }
            _ => self.add(joining, new_id, effects),
        }
    }

    fn join_known(&mut self, joining: &Joining<'_>, effects: &mut Effects) {
        let request = joining.request;
        let member_id = request.member_id.as_str();
        let instance = request.group_instance_id.as_deref();
        if self.members.pending_join.contains_key(member_id) && instance.is_none() {
            self.add(joining, member_id, effects);
            return;
        }
        if let Err(error) = self.members.validate(member_id, instance) {
            joining.refuse(member_id, error, effects);
            return;
        }
        let changed = self.members.members.get(member_id).is_some_and(|member| member.protocols != request.protocols);
        let anew = match self.state {
            GroupState::PreparingRebalance => true,
            // The same again: the member did not get the answer to its join.
            GroupState::CompletingRebalance => changed,
            // A leader who joins wants a new assignment, for topics that changed.
            GroupState::Stable => changed || self.members.is_leader(member_id),
            GroupState::Empty | GroupState::Dead => {
                joining.refuse(member_id, GroupError::UnknownMemberId, effects);
                return;
            }
        };
        if anew {
            self.wait_in_join(joining, member_id, effects);
            self.rebalance_or_complete(joining.now, effects);
        } else {
            joining.accept(self.place_of(member_id), effects);
        }
    }

    fn add(&mut self, joining: &Joining<'_>, member_id: &str, effects: &mut Effects) {
        let request = joining.request;
        if self.members.members.is_empty() {
            self.agreed.protocol_type = Some(request.protocol_type.clone());
        }
        if self.state == GroupState::PreparingRebalance && self.previous == GroupState::Empty {
            self.timers.joined_lately = true;
        }
        let mut member = Member::new(request);
        member.awaiting_join = Some(joining.ticket);
        self.members.add(member_id, member);
        self.session_ends(member_id, joining.now.after(NEW_MEMBER_JOIN_TIMEOUT_MS));
        self.rebalance_or_complete(joining.now, effects);
    }

    /// The member's join waits from now on; an earlier one of the same member does so no longer.
    fn wait_in_join(&mut self, joining: &Joining<'_>, member_id: &str, effects: &mut Effects) {
        let Some(member) = self.members.members.get_mut(member_id) else { return };
        member.renew(joining.request);
        let earlier = member.awaiting_join.replace(joining.ticket);
        let outdated = JoinRefused { member_id: member_id.to_owned(), error: GroupError::RebalanceInProgress };
        answer_join(earlier, outdated, effects);
    }

    /// A static member whose process is new: it takes over its place, and whoever holds it is fenced.
    fn join_again_static(&mut self, joining: &Joining<'_>, instance: &str, new_id: &str, effects: &mut Effects) {
        let now = joining.now;
        let former_leader = self.members.leader.clone();
        let Some((old_id, old)) = self.members.rename_static(instance, new_id) else { return };
        tracing::info!(group = self.group_id, instance, "a static member came back");
        let fenced = JoinRefused { member_id: old_id, error: GroupError::FencedInstanceId };
        answer_join(old.awaiting_join, fenced, effects);
        answer_sync(old.awaiting_sync, GroupError::FencedInstanceId, effects);
        self.wait_in_join(joining, new_id, effects);
        self.extend_session(new_id, now);
        match self.state {
            GroupState::Stable if self.members.select_protocol() == self.agreed.protocol_name => {
                let member_id = new_id.to_owned();
                let can_skip_assignment = joining.request.can_skip_assignment;
                self.save(AfterSave::WelcomeBack { member_id, former_leader, can_skip_assignment }, effects);
            }
            // The leader may already have been told of the old id, and would assign to that one.
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(now, effects),
            GroupState::PreparingRebalance => self.complete_join_unless_initial(now, effects),
            GroupState::Empty | GroupState::Dead => {}
        }
    }

    /// The new id of a static member that came back during a stable generation is stored.
    pub(super) fn welcome_back(
        &mut self,
        member_id: &str,
        former_leader: Option<String>,
        can_skip_assignment: bool,
        effects: &mut Effects,
    ) {
        // Where a rebalance began meanwhile, the join waits for that instead.
        if self.state != GroupState::Stable {
            return;
        }
        let mut joined = self.place_of(member_id);
        if can_skip_assignment {
            joined.skip_assignment = self.members.is_leader(member_id);
        } else {
            // An older client that reads its own id as the leader's would assign anew: it is told of the old one.
            joined.leader = former_leader.unwrap_or_default();
            joined.members.clear();
        }
        let Some(member) = self.members.members.get_mut(member_id) else { return };
        effects.answers.extend(member.awaiting_join.take().map(|ticket| Answer::Join(ticket, Ok(joined))));
    }
}
