//! What becomes due in a group: the end of a join phase, of a sync phase, of sessions, of ids that nobody used.

use super::effects::Effects;
use super::now::Now;
use super::state::{Group, GroupState};

/// The deadlines of a group, by the monotonic clock; those of members stand with the members.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    pub(super) join: Option<JoinTimer>,
    pub(super) sync: Option<i64>,
    /// A member joined since the delay of the first generation was last given.
    pub(super) joined_lately: bool,
    /// Not later than the earliest deadline of all.
    wake_at: Option<i64>,
}

/// When the join phase ends, and what is looked at then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JoinTimer {
    pub(super) at: i64,
    pub(super) kind: JoinTimerKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JoinTimerKind {
    /// The first generation: as long as members keep coming, the delay is given again, up to `remaining_ms`.
    Initial { delay_ms: i32, remaining_ms: i32 },
    /// Members that have not joined by then are left out.
    Rebalance,
}

impl Timers {
    /// A new deadline exists.
    pub(super) fn wake(&mut self, at: i64) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }
}

impl Group {
    /// When `tick` has to be called, at the latest.
    pub fn wake_at_ms(&self) -> Option<i64> {
        self.timers.wake_at
    }

    /// Does everything that has become due.
    pub fn tick(&mut self, now: Now, effects: &mut Effects) {
        if self.timers.wake_at.is_none_or(|at| at > now.elapsed_ms) {
            return;
        }
        self.forget_unused_ids(now, effects);
        self.end_sessions(now, effects);
        if let Some(timer) = self.timers.join.filter(|timer| timer.at <= now.elapsed_ms) {
            self.timers.join = None;
            self.join_timer_fired(timer, now, effects);
        }
        if self.timers.sync.is_some_and(|at| at <= now.elapsed_ms) {
            self.timers.sync = None;
            self.sync_timer_fired(now, effects);
        }
        self.timers.wake_at = self.earliest_deadline();
    }

    fn earliest_deadline(&self) -> Option<i64> {
        let sessions = self.members.members.values().filter_map(|member| member.session_deadline);
        let unused = self.members.pending_join.values().copied();
        sessions.chain(unused).chain(self.timers.join.map(|timer| timer.at)).chain(self.timers.sync).min()
    }

    /// The member has been heard of.
    pub(super) fn extend_session(&mut self, member_id: &str, now: Now) {
        let Some(timeouts) = self.members.members.get(member_id).map(|member| member.timeouts) else { return };
        self.session_ends(member_id, now.after(timeouts.session_ms));
    }

    pub(super) fn session_ends(&mut self, member_id: &str, at: i64) {
        if let Some(member) = self.members.members.get_mut(member_id) {
            member.session_deadline = Some(at);
            self.timers.wake(at);
        }
    }

    fn forget_unused_ids(&mut self, now: Now, effects: &mut Effects) {
        let before = self.members.pending_join.len();
        self.members.pending_join.retain(|_, deadline| *deadline > now.elapsed_ms);
        if self.members.pending_join.len() < before {
            self.complete_join_if_all_there(now, effects);
        }
    }

    fn end_sessions(&mut self, now: Now, effects: &mut Effects) {
        let over = |deadline: Option<i64>| deadline.is_some_and(|at| at <= now.elapsed_ms);
        let due: Vec<String> = self
            .members
            .members
            .iter()
            .filter(|(_, member)| over(member.session_deadline))
            .map(|(id, _)| id.clone())
            .collect();
        for member_id in due {
            // The failure of one may have ended the wait of others, whose sessions then began anew.
            let Some(member) = self.members.members.get_mut(&member_id) else { continue };
            if !over(member.session_deadline) {
                continue;
            }
            member.session_deadline = None;
            if member.excused() {
                continue;
            }
            tracing::info!(group = self.group_id, member = member_id, "a member's session ended");
            self.dismiss(&member_id, effects);
            match self.state {
                GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(now, effects),
                GroupState::PreparingRebalance if self.members.all_joined() => self.complete_join(now, effects),
                _ => {}
            }
        }
    }
}
