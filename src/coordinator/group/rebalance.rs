//! From one generation to the next: the join phase begins, is extended, ends.

use super::effects::{Answer, Effects};
use super::error::GroupError;
use super::messages::Joined;
use super::now::Now;
use super::state::{AfterSave, Group, GroupState, answer_sync};
use super::timers::{JoinTimer, JoinTimerKind};

impl Group {
    /// A member came, changed or went: begins a join phase, or ends the one that runs if nobody is missing any more.
    pub(super) fn rebalance_or_complete(&mut self, now: Now, effects: &mut Effects) {
        match self.state {
            GroupState::Empty | GroupState::Stable | GroupState::CompletingRebalance => {
                self.prepare_rebalance(now, effects);
            }
            GroupState::PreparingRebalance => self.complete_join_unless_initial(now, effects),
            GroupState::Dead => {}
        }
    }

    /// Begins a join phase.
    pub(super) fn prepare_rebalance(&mut self, now: Now, effects: &mut Effects) {
        if self.state == GroupState::CompletingRebalance {
            self.give_up_assignment(GroupError::RebalanceInProgress, now, effects);
        }
        self.members.pending_sync.clear();
        self.timers.sync = None;
        let initial = self.state == GroupState::Empty;
        self.enter(GroupState::PreparingRebalance, now);
        tracing::debug!(group = self.group_id, generation = self.generation, initial, "rebalance begins");
        if initial {
            let delay_ms = self.settings.initial_rebalance_delay_ms;
            let remaining_ms = self.members.rebalance_timeout_ms().saturating_sub(delay_ms).max(0);
            self.set_join_timer(delay_ms, JoinTimerKind::Initial { delay_ms, remaining_ms }, now);
        } else if self.members.all_joined() {
            self.complete_join(now, effects);
        } else {
            self.set_join_timer(self.members.rebalance_timeout_ms(), JoinTimerKind::Rebalance, now);
        }
    }

    /// Everyone who waits for a share has to join again.
    pub(super) fn give_up_assignment(&mut self, error: GroupError, now: Now, effects: &mut Effects) {
        let mut told = Vec::new();
        for (id, member) in &mut self.members.members {
            member.assignment = bytes::Bytes::new();
            let ticket = member.awaiting_sync.take();
            told.extend(ticket.map(|_| id.clone()));
            answer_sync(ticket, error, effects);
        }
        for member_id in told {
            self.extend_session(&member_id, now);
        }
    }

    /// Ends the join phase if nobody is missing; the first phase of a group runs its time.
    pub(super) fn complete_join_unless_initial(&mut self, now: Now, effects: &mut Effects) {
        if self.previous != GroupState::Empty {
            self.complete_join_if_all_there(now, effects);
        }
    }

    pub(super) fn complete_join_if_all_there(&mut self, now: Now, effects: &mut Effects) {
        if self.state == GroupState::PreparingRebalance && self.members.all_joined() {
            self.complete_join(now, effects);
        }
    }

    /// The time of the join phase is up.
    pub(super) fn join_timer_fired(&mut self, timer: JoinTimer, now: Now, effects: &mut Effects) {
        if self.state != GroupState::PreparingRebalance {
            return;
        }
        match timer.kind {
            JoinTimerKind::Initial { delay_ms, remaining_ms } if self.timers.joined_lately && remaining_ms != 0 => {
                self.timers.joined_lately = false;
                let next_ms = self.settings.initial_rebalance_delay_ms.min(remaining_ms);
                let left_ms = remaining_ms.saturating_sub(delay_ms).max(0);
                self.set_join_timer(next_ms, JoinTimerKind::Initial { delay_ms: next_ms, remaining_ms: left_ms }, now);
            }
            _ => self.complete_join(now, effects),
        }
    }

    fn set_join_timer(&mut self, delay_ms: i32, kind: JoinTimerKind, now: Now) {
        let at = now.after(delay_ms);
        self.timers.join = Some(JoinTimer { at, kind });
        self.timers.wake(at);
    }

    /// Ends the join phase: those who did not come are left out (static members keep their place until their session
    /// ends), the others get the next generation.
    pub(super) fn complete_join(&mut self, now: Now, effects: &mut Effects) {
        self.timers.join = None;
        let absent: Vec<String> = self
            .members
            .members
            .iter()
            .filter(|(_, member)| member.awaiting_join.is_none() && member.group_instance_id.is_none())
            .map(|(id, _)| id.clone())
            .collect();
        for member_id in &absent {
            tracing::info!(group = self.group_id, member = member_id, "a member did not join again in time");
            self.dismiss(member_id, effects);
        }
        if !self.members.elect_joined_leader() && !self.members.members.is_empty() {
            // Only static members that nobody has heard of: their sessions end, or one of them comes.
            self.set_join_timer(self.members.rebalance_timeout_ms(), JoinTimerKind::Rebalance, now);
            return;
        }
        self.generation = self.generation.saturating_add(1);
        self.agreed.protocol_name = self.members.select_protocol();
        self.learn_subscriptions();
        self.members.pending_sync.clear();
        self.timers.joined_lately = false;
        if self.members.members.is_empty() {
            self.enter(GroupState::Empty, now);
            self.save(AfterSave::Nothing, effects);
        } else {
            self.enter(GroupState::CompletingRebalance, now);
            self.answer_joins(now, effects);
        }
    }

    fn answer_joins(&mut self, now: Now, effects: &mut Effects) {
        let ids: Vec<String> = self.members.members.keys().cloned().collect();
        for member_id in ids {
            self.extend_session(&member_id, now);
            let joined = self.place_of(&member_id);
            let Some(member) = self.members.members.get_mut(&member_id) else { continue };
            member.is_new = false;
            effects.answers.extend(member.awaiting_join.take().map(|ticket| Answer::Join(ticket, Ok(joined))));
            self.members.pending_sync.insert(member_id);
        }
        let at = now.after(self.members.rebalance_timeout_ms());
        self.timers.sync = Some(at);
        self.timers.wake(at);
    }

    /// What a member of this generation is told; the leader also learns who else there is.
    pub(super) fn place_of(&self, member_id: &str) -> Joined {
        let members = if self.members.is_leader(member_id) { self.roster() } else { Vec::new() };
        Joined {
            generation: self.generation,
            protocol_type: self.agreed.protocol_type.clone(),
            protocol_name: self.agreed.protocol_name.clone(),
            leader: self.members.leader.clone().unwrap_or_default(),
            member_id: member_id.to_owned(),
            members,
            skip_assignment: false,
        }
    }

    /// Whoever has not asked for a share by now is left out.
    pub(super) fn sync_timer_fired(&mut self, now: Now, effects: &mut Effects) {
        let phase = matches!(self.state, GroupState::CompletingRebalance | GroupState::Stable);
        if !phase || self.members.pending_sync.is_empty() {
            return;
        }
        for member_id in std::mem::take(&mut self.members.pending_sync) {
            tracing::info!(group = self.group_id, member = member_id, "a member did not sync in time");
            self.dismiss(&member_id, effects);
        }
        self.prepare_rebalance(now, effects);
    }
}
