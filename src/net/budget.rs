//! The bytes that all half-read and waiting frames together may hold.
//!
//! A frame is charged in steps, for bytes that have arrived and never for bytes that were only announced: three
//! hundred clients that announce 50 MiB and stop hold next to nothing. Steps can deadlock, when every frame has half
//! of what it needs; so when the budget is empty *one* frame at a time may be completed beyond it.
//!
//! Invariant: what frames hold is at most the budget plus one frame of the largest size, plus the small buffer that
//! every connection has of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Shared by all connections of a process.
#[derive(Debug)]
pub struct ByteBudget {
    bytes: Arc<Semaphore>,
    beyond: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl ByteBudget {
    /// A budget of `bytes`.
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))),
            beyond: Arc::new(Semaphore::new(1)),
            waiting: AtomicUsize::new(0),
        })
    }

    /// Whether somebody waits for room: then those who hold some and do not move are given less time.
    pub fn is_contended(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Bytes that nobody holds.
    pub fn available_bytes(&self) -> usize {
        self.bytes.available_permits()
    }
}

/// What one frame holds of the budget; given back when it is dropped.
#[derive(Debug)]
pub struct FramePermit {
    budget: Arc<ByteBudget>,
    held: Option<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
}

impl FramePermit {
    /// Holds nothing yet.
    pub fn new(budget: &Arc<ByteBudget>) -> Self {
        Self { budget: Arc::clone(budget), held: None, beyond: None }
    }

    /// Takes `bytes` more, waiting for them. Dropping the future takes nothing.
    pub async fn grow(&mut self, bytes: usize) {
        if self.beyond.is_some() {
            return;
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        match Arc::clone(&self.budget.bytes).try_acquire_many_owned(bytes) {
            Ok(more) => self.merge(more),
            Err(_full) => self.wait(bytes).await,
        }
    }

    async fn wait(&mut self, bytes: u32) {
        let budget = Arc::clone(&self.budget);
        let _waiting = Waiting::begin(&budget.waiting);
        let within = Arc::clone(&budget.bytes).acquire_many_owned(bytes);
        let beyond = Arc::clone(&budget.beyond).acquire_owned();
        tokio::select! {
            biased;
            more = within => self.merge(more.expect("the budget is never closed")),
            turn = beyond => self.beyond = Some(turn.expect("the budget is never closed")),
        }
    }

    fn merge(&mut self, more: OwnedSemaphorePermit) {
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_that_each_hold_half_are_completed_one_at_a_time() {
        let budget = ByteBudget::new(100);
        let (mut a, mut b) = (FramePermit::new(&budget), FramePermit::new(&budget));
        a.grow(50).await;
        b.grow(50).await;
        a.grow(50).await;
        assert!(!budget.is_contended(), "the first went beyond the budget");
        {
            let mut more = Box::pin(b.grow(50));
            assert!(futures::poll!(&mut more).is_pending());
            assert!(budget.is_contended());
            drop(a);
            assert!(futures::poll!(&mut more).is_ready());
        }
        assert!(!budget.is_contended());
        drop(b);
        assert_eq!(budget.available_bytes(), 100);
    }

    #[tokio::test]
    async fn a_step_that_is_given_up_takes_nothing() {
        let budget = ByteBudget::new(10);
        let mut first = FramePermit::new(&budget);
        first.grow(10).await;
        let mut second = FramePermit::new(&budget);
        second.grow(5).await;
        let mut third = FramePermit::new(&budget);
        assert!(futures::poll!(Box::pin(third.grow(5))).is_pending());
        drop((first, second, third));
        assert_eq!(budget.available_bytes(), 10);
        assert!(!budget.is_contended());
    }
}
