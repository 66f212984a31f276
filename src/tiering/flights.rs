//! Single flight: however many ask for a thing at once, it is fetched once, by a task that outlives all of them. Whoever
//! gives up waiting stops nothing, so a slow fetch is worth its cost the next time somebody asks.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::errors::RemoteReadError;
use super::threads::{Threads, Unfinished};

type Landed<V> = Option<Result<V, RemoteReadError>>;

/// What is being fetched.
#[derive(Debug)]
pub(super) struct Flights<K: Eq + Hash, V> {
    under_way: Mutex<HashMap<K, watch::Receiver<Landed<V>>>>,
}

impl<K: Eq + Hash, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self { under_way: Mutex::new(HashMap::new()) }
    }
}

/// One fetch, for one who waits for it.
#[derive(Debug)]
pub(super) struct Flight<V>(watch::Receiver<Landed<V>>);

impl<V: Clone> Flight<V> {
    /// What came of it.
    pub(super) async fn landed(mut self) -> Result<V, RemoteReadError> {
        match self.0.wait_for(Option::is_some).await {
            Ok(landed) => landed.clone().unwrap_or_else(|| Err(ended().into())),
            // The task was stopped, or panicked.
            Err(_) => Err(ended().into()),
        }
    }
}

fn ended() -> Unfinished {
    Unfinished::of("the fetch was stopped")
}

impl<K, V> Flights<K, V>
where
    K: Eq + Hash + Clone + Debug + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Joins the fetch of `key`, or begins it on the threads of the room.
    pub(super) fn join<F>(self: &Arc<Self>, threads: &Threads, key: &K, fetch: impl FnOnce() -> F) -> Flight<V>
    where
        F: Future<Output = Result<V, RemoteReadError>> + Send + 'static,
    {
        let mut under_way = self.under_way.lock();
        if let Some(flight) = under_way.get(key) {
            return Flight(flight.clone());
        }
        let (sender, receiver) = watch::channel(None);
        under_way.insert(key.clone(), receiver.clone());
        drop(under_way);
        let listed = Listed { flights: Arc::clone(self), key: key.clone() };
        let fetch = fetch();
        threads.spawn(async move {
            let landed = fetch.await;
            // Off the list first: who asks from now on looks in the cache, and finds it there.
            drop(listed);
            sender.send_replace(Some(landed));
        });
        Flight(receiver)
    }

    /// How many are under way.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.under_way.lock().len()
    }
}

/// An entry of the list; gone however its task ends.
struct Listed<K: Eq + Hash, V> {
    flights: Arc<Flights<K, V>>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for Listed<K, V> {
    fn drop(&mut self) {
        self.flights.under_way.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_fetch_outlives_who_asked_first_and_serves_all_who_ask_meanwhile() {
        let threads = Threads::start(1).unwrap();
        let flights: Arc<Flights<u32, u32>> = Arc::default();
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let fetches = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&fetches);
        let first = flights.join(&threads, &7, || async move {
            counted.fetch_add(1, Ordering::SeqCst);
            gone.await.unwrap();
            Ok(42)
        });
        drop(first);
        let joined: Vec<_> =
            (0..3).map(|_| flights.join(&threads, &7, || async { Err(RemoteReadError::TimedOut) })).collect();
        assert_eq!(flights.count(), 1);
        go.send(()).unwrap();
        for flight in joined {
            assert_eq!(flight.landed().await.unwrap(), 42);
        }
        assert_eq!((fetches.load(Ordering::SeqCst), flights.count()), (1, 0));
        threads.close().await;
    }

    #[tokio::test]
    async fn whoever_waits_when_the_threads_are_closed_is_told() {
        let threads = Threads::start(1).unwrap();
        let flights: Arc<Flights<u32, u32>> = Arc::default();
        let flight = flights.join(&threads, &7, std::future::pending);
        threads.close().await;
        assert!(matches!(flight.landed().await, Err(RemoteReadError::Unfinished(_))));
        assert_eq!(flights.count(), 0);
    }
}
