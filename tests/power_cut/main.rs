//! A power cut at any moment: whatever the machine wakes up with, nothing that was promised is missing.
//!
//! The disk under the log and under a `file://` bucket is in memory and writes down every write, sync and name
//! (`tidelog::disk::recorded`). Random histories, one per seed, run over it; then the power is cut at every entry of the
//! journal, and for each cut several of the possible states are recovered and held against what had been promised by
//! then. A failure prints its seed and what each operation's fate was.
//!
//! `POWER_CUT_SEEDS=100` runs more histories than the few that every run has, and looks at more states of each;
//! `POWER_CUT_SEED=7` runs only that one.

#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panic, and says why"
)]

#[path = "../fixtures/at_once.rs"]
mod at_once;
mod batches;
mod broker;
mod bucket;
mod checks;
mod history;
mod log;
mod model;
mod moments;
mod omissions;
mod partition;

use std::sync::atomic::{AtomicU64, Ordering};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Whether more was asked for than every run has.
fn deep() -> bool {
    number("POWER_CUT_SEEDS").is_some() || number("POWER_CUT_SEED").is_some()
}

/// Runs each seed, two at a time: `few` of them unless the environment says otherwise.
fn for_each_seed(few: u64, run: impl Fn(u64) + Sync) {
    let (first, end) = match number("POWER_CUT_SEED") {
        Some(one) => (one, one + 1),
        None => (0, number("POWER_CUT_SEEDS").unwrap_or(few)),
    };
    let next = AtomicU64::new(first);
    let worker = || {
        while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < end) {
            run(seed);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(worker);
        worker();
    });
}
