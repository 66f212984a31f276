//! LeaveGroup: members go by themselves, or an administrator takes out static ones by their names.

use super::effects::Effects;
use super::error::GroupError;
use super::messages::Leaving;
use super::now::Now;
use super::state::{Group, GroupState};

impl Group {
    /// Takes members out; one outcome for each, in their order.
    pub fn leave(
        &mut self,
        leaving: &[Leaving],
        now: Now,
        effects: &mut Effects,
    ) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        if self.state == GroupState::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        let outcomes: Vec<_> = leaving.iter().map(|one| self.leave_one(one, effects)).collect();
        if outcomes.iter().any(Result::is_ok) {
            match self.state {
                GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(now, effects),
                GroupState::PreparingRebalance => self.complete_join_unless_initial(now, effects),
                GroupState::Empty | GroupState::Dead => {}
            }
        }
        Ok(outcomes)
    }

    fn leave_one(&mut self, leaving: &Leaving, effects: &mut Effects) -> Result<(), GroupError> {
        let instance = leaving.group_instance_id.as_deref();
        let member_id = if leaving.member_id.is_empty() {
            let holder = instance.and_then(|instance| self.members.static_ids.get(instance));
            holder.cloned().ok_or(GroupError::UnknownMemberId)?
        } else if self.members.pending_join.contains_key(&leaving.member_id) {
            leaving.member_id.clone()
        } else {
            self.members.validate(&leaving.member_id, instance)?;
            leaving.member_id.clone()
        };
        self.dismiss(&member_id, effects);
        Ok(())
    }
}
