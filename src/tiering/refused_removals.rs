//! Objects that the bucket answers for and does not let go: under a lock or a legal hold, without leave to remove them, or
//! with a control file that has to be written first and cannot be. Each waits longer with every try, so that those behind
//! it have their turn.
//!
//! A bucket that denies may deny everything, with keys that have expired or without leave to remove at all, until somebody
//! has helped. So once a minute the one that was tried longest ago is tried before its time: if it goes, what was denied
//! beside it waits no longer.
//!
//! Invariant: never more than a bound are remembered; one more is tried in every round.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ulid::Ulid;

use super::cluster_file::BucketRefused;
use super::metrics;
use crate::object_storage::ErrorKind;

/// Objects that are remembered.
const KNOWN_MAX: usize = 16_384;
/// How long the first wait is.
const FIRST: Duration = Duration::from_secs(60);
/// How long the longest is; and how long the log says nothing where no other object joins them.
const LONGEST: Duration = Duration::from_secs(3_600);

/// One that was refused.
#[derive(Debug)]
struct Refusal {
    times: u32,
    at_ms: i64,
    why: &'static str,
}

impl Refusal {
    fn is_denied(&self) -> bool {
        self.why == ErrorKind::Denied.name()
    }

    /// A clock that was put back ends a wait, and never makes it longer.
    fn waits(&self, now_ms: i64) -> bool {
        let doubled = FIRST.saturating_mul(1u32.checked_shl(self.times.saturating_sub(1)).unwrap_or(u32::MAX));
        let pause_ms = i64::try_from(doubled.min(LONGEST).as_millis()).unwrap_or(i64::MAX);
        (self.at_ms..self.at_ms.saturating_add(pause_ms)).contains(&now_ms)
    }
}

/// All that were refused and are still there.
#[derive(Debug, Default)]
pub(super) struct RefusedRemovals {
    known: Mutex<HashMap<Ulid, Refusal>>,
    told_at_ms: Mutex<Option<i64>>,
    probed_at_ms: Mutex<Option<i64>>,
    /// Whether it was told that the bucket is not ours now.
    elsewhere_told: AtomicBool,
}

impl RefusedRemovals {
    /// Whether an object is not to be tried yet.
    pub(super) fn waits(&self, id: Ulid, now_ms: i64) -> bool {
        self.known.lock().get(&id).is_some_and(|refusal| refusal.waits(now_ms))
    }

    /// Notes that it was refused; says whether that is new.
    pub(super) fn note(&self, id: Ulid, why: &'static str, now_ms: i64) -> bool {
        let mut known = self.known.lock();
        if let Some(refusal) = known.get_mut(&id) {
            *refusal = Refusal { times: refusal.times.saturating_add(1), at_ms: now_ms, why };
            return false;
        }
        if known.len() < KNOWN_MAX {
            known.insert(id, Refusal { times: 1, at_ms: now_ms, why });
        }
        true
    }

    /// It is gone. If it had been denied, the others that were are tried at once: their waits begin anew.
    pub(super) fn note_gone(&self, id: Ulid) {
        let mut known = self.known.lock();
        if known.remove(&id).is_some_and(|refusal| refusal.is_denied()) {
            let denied = known.values_mut().filter(|refusal| refusal.is_denied());
            denied.for_each(|refusal| (refusal.times, refusal.at_ms) = (0, i64::MIN));
        }
    }

