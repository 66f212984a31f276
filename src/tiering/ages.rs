//! How long ago rows have changed, by a clock that may be wrong for a while: what was noted while it ran ahead lies in the
//! future once it is put right, and would wait until the clock is there again. Such a row's age counts from when it was
//! first seen, by the clock that only goes forward.
//!
//! Invariant: no more than a bound are remembered; those beyond begin anew with the next look, and wait longer.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use ulid::Ulid;

use crate::clock::Clock;

/// Rows that are remembered.
const KNOWN_MAX: usize = 16_384;

/// Rows of the future, and when each was first seen.
#[derive(Debug, Default)]
pub(super) struct Ages(Mutex<HashMap<Ulid, Duration>>);

impl Ages {
    /// Milliseconds since a row has changed, or since it was first seen to have changed later than now.
    pub(super) fn age_ms(&self, id: Ulid, changed_at_ms: i64, clock: &dyn Clock) -> i64 {
        let age_ms = clock.now_ms().saturating_sub(changed_at_ms);
        let mut known = self.0.lock();
        if age_ms >= 0 {
            known.remove(&id);
            return age_ms;
        }
        let now = clock.monotonic();
        if known.len() >= KNOWN_MAX && !known.contains_key(&id) {
            known.clear();
        }
        let seen = *known.entry(id).or_insert(now);
        i64::try_from(now.saturating_sub(seen).as_millis()).unwrap_or(i64::MAX)
    }

    /// The row is gone.
    pub(super) fn forget(&self, id: Ulid) {
        self.0.lock().remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn what_lies_in_the_future_ages_from_when_it_was_first_seen() {
        let clock = ManualClock::new(10_000);
        let (ages, id) = (Ages::default(), Ulid(1));
        assert_eq!(ages.age_ms(id, 4_000, &*clock), 6_000);
        assert_eq!(ages.age_ms(id, 10_001, &*clock), 0, "a millisecond ahead");
        clock.advance(Duration::from_secs(3));
        assert_eq!(ages.age_ms(id, 1_000_000, &*clock), 3_000);
        assert_eq!(ages.age_ms(Ulid(2), 1_000_000, &*clock), 0);
        ages.forget(id);
        assert_eq!(ages.age_ms(id, 1_000_000, &*clock), 0);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let clock = ManualClock::new(0);
        let ages = Ages::default();
        (0..KNOWN_MAX as u128 + 5).for_each(|number| assert_eq!(ages.age_ms(Ulid(number), 1, &*clock), 0));
        assert!(ages.0.lock().len() <= KNOWN_MAX);
    }
}
