//! Which brokers hold which partitions, where a client says so: here there is one.

use std::collections::BTreeSet;

use crate::model::BrokerId;

use super::state::Broker;

/// An assignment that cannot be. The text is what clients are shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAssignment {
    /// One partition twice.
    #[error("Found multiple manual partition assignments for partition {0}")]
    Repeated(i32),
    /// A partition is left out.
    #[error("partitions should be a consecutive 0-based integer sequence")]
    Gap,
    /// A partition of nobody.
    #[error("The manual partition assignment includes an empty replica list.")]
    Empty,
    /// A broker that is not there.
    #[error("The manual partition assignment includes broker {0}, but no such broker is registered.")]
    UnknownBroker(i32),
    /// One broker twice.
    #[error("The manual partition assignment includes the broker {0} more than once.")]
    RepeatedBroker(i32),
    /// Not as many as there are new partitions.
    #[error("Attempted to add {added} additional partition(s), but only {assigned} assignment(s) were specified.")]
    Count {
        /// How many partitions there are to be.
        added: i32,
        /// How many are assigned.
        assigned: usize,
    },
}

impl Broker {
    /// The number of partitions of a new topic whose partitions are assigned.
    pub(super) fn assigned_partitions(&self, assignments: &[(i32, Vec<i32>)]) -> Result<i32, BadAssignment> {
        let mut numbers = BTreeSet::new();
        for (number, brokers) in assignments {
            if !numbers.insert(*number) {
                return Err(BadAssignment::Repeated(*number));
            }
            check(self.id(), brokers)?;
        }
        let count = i32::try_from(numbers.len()).unwrap_or(i32::MAX);
        if numbers.first() == Some(&0) && numbers.last() == Some(&(count - 1)) {
            Ok(count)
        } else {
            Err(BadAssignment::Gap)
        }
    }

    /// Whether `added` new partitions can be assigned so.
    pub(super) fn check_added(&self, added: i32, assignments: &[Vec<i32>]) -> Result<(), BadAssignment> {
        if i32::try_from(assignments.len()) != Ok(added) {
            return Err(BadAssignment::Count { added, assigned: assignments.len() });
        }
        assignments.iter().try_for_each(|brokers| check(self.id(), brokers))
    }
}

fn check(this: BrokerId, brokers: &[i32]) -> Result<(), BadAssignment> {
    let mut sorted = brokers.to_vec();
    sorted.sort_unstable();
    if sorted.is_empty() {
        return Err(BadAssignment::Empty);
    }
    if let Some(unknown) = sorted.iter().find(|broker| **broker != this.0) {
        return Err(BadAssignment::UnknownBroker(*unknown));
    }
    if sorted.len() > 1 { Err(BadAssignment::RepeatedBroker(this.0)) } else { Ok(()) }
}
