//! A bucket that fails as it is told to: for tests of what stands above it.
//!
//! A [`FaultPlan`] is shared between a test and the [`Faulty`] store (or [`super::BucketOptions::faults`]); faults
//! come and go while requests run. The first fault that matches a request takes it; where none does, the request
//! goes through.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::clock::Clock;

use super::error::{BucketError, ErrorKind, NotSent, Operation};
use super::layer::{Answer, Attempt, Call, Layer, Layered};
use super::store::Store;

/// What happens to a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It fails and nothing was done.
    Fail(ErrorKind),
    /// It is not even sent.
    NotSent(NotSent),
    /// It is done, and fails all the same: the caller cannot know.
    DoneButFails(ErrorKind),
    /// It is done after a while.
    Delay(Duration),
    /// It hangs until [`FaultPlan::release`], and is done then.
    BlackHole,
    /// One bit of what is read is flipped, at this byte (from the end where it is too far).
    FlipBit(usize),
    /// What is read ends after so many bytes.
    Truncate(usize),
}

/// Which requests meet what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    operation: Option<Operation>,
    key_prefix: String,
    skip: u64,
    times: Option<u64>,
    effect: Effect,
}

impl Fault {
    /// A fault of every request, for good.
    pub fn new(effect: Effect) -> Self {
        Self { operation: None, key_prefix: String::new(), skip: 0, times: None, effect }
    }

    /// Only of this operation.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Only of keys that begin so.
    #[must_use]
    pub fn below(mut self, key_prefix: impl Into<String>) -> Self {
        self.key_prefix = key_prefix.into();
        self
    }

    /// Not of the first `skip` requests that match.
    #[must_use]
    pub fn after(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// Only so often.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    fn matches(&self, call: &Call<'_>) -> bool {
        self.times != Some(0)
            && self.operation.is_none_or(|operation| operation == call.operation)
            && call.key.starts_with(&self.key_prefix)
    }
}

#[derive(Debug, Default)]
struct Plan {
    faults: Vec<Fault>,
    met: u64,
}

/// The faults in force.
#[derive(Debug)]
pub struct FaultPlan {
    plan: Mutex<Plan>,
    /// How often [`FaultPlan::release`] was called.
    released: watch::Sender<u64>,
    /// How many requests hang now.
    hanging: watch::Sender<u64>,
}

impl FaultPlan {
    /// No faults yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { plan: Mutex::default(), released: watch::Sender::new(0), hanging: watch::Sender::new(0) })
    }

    /// Adds a fault, behind those in force.
    pub fn add(&self, fault: Fault) {
        self.plan.lock().faults.push(fault);
    }

    /// Removes all faults. What hangs goes on hanging.
    pub fn clear(&self) {
        self.plan.lock().faults.clear();
    }

    /// Removes all faults and lets go of all that hangs.
    pub fn release(&self) {
        self.clear();
        self.released.send_modify(|times| *times += 1);
    }

    /// How many requests met a fault so far.
    pub fn met(&self) -> u64 {
        self.plan.lock().met
    }

    /// Ends when at least so many requests hang.
    pub async fn hanging(&self, at_least: u64) {
        // The sender lives as long as `self`.
        let _ = self.hanging.subscribe().wait_for(|hanging| *hanging >= at_least).await;
    }

    fn meet(&self, call: &Call<'_>) -> Option<Effect> {
        let mut plan = self.plan.lock();
        let fault = plan.faults.iter_mut().find(|fault| fault.matches(call))?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        let effect = fault.effect.clone();
        plan.met += 1;
        Some(effect)
    }

    async fn hang(&self) {
        let mut released = self.released.subscribe();
        let before = *released.borrow_and_update();
        self.hanging.send_modify(|hanging| *hanging += 1);
        let _counted = Hanging(self);
        let _ = released.wait_for(|times| *times > before).await;
    }
}

struct Hanging<'a>(&'a FaultPlan);

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.hanging.send_modify(|hanging| *hanging -= 1);
    }
}

/// A store that meets the faults of a plan.
#[derive(Debug)]
pub struct Faulty {
    plan: Arc<FaultPlan>,
    clock: Arc<dyn Clock>,
}

impl Faulty {
    /// Puts the plan around `inner`.
    pub fn around(inner: Arc<dyn Store>, plan: Arc<FaultPlan>, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        Arc::new(Layered { inner, layer: Self { plan, clock } })
    }
}

fn planned(kind: ErrorKind, call: &Call<'_>) -> BucketError {
    BucketError::new(kind, call.operation, call.key, "a planned fault")
}

impl Layer for Faulty {
    async fn around<'a, T: Answer>(&'a self, call: Call<'a>, attempt: Attempt<'a, T>) -> Result<T, BucketError> {
        match self.plan.meet(&call) {
            None => attempt().await,
            Some(Effect::Fail(kind)) => Err(planned(kind, &call)),
            Some(Effect::NotSent(why)) => Err(planned(ErrorKind::Unavailable, &call).unsent(Some(why))),
            Some(Effect::DoneButFails(kind)) => {
                attempt().await?;
                Err(planned(kind, &call))
            }
            Some(Effect::Delay(duration)) => {
                self.clock.sleep(duration).await;
                attempt().await
            }
            Some(Effect::BlackHole) => {
                self.plan.hang().await;
                attempt().await
            }
            Some(Effect::FlipBit(at)) => {
                let mut answer = attempt().await?;
                if let Some(content) = answer.content() {
                    *content = with_flipped_bit(content, at);
                }
                Ok(answer)
            }
            Some(Effect::Truncate(length)) => {
                let mut answer = attempt().await?;
                if let Some(content) = answer.content() {
                    content.truncate(length);
                }
                Ok(answer)
            }
        }
    }
}

fn with_flipped_bit(content: &Bytes, at: usize) -> Bytes {
    let mut damaged = BytesMut::from(content.as_ref());
    let at = at.min(damaged.len().saturating_sub(1));
    if let Some(byte) = damaged.get_mut(at) {
        *byte ^= 1;
    }
    damaged.freeze()
}
