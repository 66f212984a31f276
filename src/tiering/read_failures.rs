//! Reads of the bucket that fail and are nobody's damage: the store is away, refuses its keys, or takes nothing.
//!
//! Each consumer of each cold partition meets them with every fetch. The log hears of the first of a kind, and then now and
//! then of how many there were.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::errors::RemoteReadError;

/// How often the log hears of the same kind again.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// What was said of each kind: when, and the reads that have failed since.
#[derive(Debug, Default)]
pub(super) struct ReadFailures(Mutex<HashMap<&'static str, (Duration, u64)>>);

impl ReadFailures {
    /// A read failed. Says so, where it is time to.
    pub(super) fn note(&self, now: Duration, error: &RemoteReadError) {
        let Some(kind) = kind(error) else { return };
        let Some(reads) = self.count(now, kind) else { return };
        let may_pass = matches!(error, RemoteReadError::Bucket(error) if error.kind().may_pass());
        if may_pass || error.is_transient() {
            tracing::warn!(%error, reads, "cold reads fail; their partitions get no data meanwhile");
        } else {
            tracing::error!(%error, reads, "cold reads fail, and it will not pass by itself");
        }
    }

    /// How many reads are to be told of, where it is time to.
    fn count(&self, now: Duration, kind: &'static str) -> Option<u64> {
        let mut kinds = self.0.lock();
        let Some((said_at, reads)) = kinds.get_mut(kind) else {
            kinds.insert(kind, (now, 0));
            return Some(1);
        };
        *reads += 1;
        (now.saturating_sub(*said_at) >= SAID_EVERY).then(|| {
            *said_at = now;
            std::mem::take(reads)
        })
    }
}

/// Of which kind it is; `None` for damages, which are told where they are remembered.
fn kind(error: &RemoteReadError) -> Option<&'static str> {
    match error {
        RemoteReadError::Bucket(error) => Some(error.kind().name()),
        RemoteReadError::Elsewhere(_) => Some("another bucket"),
        RemoteReadError::Catalog(_) => Some("catalog"),
        RemoteReadError::Unfinished(_) => Some("unfinished"),
        RemoteReadError::TimedOut => Some("deadline"),
        RemoteReadError::Damaged { .. }
        | RemoteReadError::Missing { .. }
        | RemoteReadError::NoObject { .. }
        | RemoteReadError::BadRow(_)
        | RemoteReadError::Lasting { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_once_and_then_counted() {
        let failures = ReadFailures::default();
        let at = Duration::from_secs;
        assert_eq!(failures.count(at(0), "denied"), Some(1));
        assert_eq!(failures.count(at(1), "throttled"), Some(1), "another kind");
        assert!((0..100).all(|_| failures.count(at(59), "denied").is_none()));
        assert_eq!(failures.count(at(60), "denied"), Some(101));
        assert_eq!(failures.count(at(61), "denied"), None);
    }

    #[test]
    fn damages_are_not_told_here() {
        assert!(kind(&RemoteReadError::Missing { key: "a".to_owned() }).is_none());
        assert!(kind(&RemoteReadError::TimedOut).is_some());
    }
}
