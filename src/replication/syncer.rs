//! The threads that sync logs. A fixed number, so that a thousand active partitions are a queue and not a thousand
//! threads; each partition stands in the queue at most once, so the queue is bounded by the partitions.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use parking_lot::{Condvar, Mutex};

use super::stable_log::StableLog;

/// A queue of logs to sync and the threads that take from it.
#[derive(Debug)]
pub struct Syncer {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    logs: VecDeque<Arc<StableLog>>,
    closed: bool,
}

impl Syncer {
    /// Starts `threads` threads.
    pub fn start(threads: usize) -> io::Result<Arc<Self>> {
        let shared = Arc::new(Shared::default());
        let mut running = Vec::with_capacity(threads);
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&shared);
            running.push(Builder::new().name(format!("sync-{number}")).spawn(move || shared.run())?);
        }
        Ok(Arc::new(Self { shared, threads: Mutex::new(running) }))
    }

    pub(super) fn submit(&self, log: Arc<StableLog>) {
        self.shared.queue.lock().logs.push_back(log);
        self.shared.filled.notify_one();
    }

    /// Finishes what is queued and ends the threads. Blocks until they are gone.
    pub fn close(&self) {
        self.shared.queue.lock().closed = true;
        self.shared.filled.notify_all();
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a sync thread panicked");
            }
        }
    }
}

impl Drop for Syncer {
    /// Whoever was not closed lets its threads go, and does not wait for them.
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.filled.notify_all();
    }
}

impl Shared {
    fn run(&self) {
        while let Some(log) = self.next() {
            if log.sync_once() {
                // Behind the others: one busy partition must not starve the rest.
                self.queue.lock().logs.push_back(log);
                self.filled.notify_one();
            }
        }
    }

    fn next(&self) -> Option<Arc<StableLog>> {
        let mut queue = self.queue.lock();
        loop {
            if let Some(log) = queue.logs.pop_front() {
                return Some(log);
            }
            if queue.closed {
                return None;
            }
            self.filled.wait(&mut queue);
        }
    }
}
