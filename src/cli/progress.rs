//! How far long work is: a line on standard error, where a person looks at it, and nothing elsewhere.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{DecimalBytes, HumanCount, ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::clock::Clock;

/// Work that is counted in records and bytes.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    clock: Arc<dyn Clock>,
    started: Duration,
    records: u64,
    bytes: u64,
}

/// What was done, and how fast.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Done {
    /// Records.
    pub records: u64,
    /// Bytes of keys, values and headers.
    pub bytes: u64,
    /// How long it took.
    pub seconds: f64,
}

impl Progress {
    /// Begins; `what` says what is done to the records.
    pub fn start(what: &'static str, clock: &Arc<dyn Clock>) -> Self {
        let bar = if io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, clock: Arc::clone(clock), started: clock.monotonic(), records: 0, bytes: 0 }
    }

    /// So much more was done.
    pub fn add(&mut self, records: u64, bytes: u64) {
        self.records += records;
        self.bytes += bytes;
        if !self.bar.is_hidden() {
            self.bar.set_message(self.done().to_string());
        }
    }

    /// What was done so far.
    pub fn done(&self) -> Done {
        let seconds = self.clock.monotonic().saturating_sub(self.started).as_secs_f64();
        Done { records: self.records, bytes: self.bytes, seconds }
    }

    /// Clears the line away.
    pub fn finish(self) -> Done {
        self.bar.finish_and_clear();
        self.done()
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = |count: u64| per_second(count, self.seconds);
        write!(
            f,
            "{} records, {} in {:.1} s ({} records/s, {}/s)",
            HumanCount(self.records),
            DecimalBytes(self.bytes),
            self.seconds,
            HumanCount(rate(self.records)),
            DecimalBytes(rate(self.bytes)),
        )
    }
}

/// So many a second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rate for people: neither number is exact to the last digit"
)]
pub fn per_second(count: u64, seconds: f64) -> u64 {
    (count as f64 / seconds.max(0.001)) as u64
}
