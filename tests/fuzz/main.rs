//! Damaged input by chance, for as long as one likes: frames for a broker, batches of producers, objects of the bucket, what
//! catalog and control files hold, the files of a local log. Nothing may panic, hang or take memory without bound, nothing
//! wrong may pass for right, and a refusal says what it is about.
//!
//! `tests/run fuzz [--seconds N] [--seed N] [--target NAME] [--case N]`. Every case has a random generator of its own, made of
//! the seed, the target and the case's number: what fails is run again by naming these three.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code: a failure is a panic, its words go to the terminal"
)]

mod batches;
mod catalogued;
mod damage;
mod frames;
mod logs;
mod objects;
mod target;
mod watch;
mod wires;

#[path = "../../src/server/tests/bench.rs"]
#[expect(dead_code, reason = "what the front end's own tests use of it is more")]
mod bench;
#[path = "../../src/server/tests/samples.rs"]
mod samples;
#[path = "../../src/server/tests/wire.rs"]
#[expect(dead_code, reason = "what the front end's own tests use of it is more")]
mod wire;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use rand::SeedableRng;
use rand::rngs::StdRng;

// What the benches that are shared with the front end's own tests call by these names.
use tidelog::{broker, clock, disk, model, object_storage, record, server};

use clock::SystemClock;
use target::{Outcome, Target};
use watch::Watch;

/// Damaged input by chance.
#[derive(Debug, Parser)]
struct Options {
    /// How long, all targets together
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What the cases are made of
    #[arg(long)]
    seed: Option<u64>,
    /// Only this target
    #[arg(long)]
    target: Option<String>,
    /// Only this case
    #[arg(long)]
    case: Option<u64>,
}

/// A target's name, and how it is made ready.
type Row = (&'static str, fn() -> Box<dyn Target>);

const TARGETS: [Row; 6] = [
    ("frames", || Box::new(frames::Frames::new())),
    ("wires", || Box::new(wires::Wires::new())),
    ("batches", || Box::new(batches::Batches::new())),
    ("objects", || Box::new(objects::Objects::new())),
    ("catalogued", || Box::new(catalogued::Catalogued::new())),
    ("logs", || Box::new(logs::Logs::new())),
];

fn main() -> ExitCode {
    let options = Options::parse();
    let rows: Vec<&Row> =
        TARGETS.iter().filter(|row| options.target.as_deref().is_none_or(|name| name == row.0)).collect();
    if rows.is_empty() {
        println!("there is no such target: {}", TARGETS.map(|row| row.0).join(", "));
        return ExitCode::FAILURE;
    }
    let seed = options.seed.unwrap_or_else(rand::random);
    let share = Duration::from_secs(options.seconds) / u32::try_from(rows.len()).unwrap();
    let watch = Watch::start();
    let mut good = true;
    for (name, make) in rows {
        good &= run(name, *make, seed, share, options.case, &watch);
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one target until its time is over or something is wrong.
fn run(
    name: &str,
    make: fn() -> Box<dyn Target>,
    seed: u64,
    share: Duration,
    only: Option<u64>,
    watch: &Watch,
) -> bool {
    let clock = SystemClock::shared();
    let mut target = make();
    let end = clock.monotonic() + share;
    let (mut read, mut refused) = (0u64, 0u64);
    let mut number = only.unwrap_or(0);
    loop {
        let mut chance = StdRng::seed_from_u64(case_seed(seed, name, number));
        let place = format!("{name}: seed {seed}, case {number}");
        watch.begin(&place);
        let outcome = catch_unwind(AssertUnwindSafe(|| target.run(&mut chance)));
        let complaint = match (outcome, watch.end(target.memory_bytes_max(), target.may_panic_within())) {
            (Ok(Ok(outcome)), None) => {
                match outcome {
                    Outcome::Read => read += 1,
                    Outcome::Refused => refused += 1,
                }
                None
            }
            (Ok(Err(complaint)), _) | (Ok(Ok(_)), Some(complaint)) => Some(complaint),
            (Err(_), complaint) => Some(complaint.unwrap_or_else(|| "it panicked".to_owned())),
        };
        if let Some(complaint) = complaint {
            println!("FAIL {place}: {complaint}");
            println!("     again: tests/run fuzz --target {name} --seed {seed} --case {number}");
            return false;
        }
        number += 1;
        if only.is_some() || clock.monotonic() >= end {
            break;
        }
    }
    watch.begin(&format!("{name}: seed {seed}, the end"));
    target.end();
    let complaint = watch.end(u64::MAX, target.may_panic_within());
    println!(
        "{} {name}: seed {seed}, {} cases, {read} read, {refused} refused",
        if complaint.is_none() { "ok  " } else { "FAIL" },
        read + refused
    );
    complaint.is_none_or(|complaint| {
        println!("     at its end: {complaint}");
        false
    })
}

fn case_seed(seed: u64, target: &str, number: u64) -> u64 {
    let hash = blake3::hash(format!("{seed} {target} {number}").as_bytes());
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap())
}
