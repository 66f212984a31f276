//! Which groups are in memory, and how much of it they take.
//!
//! Invariant: of one group at most one resident is in the map; one that is taken out was marked as gone before, under its
//! own lock, so that whoever still holds it looks again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::group::GroupSettings;
use super::resident::{Owner, Resident};

/// The groups in memory.
#[derive(Debug, Default)]
pub(super) struct Residents {
    by_id: Mutex<HashMap<String, Arc<Resident>>>,
    numbers: AtomicU64,
    bytes: AtomicUsize,
}

impl Residents {
    /// The resident of that name.
    pub(super) fn find(&self, group_id: &str) -> Option<Arc<Resident>> {
        self.by_id.lock().get(group_id).cloned()
    }

    /// The same, or a new place.
    pub(super) fn place(&self, group_id: &str, settings: &Arc<GroupSettings>) -> Arc<Resident> {
        let mut by_id = self.by_id.lock();
        if let Some(found) = by_id.get(group_id) {
            return Arc::clone(found);
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let resident = Arc::new(Resident::new(group_id, number, settings));
        by_id.insert(group_id.to_owned(), Arc::clone(&resident));
        resident
    }

    /// Takes out one that is marked as gone.
    pub(super) fn remove(&self, resident: &Arc<Resident>) {
        let mut by_id = self.by_id.lock();
        if by_id.get(&resident.group_id).is_some_and(|found| Arc::ptr_eq(found, resident)) {
            by_id.remove(&resident.group_id);
        }
    }

    /// All of them now.
    pub(super) fn all(&self) -> Vec<Arc<Resident>> {
        self.by_id.lock().values().cloned().collect()
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.by_id.lock().len()
    }

    /// What all of them take, as last counted.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts a resident anew.
    pub(super) fn count(&self, owner: &mut Owner) {
        let now = if owner.is_gone { 0 } else { owner.bytes() };
        self.bytes.fetch_add(now, Ordering::Relaxed);
        self.bytes.fetch_sub(owner.counted_bytes, Ordering::Relaxed);
        owner.counted_bytes = now;
    }
}
