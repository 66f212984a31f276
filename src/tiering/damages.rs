//! What of the bucket cannot be read, and not because the bucket is away: objects that are damaged, missing or others than
//! they were.
//!
//! Clients ask again every moment. The log hears of a damage once, and then of how many reads it has cost, now and then;
//! whoever asks for the state of the tiers hears of it as long as it lasts.
//!
//! Invariant: a damage is forgotten when what it names was read after all, is not part of the log any more, or its partition
//! is gone: nobody is alarmed by what nobody will read.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ulid::Ulid;

use super::errors::RemoteReadError;
use super::metrics;
use super::remote_segment::RemoteSegment;
use crate::clock::Clock;
use crate::model::{Offset, TopicPartition};

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
    /// The last offset that it stands for, or the one that was asked for where no object is known.
    at: Offset,
    of: Subject,
    /// Whether only searches have met it, which read the timestamps alone.
    by_searches: bool,
    /// In the words of the last read.
    reason: String,
    /// Reads that failed by it.
    reads: u64,
    said_at: Duration,
}

/// What is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    /// The object of this key.
    Object,
    /// This row of the catalog.
    Row(Ulid),
    /// There is no object.
    Nothing,
}

/// What of an object is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// Whole row groups, by a fetch.
    Records,
    /// Offsets and timestamps, by a search.
    Times,
}

impl Subject {
    fn of(error: &RemoteReadError) -> Self {
        match error {
            RemoteReadError::BadRow(row) => Self::Row(row.id),
            RemoteReadError::NoObject { .. } => Self::Nothing,
            _ => Self::Object,
        }
    }
}

/// All of them, by what they are of.
#[derive(Debug)]
pub(super) struct Damages {
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<String, Damage>>,
    /// Whether it was said that there are more.
    overflow_said: AtomicBool,
}

