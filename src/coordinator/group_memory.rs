//! How much memory groups may take. Groups that only remember offsets leave it when nobody has asked for them for a while,
//! at once where memory is short; the catalog has them.

use std::sync::Arc;

use parking_lot::Mutex;

use super::coordinator_of_groups::Coordinator;
use super::group::{Effects, GroupError};
use super::metrics;
use super::resident::Resident;
use crate::model::limits::GROUP_BYTES_MIN;

/// How long a group that is at rest stays in memory unasked.
const IDLE_MS: i64 = 5 * 60 * 1000;
/// How often room is looked for where there is none.
const LOOK_EVERY_MS: i64 = 1000;

/// The bound, and when room was last looked for.
#[derive(Debug)]
pub(super) struct GroupMemory {
    bytes_max: usize,
    looked_at: Mutex<Option<i64>>,
}

impl GroupMemory {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, looked_at: Mutex::new(None) }
    }
}

impl Coordinator {
    /// Whether groups take all the memory that they may.
    pub(super) fn is_full(&self) -> bool {
        self.residents.bytes() >= self.room.bytes_max || self.residents.len() >= self.room.bytes_max / GROUP_BYTES_MIN
    }

    /// Sees to it that there is room for more.
    pub(super) fn make_room(&self) -> Result<(), GroupError> {
        if !self.is_full() {
            return Ok(());
        }
        let now_ms = self.now().elapsed_ms;
        {
            let mut looked_at = self.room.looked_at.lock();
            if looked_at.is_some_and(|at| now_ms - at < LOOK_EVERY_MS) {
                return Err(GroupError::CoordinatorNotAvailable);
            }
            *looked_at = Some(now_ms);
        }
        let gone = self.let_idle_go(now_ms);
        if self.is_full() {
            let (groups, bytes) = (self.residents.len(), self.residents.bytes());
            tracing::warn!(groups, bytes, "groups take all the memory that they may: new ones are refused");
            return Err(GroupError::CoordinatorNotAvailable);
        }
        tracing::info!(groups = gone, "groups that nobody asks for left memory to make room");
        Ok(())
    }

    /// How many groups are in memory, and how many bytes they take.
    pub fn in_memory(&self) -> (usize, usize) {
        (self.residents.len(), self.residents.bytes())
    }

    /// Lets go of what nobody has asked for in a while, and stores what could not be stored. To be called now and then.
    pub async fn tidy(&self) {
        self.let_idle_go(self.now().elapsed_ms - IDLE_MS);
        for resident in self.residents.all() {
            let mut owner = resident.owner.lock();
            if owner.is_unsaved && !owner.is_writing && owner.outbox.save.is_none() && !owner.is_gone {
                let mut effects = Effects::default();
                owner.group.save_again(&mut effects);
                self.settle(&resident, &mut owner, effects);
            }
        }
        let (groups, bytes) = self.in_memory();
        metrics::in_memory(groups, bytes);
    }

    fn let_idle_go(&self, unused_since: i64) -> usize {
        let all = self.residents.all();
        all.iter().filter(|resident| self.let_go_if_idle(resident, unused_since)).count()
    }

    fn let_go_if_idle(&self, resident: &Arc<Resident>, unused_since: i64) -> bool {
        // Being read by somebody, who would only read it again: the map, the list and that one hold it.
        if !resident.loaded.initialized() && Arc::strong_count(resident) > 2 {
            return false;
        }
        let mut owner = resident.owner.lock();
        let goes = !owner.is_gone && owner.used_at <= unused_since && owner.is_idle();
        if goes {
            self.let_go(resident, &mut owner);
        }
        goes
    }
}
