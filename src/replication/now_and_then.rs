//! What is told now and then: a failure that every request meets is told by the first of them, and again a minute later.

use std::sync::atomic::{AtomicI64, Ordering};

/// How long nothing is told.
const PAUSE_MS: i64 = 60_000;
/// Nothing was told yet.
const NEVER: i64 = i64::MIN;

/// When something was told last, by the wall clock.
#[derive(Debug)]
pub(super) struct NowAndThen(AtomicI64);

impl Default for NowAndThen {
    fn default() -> Self {
        Self(AtomicI64::new(NEVER))
    }
}

impl NowAndThen {
    /// Whether it is time to tell it: then it counts as told.
    pub(super) fn is_due(&self, now_ms: i64) -> bool {
        let told_ms = self.0.load(Ordering::Relaxed);
        let is_due = told_ms == NEVER || now_ms.saturating_sub(told_ms) >= PAUSE_MS || now_ms < told_ms;
        is_due && self.0.compare_exchange(told_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_minute_whatever_the_clock_does() {
        let told = NowAndThen::default();
        assert!(told.is_due(0) && !told.is_due(0) && !told.is_due(59_999));
        assert!(told.is_due(60_000) && !told.is_due(60_001));
        assert!(told.is_due(5) && !told.is_due(6), "the clock was put back");
    }
}