impl Damages {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, known: Mutex::default(), overflow_said: AtomicBool::new(false) }
    }

    /// A read of what ends with the offset `at` failed. The error that the reader is told: the same, or that it lasts.
    pub(super) fn note(&self, tp: TopicPartition, at: Offset, by: Reads, error: RemoteReadError) -> RemoteReadError {
        let Some(subject) = error.subject() else { return error };
        let now = self.clock.monotonic();
        let mut known = self.known.lock();
        if !known.contains_key(&subject) && known.len() >= REMEMBERED_MAX {
            if !self.overflow_said.swap(true, Ordering::Relaxed) {
                tracing::error!(%error, partition = %tp, REMEMBERED_MAX, "more cannot be read than is remembered: the rest is not told");
            }
            return error;
        }
        let new = || Damage {
            tp,
            at,
            of: Subject::of(&error),
            by_searches: true,
            reason: String::new(),
            reads: 0,
            said_at: now,
        };
        let damage = known.entry(subject).or_insert_with(new);
        damage.reads = damage.reads.saturating_add(1);
        damage.by_searches &= by == Reads::Times;
        (damage.reason, damage.at) = (error.to_string(), at);
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

    /// An object was read. That its timestamps can be read says nothing of the rest.
    pub(super) fn note_read(&self, key: &str, by: Reads) {
        let mut known = self.known.lock();
        if known.get(key).is_none_or(|damage| by == Reads::Times && !damage.by_searches) {
            return;
        }
        let Some(damage) = known.remove(key) else { return };
        metrics::damaged(known.len());
        drop(known);
        tracing::info!(key, partition = %damage.tp, reads = damage.reads, "what could not be read can be read again");
    }

    /// These objects are part of a partition's log, by the catalog: rows that make sense, offsets that have an object, and
    /// whatever else stood for those offsets has been replaced.
    pub(super) fn note_live(&self, tp: TopicPartition, live: &[Arc<RemoteSegment>]) {
        self.forget_where(|key, damage| {
            let mended = |segment: &RemoteSegment| match damage.of {
                Subject::Object => segment.holds(damage.at) && segment.key.as_str() != key,
                Subject::Row(id) => segment.id == id,
                Subject::Nothing => segment.holds(damage.at),
            };
            damage.tp == tp && live.iter().any(|segment| mended(segment))
        });
    }

    /// An object is gone on purpose, and its row with it.
    pub(super) fn note_removed(&self, id: Ulid, key: &str) {
        self.forget_where(|subject, damage| subject == key || damage.of == Subject::Row(id));
    }

    /// A partition's log begins here now.
    pub(super) fn forget_below(&self, tp: TopicPartition, log_start: Offset) {
        self.forget_where(|_, damage| damage.tp == tp && damage.at < log_start);
    }

    /// A partition is not led here any more, or has nothing in the bucket.
    pub(super) fn forget(&self, tp: TopicPartition) {
        self.forget_where(|_, damage| damage.tp == tp);
    }

    fn forget_where(&self, which: impl Fn(&str, &Damage) -> bool) {
        let mut known = self.known.lock();
        if known.is_empty() {
            return;
        }
        known.retain(|subject, damage| !which(subject, damage));
        if known.len() < REMEMBERED_MAX {
            self.overflow_said.store(false, Ordering::Relaxed);
        }
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
    use crate::tiering::remote_segment::BadRow;
    use crate::tiering::samples::{partition, segment};

    fn missing() -> RemoteReadError {
        RemoteReadError::Missing { key: "topics/a".to_owned() }
    }

    #[test]
    fn a_damage_lasts_from_the_third_read_until_the_object_is_read() {
        let damages = Damages::new(ManualClock::new(0));
        let tp = partition(1);
        let lasts =
            |error| matches!(damages.note(tp, Offset::new(9), Reads::Records, error), RemoteReadError::Lasting { .. });
        assert!(!lasts(missing()) && !lasts(missing()) && lasts(missing()) && lasts(missing()));
        let shown = damages.of(tp);
        assert!(
            shown.len() == 1 && shown[0].contains("topics/a") && shown[0].contains("(4 reads failed)"),
            "{shown:?}"
        );
        assert!(damages.of(partition(2)).is_empty());
        damages.note_read("topics/b", Reads::Records);
        assert!(lasts(missing()));
        damages.note_read("topics/a", Reads::Times);
        assert_eq!(damages.of(tp).len(), 1, "its timestamps are not all of it");
        damages.note_read("topics/a", Reads::Records);
        assert!(damages.of(tp).is_empty() && !lasts(missing()));
    }

    #[test]
    fn what_only_searches_have_met_is_forgotten_by_a_search_that_works() {
        let damages = Damages::new(ManualClock::new(0));
        let tp = partition(1);
        drop(damages.note(tp, Offset::new(9), Reads::Times, missing()));
        damages.note_read("topics/a", Reads::Times);
        assert!(damages.of(tp).is_empty());
    }

    #[test]
    fn a_bucket_that_is_away_is_no_damage() {
        let damages = Damages::new(ManualClock::new(0));
        for _ in 0..10 {
            assert!(matches!(
                damages.note(partition(1), Offset::new(9), Reads::Records, RemoteReadError::TimedOut),
                RemoteReadError::TimedOut
            ));
        }
        assert!(damages.of(partition(1)).is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_goes_with_its_partition() {
        let damages = Damages::new(ManualClock::new(0));
        for number in 0..=REMEMBERED_MAX {
            damages.note(
                partition(1),
                Offset::new(9),
                Reads::Records,
                RemoteReadError::Missing { key: number.to_string() },
            );
        }
        assert_eq!(damages.of(partition(1)).len(), REMEMBERED_MAX);
        damages.forget(partition(2));
        assert_eq!(damages.of(partition(1)).len(), REMEMBERED_MAX);
        damages.forget(partition(1));
        assert!(damages.of(partition(1)).is_empty());
    }

    #[test]
    fn what_is_not_part_of_the_log_any_more_is_forgotten() {
        let damages = Damages::new(ManualClock::new(0));
        let replacing = segment(0, 9);
        let tp = replacing.tp;
        let note = |at: i64, error| drop(damages.note(tp, Offset::new(at), Reads::Records, error));
        let no_object = || RemoteReadError::NoObject { tp, offset: Offset::new(9) };
        let bad_row = || RemoteReadError::BadRow(BadRow { id: replacing.id, reason: "no key".to_owned() });
        let left = || damages.of(tp).len();

        note(9, missing());
        damages.forget_below(tp, Offset::new(9));
        damages.note_removed(Ulid(77), "topics/b");
        assert_eq!(left(), 1, "a part of it is still in the log");
        damages.forget_below(tp, Offset::new(10));
        assert_eq!(left(), 0, "the log begins behind it");
        note(9, missing());
        damages.note_removed(Ulid(77), "topics/a");
        assert_eq!(left(), 0, "it was removed");

        note(9, missing());
        note(9, no_object());
        note(3, bad_row());
        damages.note_live(tp, &[segment(10, 19)]);
        assert_eq!(left(), 3, "another range says nothing of them");
        damages.note_live(tp, &[Arc::clone(&replacing)]);
        assert_eq!(left(), 0, "another object stands for the offsets, and the row makes sense");
        note(9, RemoteReadError::Missing { key: replacing.key.to_string() });
        damages.note_live(tp, &[replacing]);
        assert_eq!(left(), 1, "that it is live is no news of what cannot be read");
    }

    #[test]
    fn the_log_hears_of_it_once_and_then_now_and_then() {
        let clock = ManualClock::new(0);
        let damages = Damages::new(Arc::<ManualClock>::clone(&clock));
        let said = || damages.known.lock().values().next().map(|damage| damage.said_at);
        damages.note(partition(1), Offset::new(9), Reads::Records, missing());
        let first = said();
        clock.advance(SAID_EVERY / 2);
        damages.note(partition(1), Offset::new(9), Reads::Records, missing());
        assert_eq!(said(), first);
        clock.advance(SAID_EVERY);
        damages.note(partition(1), Offset::new(9), Reads::Records, missing());
        assert!(said() > first);
    }
}
