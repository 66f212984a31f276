//! Frames of every kind in every version, damaged, for the sessions of a broker: without sockets, so that a panic is the
//! case's own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, CreatePartitionsRequest, CreateTopicsRequest, RequestHeader};
use kafka_protocol::protocol::{Decodable, Request};
use rand::Rng;
use rand::rngs::StdRng;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::bench::Bench;
use crate::clock::SystemClock;
use crate::damage::{damage, noise};
use crate::samples::sample;
use crate::server::api_table::table;
use crate::server::session::Session;
use crate::server::{FetchLimits, FrontEnd, Shared};
use crate::target::{Outcome, Target};
use tidelog::net::{Answer, Reply, Service as _};

/// What a frame begins with: kind, version, correlation id.
const FIXED_BYTES: usize = 8;
/// Cases on one broker: what they have made of it goes with it.
const CASES_A_BROKER: u64 = 2_000;
/// Partitions that a request may make: making ten thousand is allowed, and takes its time.
const PARTITIONS_MAX: i32 = 20;
/// How long an answer may take that nobody waits for.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A frame of each kind in each version.
pub fn all_samples() -> Vec<Bytes> {
    table().rows().flat_map(|row| (row.min..=row.max).map(|version| sample(row.key, version))).collect()
}

/// A frame that is not what anybody sends.
pub fn hostile(chance: &mut StdRng, samples: &[Bytes]) -> Vec<u8> {
    let one = &samples[chance.random_range(0..samples.len())];
    let other = &samples[chance.random_range(0..samples.len())];
    let mut frame = one.to_vec();
    match chance.random_range(0..10) {
        0 => noise(chance, 400),
        1 => {
            frame.truncate(FIXED_BYTES);
            frame.extend(noise(chance, 400));
            frame
        }
        _ => {
            let from = if chance.random_range(0..10) == 0 { 0 } else { FIXED_BYTES };
            damage(chance, &mut frame, from, other);
            frame
        }
    }
}

/// Whether it would make more partitions than there is time for.
pub fn makes_many(frame: &[u8]) -> bool {
    let counts = match frame {
        [0, 19, 0, version, ..] => decoded::<CreateTopicsRequest>(frame, i16::from(*version))
            .map(|request| request.topics.iter().map(|topic| topic.num_partitions).collect()),
        [0, 37, 0, version, ..] => decoded::<CreatePartitionsRequest>(frame, i16::from(*version))
            .map(|request| request.topics.iter().map(|topic| topic.count).collect()),
        _ => None,
    };
    counts.is_some_and(|counts: Vec<i32>| counts.iter().any(|count| *count > PARTITIONS_MAX))
}

fn decoded<R: Request>(frame: &[u8], version: i16) -> Option<R> {
    let key = ApiKey::try_from(R::KEY).ok()?;
    table().find(R::KEY).filter(|row| (row.min..=row.max).contains(&version))?;
    let mut body = Bytes::copy_from_slice(frame);
    RequestHeader::decode(&mut body, key.request_header_version(version)).ok()?;
    R::decode(&mut body, version).ok()
}

/// A broker that may be made anew.
pub struct Brokers {
    pub runtime: Runtime,
    bench: Option<Bench>,
    cases: u64,
}

impl Brokers {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { runtime, bench: None, cases: 0 }
    }

    /// The broker for the next case, and whether it is a new one.
    pub fn next(&mut self) -> (&Bench, bool) {
        let anew = self.cases.is_multiple_of(CASES_A_BROKER);
        if anew {
            self.stop();
            self.bench = Some(self.runtime.block_on(Bench::start()));
        }
        self.cases += 1;
        (self.bench.as_ref().unwrap(), anew)
    }

    pub fn stop(&mut self) {
        if let Some(bench) = self.bench.take() {
            self.runtime.block_on(async {
                bench.server.stop(Duration::from_secs(5)).await;
                bench.broker.stop().await;
            });
        }
    }
}

/// Sessions of a broker.
pub struct Frames {
    brokers: Brokers,
    session: Option<Session<FrontEnd>>,
    samples: Vec<Bytes>,
}

impl Frames {
    pub fn new() -> Self {
        Self { brokers: Brokers::new(), session: None, samples: all_samples() }
    }

    fn session(&mut self) -> &mut Session<FrontEnd> {
        let (bench, anew) = self.brokers.next();
        if anew {
            let front_end = FrontEnd::new(Arc::clone(&bench.broker), FetchLimits::from(&*bench.broker.settings()));
            let shared = Arc::new(Shared { state: Arc::new(front_end), table: table() });
            // Nobody waits for long.
            let hurry = CancellationToken::new();
            hurry.cancel();
            self.session = Some(Session::new(shared, "127.0.0.1:1".parse().unwrap(), hurry, SystemClock::shared()));
        }
        self.session.as_mut().unwrap()
    }
}

/// Waits for the answer's end: whether the connection goes on.
async fn was_read(mut answer: Answer) -> bool {
    loop {
        match answer {
            Answer::Now(_) | Answer::Silent => return true,
            Answer::Close => return false,
            Answer::Later(reply) | Answer::Alone(reply) => return !matches!(reply.await, Reply::Close),
            Answer::Begun(work) => answer = work.await,
        }
    }
}

impl Target for Frames {
    fn memory_bytes_max(&self) -> u64 {
        64 << 20
    }

    fn run(&mut self, chance: &mut StdRng) -> Result<Outcome, String> {
        let frame = hostile(chance, &self.samples);
        if makes_many(&frame) {
            return Ok(Outcome::Refused);
        }
        let handle = self.brokers.runtime.handle().clone();
        let session = self.session();
        let answered = handle.block_on(async {
            let answer = session.answer(frame.into());
            tokio::select! {
                read = was_read(answer) => Some(read),
                () = SystemClock::shared().sleep(ANSWER_MAX) => None,
            }
        });
        match answered {
            Some(true) => Ok(Outcome::Read),
            Some(false) => Ok(Outcome::Refused),
            None => Err(format!("no answer within {ANSWER_MAX:?}")),
        }
    }

    fn end(&mut self) {
        self.session = None;
        self.brokers.stop();
    }
}