    /// Whose the bucket is that answers: that it is not ours, or cannot say, is told once, until it is again.
    pub(super) fn tell_elsewhere(&self, ours: Result<(), &BucketRefused>) {
        let Err(error) = ours else { return self.elsewhere_told.store(false, Ordering::Relaxed) };
        if !self.elsewhere_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "objects that may go cannot be removed now: they are left to the next rounds");
        }
    }

    /// What is to be tried before its time in this round, if anything.
    pub(super) fn probe(&self, now_ms: i64) -> Option<Ulid> {
        let known = self.known.lock();
        let denied = known.iter().filter(|(_, refusal)| refusal.is_denied() && refusal.waits(now_ms));
        let (id, refusal) = denied.min_by_key(|(id, refusal)| (refusal.at_ms, **id))?;
        let first_ms = i64::try_from(FIRST.as_millis()).unwrap_or(i64::MAX);
        let mut probed_at_ms = self.probed_at_ms.lock();
        let last_ms = probed_at_ms.map_or(refusal.at_ms, |at_ms| at_ms.max(refusal.at_ms));
        if (last_ms..last_ms.saturating_add(first_ms)).contains(&now_ms) {
            return None;
        }
        *probed_at_ms = Some(now_ms);
        Some(*id)
    }

    /// At the end of a round that met a refusal, the last of which was `example`, or met none: tells the operator how many
    /// objects stay, and why. At once where one is new, else now and then.
    pub(super) fn tell(&self, example: Option<&str>, any_new: bool, now_ms: i64) {
        let known = self.known.lock();
        metrics::undeletable(known.len());
        let Some(example) = example else { return };
        let mut told_at_ms = self.told_at_ms.lock();
        let longest_ms = i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX);
        let told_lately = told_at_ms.is_some_and(|at_ms| (at_ms..at_ms.saturating_add(longest_ms)).contains(&now_ms));
        if told_lately && !any_new {
            return;
        }
        *told_at_ms = Some(now_ms);
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        known.values().for_each(|refusal| *reasons.entry(refusal.why).or_default() += 1);
        let reasons: Vec<_> = reasons.iter().map(|(why, count)| format!("{why}: {count}")).collect();
        tracing::warn!(
            objects = known.len(),
            reasons = reasons.join(", "),
            example,
            "objects that may go cannot be removed from the bucket; they are tried again, each less and less often"
        );
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_a_clock_that_is_put_back_ends_them() {
        let refused = RefusedRemovals::default();
        let id = Ulid(1);
        let mut at_ms = 1_000_000;
        for wait_s in [60, 120, 240, 480, 960, 1_920, 3_600, 3_600] {
            refused.note(id, "denied", at_ms);
            assert!(refused.waits(id, at_ms) && refused.waits(id, at_ms + wait_s * 1_000 - 1), "{wait_s}");
            assert!(!refused.waits(id, at_ms - 1));
            at_ms += wait_s * 1_000;
            assert!(!refused.waits(id, at_ms), "{wait_s}");
        }
        assert!(!refused.waits(Ulid(2), at_ms));
        refused.note_gone(id);
        assert_eq!(refused.len(), 0);
    }

    #[test]
    fn one_that_was_denied_and_goes_ends_the_waits_of_the_others_that_were() {
        let refused = RefusedRemovals::default();
        for (id, why) in [(1, "denied"), (2, "denied"), (3, "still there")] {
            for _ in 0..9 {
                refused.note(Ulid(id), why, 1_000);
            }
        }
        assert_eq!(refused.probe(60_999), None, "a minute is not over");
        assert_eq!(refused.probe(61_000), Some(Ulid(1)));
        refused.note(Ulid(1), "denied", 61_000);
        assert_eq!(refused.probe(120_999), None);
        assert_eq!(refused.probe(121_000), Some(Ulid(2)), "the one that was tried longest ago");
        refused.note_gone(Ulid(7));
        assert!(refused.waits(Ulid(1), 121_000), "what was never refused says nothing of those that were");
        refused.note_gone(Ulid(2));
        assert!(!refused.waits(Ulid(1), 121_000) && refused.waits(Ulid(3), 121_000));
        refused.note(Ulid(1), "denied", 121_000);
        assert!(refused.waits(Ulid(1), 121_000) && !refused.waits(Ulid(1), 181_000), "from the beginning");
    }

    #[test]
    fn only_so_many_are_remembered() {
        let refused = RefusedRemovals::default();
        for number in 0..KNOWN_MAX as u128 + 5 {
            assert!(refused.note(Ulid(number), "denied", 0));
        }
        assert_eq!(refused.len(), KNOWN_MAX);
        assert!(!refused.waits(Ulid(KNOWN_MAX as u128), 0), "it is tried in every round");
    }
}
