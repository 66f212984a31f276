//! How long a partition waits after a failed upload: twice as long each time, up to a bound, and by chance a little more,
//! so that many partitions do not come back at once.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_secs(1);
/// No pause is longer: a bucket that is back is used soon.
const LONGEST: Duration = Duration::from_secs(120);
/// While the local disk runs out of room whoever is to try next waits no longer than this: producers wait for it then.
pub const LONGEST_IN_NEED: Duration = Duration::from_secs(5);

/// The pause after so many failures in a row. `chance` is in `[0, 1)`.
pub fn pause(failures: u32, chance: f64) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let doubled = FIRST.saturating_mul(1u32.checked_shl(failures - 1).unwrap_or(u32::MAX));
    doubled.min(LONGEST).mul_f64(1.0 + chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_never_stand_still() {
        assert_eq!(pause(0, 0.9), Duration::ZERO);
        let pauses: Vec<_> = (1..12).map(|failures| pause(failures, 0.0)).collect();
        assert!(pauses.is_sorted());
        assert_eq!((pauses[0], pauses[10]), (FIRST, LONGEST));
        assert_eq!(pause(u32::MAX, 0.0), LONGEST);
        assert!(pause(3, 0.5) > pause(3, 0.0) && pause(3, 0.99) < pause(4, 0.0));
    }
}
