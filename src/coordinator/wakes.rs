//! When which group has to be woken: one loop for the deadlines of all members of all groups.
//!
//! Invariant: a group is in the table at most once, at a time not later than its earliest deadline. A deadline that moves
//! away leaves it where it is: it is woken in vain once, and says when it wants to be woken next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::coordinator_of_groups::Coordinator;
use super::resident::{Owner, Resident};

/// Groups by the time at which they are woken.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    table: Mutex<BTreeMap<(i64, u64), Arc<Resident>>>,
    /// The earliest time came nearer.
    nearer: Notify,
}

impl Wakes {
    /// Sees to it that the group is woken in time.
    pub(super) fn arrange(&self, resident: &Arc<Resident>, owner: &mut Owner) {
        let Some(at) = owner.group.wake_at_ms() else { return };
        if owner.wakes_at.is_some_and(|earlier| earlier <= at) {
            return;
        }
        let mut table = self.table.lock();
        if let Some(later) = owner.wakes_at.replace(at) {
            table.remove(&(later, resident.number));
        }
        table.insert((at, resident.number), Arc::clone(resident));
        if table.first_key_value().is_some_and(|(key, _)| *key == (at, resident.number)) {
            self.nearer.notify_one();
        }
    }

    /// The group is woken no more.
    pub(super) fn forget(&self, resident: &Arc<Resident>, owner: &mut Owner) {
        if let Some(at) = owner.wakes_at.take() {
            self.table.lock().remove(&(at, resident.number));
        }
    }

    pub(super) fn earliest(&self) -> Option<i64> {
        self.table.lock().first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes out one group whose time has come.
    fn take_due(&self, now_ms: i64) -> Option<((i64, u64), Arc<Resident>)> {
        let mut table = self.table.lock();
        let is_due = table.first_key_value().is_some_and(|((at, _), _)| *at <= now_ms);
        if is_due { table.pop_first() } else { None }
    }
}

impl Coordinator {
    /// Wakes groups when their time has come, until the coordinator is closed.
    pub async fn keep_time(&self) {
        loop {
            self.wake_due();
            let sleep = async {
                match self.wakes.earliest() {
                    Some(at) => {
                        let wait_ms = u64::try_from(at.saturating_sub(self.now().elapsed_ms)).unwrap_or(0);
                        self.clock.sleep(Duration::from_millis(wait_ms)).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => {}
                () = self.wakes.nearer.notified() => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    fn wake_due(&self) {
        let now_ms = self.now().elapsed_ms;
        while let Some(((at, _), resident)) = self.wakes.take_due(now_ms) {
            let mut owner = resident.owner.lock();
            if owner.wakes_at == Some(at) {
                owner.wakes_at = None;
            }
            if owner.is_gone {
                continue;
            }
            let used_at = owner.used_at;
            self.happen(&resident, &mut owner, |turn| {
                turn.owner.group.tick(turn.now, &mut turn.effects);
                turn.members_changed = true;
            });
            owner.used_at = used_at;
        }
    }
}
