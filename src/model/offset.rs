//! Offsets and leader epochs: the two numbers that place a record, as types of their own.
//!
//! Invariant: arithmetic on an [`Offset`] saturates, so a hostile `i64::MAX` from the wire can neither
//! wrap around nor panic.

use std::fmt;
use std::ops::{Add, Sub};

/// The position of a record in a partition. Dense at append; gaps appear only in the remote tier and
/// after compaction. `-1` is the wire's "none" and is kept as an `Option` below `server`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offset(i64);

impl Offset {
    /// The first offset of every partition.
    pub const ZERO: Self = Self(0);
    /// Above every offset that can be given to a record.
    pub const MAX: Self = Self(i64::MAX);

    /// Wraps a number that is already known to be an offset.
    pub const fn new(value: i64) -> Self {
        Self(value)
    }

    /// The number, for formats and the wire.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The offset after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The offset before this one.
    #[must_use]
    pub const fn prev(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl Add<i64> for Offset {
    type Output = Self;
    fn add(self, delta: i64) -> Self {
        Self(self.0.saturating_add(delta))
    }
}

impl Sub for Offset {
    type Output = i64;
    fn sub(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }
}

impl fmt::Debug for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How often the leadership of a partition has changed hands; stamped on every batch. KIP-101.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LeaderEpoch(i32);

impl LeaderEpoch {
    /// The epoch of a partition that has never had a leader.
    pub const ZERO: Self = Self(0);

    /// Wraps a number that is already known to be an epoch.
    pub const fn new(value: i32) -> Self {
        Self(value)
    }

    /// The number, for formats and the wire.
    pub const fn get(self) -> i32 {
        self.0
    }

    /// The epoch of the next leader.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Debug for LeaderEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for LeaderEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Offset::MAX.next(), Offset::MAX);
        assert_eq!(Offset::MAX + 5, Offset::MAX);
        assert_eq!(Offset::new(i64::MIN).prev(), Offset::new(i64::MIN));
        assert_eq!(Offset::new(7) - Offset::new(10), -3);
    }
}
