//! The high watermark of one partition, and those who wait for it.
//!
//! Invariant: the value never goes back, and whoever waits for an offset is woken once it has been passed or the
//! partition has gone offline; nobody is forgotten.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::model::Offset;

/// Watchers above which the dead ones are swept at the next registration.
const WATCHERS_BEFORE_SWEEP: usize = 64;

/// The partition went offline before the offset was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the partition went offline before the records were on stable storage")]
pub struct Offline;

/// The watermark: everything below it is on every in-sync replica's stable storage.
#[derive(Debug)]
pub struct HighWatermark {
    value: AtomicI64,
    waiters: Mutex<Waiters>,
}

#[derive(Debug, Default)]
struct Waiters {
    /// By the offset that the watermark must reach, then by arrival.
    commits: BTreeMap<(Offset, u64), oneshot::Sender<()>>,
    arrivals: u64,
    /// Fetches that want to hear of any change. Weak: a fetch that was answered otherwise is just gone.
    watchers: Vec<Weak<Notify>>,
    offline: bool,
}

impl HighWatermark {
    /// A watermark that stands at `at`.
    pub fn new(at: Offset) -> Self {
        Self { value: AtomicI64::new(at.get()), waiters: Mutex::default() }
    }

    /// Where it stands: the offset after the last record that consumers may see.
    pub fn get(&self) -> Offset {
        Offset::new(self.value.load(Ordering::Acquire))
    }

    /// Moves it on. A value at or below the present one changes nothing.
    pub fn advance_to(&self, to: Offset) {
        if self.value.fetch_max(to.get(), Ordering::AcqRel) >= to.get() {
            return;
        }
        let mut waiters = self.waiters.lock();
        let waiting = waiters.commits.split_off(&(to.next(), 0));
        for (_, done) in std::mem::replace(&mut waiters.commits, waiting) {
            // A producer that has hung up does not wait any more.
            let _ = done.send(());
        }
        waiters.wake_watchers();
    }

    /// Ends with `Ok` once the watermark is at or above `upto`.
    pub fn reached(&self, upto: Offset) -> impl Future<Output = Result<(), Offline>> + Send + 'static {
        let receiver = self.register(upto);
        async move {
            match receiver {
                None => Ok(()),
                Some(receiver) => receiver.await.map_err(|_| Offline),
            }
        }
    }

    /// `None` where the watermark is there already.
    fn register(&self, upto: Offset) -> Option<oneshot::Receiver<()>> {
        if self.get() >= upto {
            return None;
        }
        let mut waiters = self.waiters.lock();
        // Again, under the lock: an advance in between has already woken whoever was listed.
        if self.get() >= upto {
            return None;
        }
        let (done, receiver) = oneshot::channel();
        if !waiters.offline {
            waiters.arrivals += 1;
            let arrival = waiters.arrivals;
            waiters.commits.insert((upto, arrival), done);
        }
        Some(receiver)
    }

    /// Has `watcher` notified at the next change, once. A change that has happened since the caller last looked
    /// at [`Self::get`] is not reported: register first, then look.
    pub fn watch(&self, watcher: &Arc<Notify>) {
        let mut waiters = self.waiters.lock();
        if waiters.watchers.len() >= WATCHERS_BEFORE_SWEEP {
            waiters.watchers.retain(|known| known.strong_count() > 0);
        }
        waiters.watchers.push(Arc::downgrade(watcher));
    }

    /// Ends every wait: commits with [`Offline`], fetches so that they look again.
    pub fn go_offline(&self) {
        let mut waiters = self.waiters.lock();
        waiters.offline = true;
        waiters.commits.clear();
        waiters.wake_watchers();
    }

    /// Has every fetch that waits look again, though the watermark stands: the log start or the epoch changed.
    pub fn wake_watchers(&self) {
        self.waiters.lock().wake_watchers();
    }
}

impl Waiters {
    fn wake_watchers(&mut self) {
        for watcher in self.watchers.drain(..).filter_map(|watcher| watcher.upgrade()) {
            watcher.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test]
    async fn waiters_end_in_the_order_of_their_offsets() {
        let watermark = HighWatermark::new(Offset::new(5));
        watermark.reached(Offset::new(5)).await.unwrap();
        let mut ten = Box::pin(watermark.reached(Offset::new(10)));
        let mut eleven = Box::pin(watermark.reached(Offset::new(11)));
        watermark.advance_to(Offset::new(9));
        assert!(futures::poll!(&mut ten).is_pending());
        watermark.advance_to(Offset::new(10));
        assert_eq!(ten.await, Ok(()));
        assert!(futures::poll!(&mut eleven).is_pending());
        watermark.go_offline();
        assert_eq!(eleven.await, Err(Offline));
        assert_eq!(watermark.reached(Offset::new(12)).await, Err(Offline));
    }

    #[tokio::test]
    async fn a_watcher_hears_of_one_change_and_is_then_forgotten() {
        let watermark = HighWatermark::new(Offset::ZERO);
        let fetch = Arc::new(Notify::new());
        watermark.watch(&fetch);
        watermark.advance_to(Offset::new(1));
        fetch.notified().await;
        watermark.advance_to(Offset::new(2));
        let mut again = Box::pin(fetch.notified());
        assert!(futures::poll!(&mut again).is_pending());
    }

    #[test]
    fn dead_watchers_do_not_pile_up() {
        let watermark = HighWatermark::new(Offset::ZERO);
        for _ in 0..10_000 {
            watermark.watch(&Arc::new(Notify::new()));
        }
        assert!(watermark.waiters.lock().watchers.len() <= WATCHERS_BEFORE_SWEEP);
    }

    proptest! {
        #[test]
        fn it_never_goes_back(steps in proptest::collection::vec(0i64..1_000, 1..50)) {
            let watermark = HighWatermark::new(Offset::ZERO);
            let mut highest = 0;
            for step in steps {
                watermark.advance_to(Offset::new(step));
                highest = highest.max(step);
                prop_assert_eq!(watermark.get(), Offset::new(highest));
            }
        }
    }
}
