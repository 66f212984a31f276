//! What of the bucket cannot be read, and not because the bucket is away: objects that are damaged, missing or others than
//! they were.
//!
//! Clients ask again every moment. The log hears of a damage once, and then of how many reads it has cost, now and then;
//! whoever asks for the state of the tiers hears of it as long as it lasts.
//!
//! Invariant: a damage is forgotten when what it names was read after all, or its partition is gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::errors::RemoteReadError;
use super::metrics;
use crate::clock::Clock;
use crate::model::TopicPartition;

/// Reads that fail before it is taken for lasting: what a cache on the way, or a store that is being mended, gives once or
/// twice is no reason to trouble whoever consumes.
const LASTS_FROM: u64 = 3;
/// How often the log hears of the same again.
const SAID_EVERY: Duration = Duration::from_secs(600);
/// Objects that are remembered; those beyond are read, and fail, all the same.
const REMEMBERED_MAX: usize = 1_024;

/// What of a partition cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    tp: TopicPartition,
    /// In the words of the last read.
    reason: String,
    /// Reads that failed by it.
    reads: u64,
    said_at: Duration,
}

/// All of them, by what they are of.
#[derive(Debug)]
pub(super) struct Damages {
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<String, Damage>>,
}

impl Damages {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, known: Mutex::default() }
    }

    /// A read failed. The error that the reader is told: the same, or that it lasts.
    pub(super) fn note(&self, tp: TopicPartition, error: RemoteReadError) -> RemoteReadError {
        let Some(subject) = error.subject() else { return error };
        let now = self.clock.monotonic();
        let mut known = self.known.lock();
        if !known.contains_key(&subject) && known.len() >= REMEMBERED_MAX {
            return error;
        }
        let new = || Damage { tp, reason: String::new(), reads: 0, said_at: now };
        let damage = known.entry(subject).or_insert_with(new);
        damage.reads = damage.reads.saturating_add(1);
        damage.reason = error.to_string();
        let reads = damage.reads;
        let say = reads == 1 || now.saturating_sub(damage.said_at) >= SAID_EVERY;
        if say {
            damage.said_at = now;
        }
        metrics::damaged(known.len());
        drop(known);
        if say {
            tracing::error!(%error, partition = %tp, reads, "what is in the bucket cannot be read: put the object back as it was");
        }
        if reads < LASTS_FROM { error } else { RemoteReadError::Lasting { reads, error: Box::new(error) } }
    }

    /// An object was read.
    pub(super) fn note_read(&self, key: &str) {
        let mut known = self.known.lock();
        let Some(damage) = known.remove(key) else { return };
        metrics::damaged(known.len());
        drop(known);
        tracing::info!(key, partition = %damage.tp, reads = damage.reads, "what could not be read can be read again");
    }

    /// A partition is not led here any more.
    pub(super) fn forget(&self, tp: TopicPartition) {
        let mut known = self.known.lock();
        known.retain(|_, damage| damage.tp != tp);
        metrics::damaged(known.len());
    }

    /// What of a partition cannot be read, in words.
    pub(super) fn of(&self, tp: TopicPartition) -> Vec<String> {
        let known = self.known.lock();
        let ours = known.values().filter(|damage| damage.tp == tp);
        let mut all: Vec<String> =
            ours.map(|damage| format!("{} ({} reads failed)", damage.reason, damage.reads)).collect();
        all.sort();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::tiering::samples::partition;

    fn missing() -> RemoteReadError {
        RemoteReadError::Missing { key: "topics/a".to_owned() }
    }

    #[test]
    fn a_damage_lasts_from_the_third_read_until_the_object_is_read() {
        let damages = Damages::new(ManualClock::new(0));
        let tp = partition(1);
        let lasts = |error| matches!(damages.note(tp, error), RemoteReadError::Lasting { .. });
        assert!(!lasts(missing()) && !lasts(missing()) && lasts(missing()) && lasts(missing()));
        let shown = damages.of(tp);
        assert!(
            shown.len() == 1 && shown[0].contains("topics/a") && shown[0].contains("(4 reads failed)"),
            "{shown:?}"
        );
        assert!(damages.of(partition(2)).is_empty());
        damages.note_read("topics/b");
        assert!(lasts(missing()));
        damages.note_read("topics/a");
        assert!(damages.of(tp).is_empty() && !lasts(missing()));
    }

    #[test]
    fn a_bucket_that_is_away_is_no_damage() {
        let damages = Damages::new(ManualClock::new(0));
        for _ in 0..10 {
            assert!(matches!(damages.note(partition(1), RemoteReadError::TimedOut), RemoteReadError::TimedOut));
        }
        assert!(damages.of(partition(1)).is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_goes_with_its_partition() {
        let damages = Damages::new(ManualClock::new(0));
        for number in 0..=REMEMBERED_MAX {
            damages.note(partition(1), RemoteReadError::Missing { key: number.to_string() });
        }
        assert_eq!(damages.of(partition(1)).len(), REMEMBERED_MAX);
        damages.forget(partition(2));
        assert_eq!(damages.of(partition(1)).len(), REMEMBERED_MAX);
        damages.forget(partition(1));
        assert!(damages.of(partition(1)).is_empty());
    }

    #[test]
    fn the_log_hears_of_it_once_and_then_now_and_then() {
        let clock = ManualClock::new(0);
        let damages = Damages::new(Arc::<ManualClock>::clone(&clock));
        let said = || damages.known.lock().values().next().map(|damage| damage.said_at);
        damages.note(partition(1), missing());
        let first = said();
        clock.advance(SAID_EVERY / 2);
        damages.note(partition(1), missing());
        assert_eq!(said(), first);
        clock.advance(SAID_EVERY);
        damages.note(partition(1), missing());
        assert!(said() > first);
    }
}
