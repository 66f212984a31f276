//! Tries again what may succeed a little later, until a deadline.
//!
//! # Retries
//! Only errors whose kind is retriable. The pause before the n-th retry is random between nothing and a bound that
//! doubles each time, so that many callers do not come back at once. The deadline covers everything: tries, pauses,
//! waiting for a place.
//!
//! # Consistency
//! A try that got no answer may have taken effect; an error that follows one says so
//! ([`BucketError::is_outcome_unknown`]), and whoever cares looks.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::clock::Clock;

use super::error::{BucketError, ErrorKind, Operation};
use super::layer::{Answer, Attempt, Call, Layer};
use super::metrics;
use super::options::RetryOptions;

/// The layer.
#[derive(Debug)]
pub(super) struct Retry {
    options: RetryOptions,
    clock: Arc<dyn Clock>,
    random: Mutex<StdRng>,
}

impl Retry {
    pub(super) fn new(options: RetryOptions, clock: Arc<dyn Clock>, seed: u64) -> Self {
        Self { options, clock, random: Mutex::new(StdRng::seed_from_u64(seed)) }
    }

    fn deadline_of(&self, operation: Operation) -> Duration {
        match operation {
            Operation::Read => self.options.read_deadline,
            Operation::WritePart | Operation::FinishUpload | Operation::ReadBack => self.options.upload_deadline,
            _ => self.options.control_deadline,
        }
    }

    fn pause(&self, retries: u32) -> Duration {
        let doubled = self.options.pause_first.saturating_mul(1u32.checked_shl(retries.min(16)).unwrap_or(u32::MAX));
        doubled.min(self.options.pause_max).mul_f64(self.random.lock().random::<f64>())
    }
}

impl Layer for Retry {
    async fn around<'a, T: Answer>(&'a self, call: Call<'a>, attempt: Attempt<'a, T>) -> Result<T, BucketError> {
        let allowed = self.deadline_of(call.operation);
        let deadline = self.clock.monotonic().saturating_add(allowed);
        let mut outcome_unknown = false;
        let mut last: Option<BucketError> = None;
        for retries in 0u32.. {
            let left = deadline.saturating_sub(self.clock.monotonic());
            let answer = tokio::select! {
                biased;
                answer = attempt() => answer,
                () = self.clock.sleep(left) => Err(out_of_time(&call, allowed, last.take())),
            };
            let error = match answer {
                Ok(mut answer) => {
                    if outcome_unknown {
                        answer.note_unknown_outcome();
                    }
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let pause = self.pause(retries);
            let time_left = deadline.saturating_sub(self.clock.monotonic());
            if !error.kind().is_retriable() || pause >= time_left {
                // Its own try counts too: one that got no answer is not known to have done nothing.
                let own = error.kind().is_retriable() && error.kind() != ErrorKind::Throttled;
                return Err(error.after_unknown_outcome(outcome_unknown || own));
            }
            outcome_unknown |= error.kind() != ErrorKind::Throttled;
            metrics::retried(call.operation, error.kind());
            tracing::debug!(operation = %call.operation, key = call.key, retries, %error, "bucket request failed, trying again");
            last = Some(error);
            self.clock.sleep(pause).await;
        }
        Err(out_of_time(&call, allowed, last))
    }
}

fn out_of_time(call: &Call<'_>, allowed: Duration, last: Option<BucketError>) -> BucketError {
    let before = last.map(|error| format!("; before that: {}: {}", error.kind(), error.detail())).unwrap_or_default();
    let detail = format!("no answer within {} ms{before}", allowed.as_millis());
    BucketError::new(ErrorKind::TimedOut, call.operation, call.key, detail)
}
