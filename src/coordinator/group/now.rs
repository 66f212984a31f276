//! The time of an event, by both clocks.

/// When something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970: what is stored and compared across restarts.
    pub unix_ms: i64,
    /// Milliseconds since some fixed moment, never going back: what deadlines go by, so that a clock that is set
    /// does not end every session.
    pub elapsed_ms: i64,
}

impl Now {
    /// The deadline that is `timeout_ms` away.
    pub(super) fn after(self, timeout_ms: i32) -> i64 {
        self.elapsed_ms.saturating_add(i64::from(timeout_ms.max(0)))
    }
}
