//! One event of one group: found, locked, done, and what follows from it passed on.
//!
//! # Consistency
//! Events of one group happen one behind the other. What an event leads to is passed on under the same lock.

use std::sync::Arc;

use super::coordinator_of_groups::Coordinator;
use super::group::{Effects, GroupError, Now};
use super::resident::{Owner, Resident};

/// What becomes of a group that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// It exists from now on.
    Create,
    /// It stays away.
    Leave,
}

/// An event under way.
pub(super) struct GroupEvent<'a> {
    pub(super) owner: &'a mut Owner,
    pub(super) now: Now,
    pub(super) effects: Effects,
    /// Members came, went or said something new.
    pub(super) members_changed: bool,
}

impl Coordinator {
    /// Lets something happen to a group. `None`: there is none.
    pub(super) async fn turn<T>(
        &self,
        group_id: &str,
        absent: Absent,
        event: impl FnOnce(&mut GroupEvent<'_>) -> T,
    ) -> Result<Option<T>, GroupError> {
        loop {
            let resident = self.resident(group_id).await?;
            let mut owner = resident.owner.lock();
            // Asked under the lock: what is done here is seen by whoever closes.
            if self.closing.is_cancelled() {
                return Err(GroupError::CoordinatorNotAvailable);
            }
            if owner.is_gone {
                drop(owner);
                self.residents.remove(&resident);
                continue;
            }
            if !owner.exists && absent == Absent::Leave {
                self.let_go(&resident, &mut owner);
                return Ok(None);
            }
            owner.exists = true;
            return Ok(Some(self.happen(&resident, &mut owner, event)));
        }
    }

    /// Lets something happen to a group that is locked.
    pub(super) fn happen<T>(
        &self,
        resident: &Arc<Resident>,
        owner: &mut Owner,
        event: impl FnOnce(&mut GroupEvent<'_>) -> T,
    ) -> T {
        let now = self.now();
        owner.used_at = now.elapsed_ms;
        let mut turn = GroupEvent { owner, now, effects: Effects::default(), members_changed: false };
        let done = event(&mut turn);
        let GroupEvent { owner, effects, members_changed, .. } = turn;
        if members_changed {
            owner.members_bytes = owner.group.members_bytes();
        }
        self.settle(resident, owner, effects);
        done
    }

    /// Passes on what an event led to: answers, writes, the time to be woken.
    pub(super) fn settle(&self, resident: &Arc<Resident>, owner: &mut Owner, effects: Effects) {
        owner.take(effects);
        if !owner.outbox.is_empty() && !owner.is_queued && !owner.is_writing {
            owner.is_queued = true;
            self.line.push(Arc::clone(resident));
        }
        self.wakes.arrange(resident, owner);
        self.residents.count(owner);
    }

    /// Takes a group out of memory.
    pub(super) fn let_go(&self, resident: &Arc<Resident>, owner: &mut Owner) {
        owner.is_gone = true;
        self.wakes.forget(resident, owner);
        self.residents.count(owner);
        self.residents.remove(resident);
    }
}
