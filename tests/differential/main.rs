//! The same wire requests to Apache Kafka and to Tidelog, and the answers compared field by field.
//!
//! `cargo test --test differential` runs every case against both, then every case against Kafka once more, which has to
//! show no difference at all, and plants differences that have to be found. What differs on purpose stands in
//! `on_purpose.rs`. A word after `--` runs the cases whose name holds it; `--kafka` leaves Tidelog out.
//! Needs Java and Maven; without them it says that it is skipped.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "test code: a failure is a panic, its words go to the terminal"
)]

mod batches;
mod cases;
mod compare;
mod connection;
mod decode;
mod differences;
mod encode;
mod kafka;
mod normal;
mod on_purpose;
mod peer;
mod planted;
mod process;
mod report;
mod schema;
mod tidelog;
mod transcript;
mod uuids;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ::tidelog::clock::{Clock as _, SystemClock};

use cases::Case;
use peer::{Peer, Served};
use process::Broker;
use report::Report;
use schema::Schemas;
use transcript::{Entry, Outcome};

/// How long a broker may take to start.
const START: Duration = Duration::from_secs(300);

/// A case that takes longer is named.
const SLOW: Duration = Duration::from_secs(10);

/// What each case was answered, in the order of the cases.
type Transcripts = Vec<Vec<Entry>>;

fn main() -> ExitCode {
    if let Some(why) = kafka::missing_tools() {
        println!("skipped: differential ({why})");
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let without_tidelog = arguments.iter().any(|argument| argument == "--kafka");
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-')).cloned().unwrap_or_default();
    let cases: Vec<&Case> = cases::ALL.iter().filter(|case| case.name.contains(&wanted)).collect();
    let report = if without_tidelog { against_itself(&cases) } else { against_tidelog(&cases, wanted.is_empty()) };
    report.print();
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Kafka beside Tidelog, then beside itself.
fn against_tidelog(cases: &[&Case], all: bool) -> Report {
    let distribution = kafka::Distribution::fetch();
    let schemas = Arc::new(Schemas::read(&distribution.messages()));
    let (mut kafka, mut ours) = (distribution.start(), tidelog::start());
    let ours_serves = wait(&mut ours, &schemas);
    let both = both(&wait(&mut kafka, &schemas), &ours_serves, &schemas);
    let mut peer = Peer::new(kafka.port, Arc::clone(&schemas), both.clone(), "first");
    let mut other = Peer::new(ours.port, Arc::clone(&schemas), both.clone(), "first");
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(|| run(cases, &mut peer));
        let second = scope.spawn(|| run(cases, &mut other));
        (first.join().unwrap(), second.join().unwrap())
    });
    ours.must_live();
    let mut report = Report::new(cases.len(), all);
    report.compare(&first, &second);
    report.require_all_asked(&both, &schemas, &first);
    let again = run(cases, &mut Peer::new(kafka.port, schemas, both, "again"));
    report.compare_kafka_with_itself(&first, &again);
    for (whose, transcripts) in [("Kafka", &first), ("Tidelog", &second), ("Kafka again", &again)] {
        report.require_all_ended(whose, transcripts);
    }
    report.plant(peer.take_planted());
    report
}

/// Kafka beside itself alone: whether the cases are steady.
fn against_itself(cases: &[&Case]) -> Report {
    let distribution = kafka::Distribution::fetch();
    let schemas = Arc::new(Schemas::read(&distribution.messages()));
    let mut kafka = distribution.start();
    let served = wait(&mut kafka, &schemas);
    let both = both(&served, &served, &schemas);
    let mut peer = Peer::new(kafka.port, Arc::clone(&schemas), both.clone(), "first");
    let first = run(cases, &mut peer);
    let again = run(cases, &mut Peer::new(kafka.port, schemas, both, "again"));
    let mut report = Report::new(cases.len(), false);
    report.compare_kafka_with_itself(&first, &again);
    report.require_all_ended("Kafka", &first);
    report.require_all_ended("Kafka again", &again);
    report.plant(peer.take_planted());
    report.show(&first);
    report
}

/// Waits until a broker answers; fails with its words when it does not.
fn wait(broker: &mut Broker, schemas: &Arc<Schemas>) -> Served {
    let clock = SystemClock::new();
    loop {
        broker.must_live();
        if let Some(served) = peer::served(broker.port, schemas) {
            cases::setup::warm_up(&mut Peer::new(broker.port, Arc::clone(schemas), served.clone(), "start"));
            return served;
        }
        assert!(clock.monotonic() < START, "{} does not start:\n{}", broker.name, broker.last_words());
        thread::park_timeout(Duration::from_millis(50));
    }
}

/// The versions that both serve.
fn both(kafka: &Served, ours: &Served, schemas: &Schemas) -> Served {
    let mut out = BTreeMap::new();
    for (key, (min, max)) in kafka {
        let (Some((our_min, our_max)), Some(name)) = (ours.get(key), schemas.name_of(*key)) else { continue };
        let valid = schemas.api(name).request.valid;
        out.insert(*key, (valid.min.max(*min).max(*our_min), valid.max.min(*max).min(*our_max)));
    }
    out
}

fn run(cases: &[&Case], peer: &mut Peer) -> Transcripts {
    let clock = SystemClock::new();
    cases
        .iter()
        .map(|case| {
            let began = clock.monotonic();
            peer.begin(case.name);
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (case.run)(peer)));
            let mut transcript = peer.take_transcript();
            if ended.is_err() {
                let (api, request, outcome) = (String::new(), String::new(), Outcome::BrokeOff);
                transcript.push(Entry { place: case.name.to_owned(), api, version: 0, request, outcome });
            }
            let took = clock.monotonic() - began;
            if took > SLOW {
                println!("{} took {took:.1?} on {}", case.name, peer.tag);
            }
            transcript
        })
        .collect()
}
