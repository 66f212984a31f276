//! Frames that nobody honest sends: claims of arrays that are not there, frames cut and damaged anywhere, kinds and
//! versions of other worlds, clients that announce much and send nothing. Nothing panics, memory stays, the honest are
//! served.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, MetadataRequest};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::bench::{Bench, batch, fetch, produce};
use super::samples::sample;
use crate::clock::SystemClock;
use crate::net::{Answer, Service as _};
use crate::server::api_table::table;
use crate::server::session::Session;
use crate::server::{FetchLimits, FrontEnd, Shared};

/// What a frame begins with: kind, version, correlation id.
const FIXED_BYTES: usize = 8;
/// The largest claim of four bytes, and of a variable number.
const CLAIM: [u8; 4] = [0x7f, 0xff, 0xff, 0xff];
const COMPACT_CLAIM: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x07];

/// A connection's requests without the connection, so that a panic is the test's own. Nobody waits for long.
struct Ear {
    session: Session<FrontEnd>,
}

impl Ear {
    fn of(bench: &Bench) -> Self {
        let settings = bench.broker.settings();
        let front_end = FrontEnd::new(Arc::clone(&bench.broker), FetchLimits::from(&*settings));
        let shared = Arc::new(Shared { state: Arc::new(front_end), table: table() });
        let hurry = CancellationToken::new();
        hurry.cancel();
        Self { session: Session::new(shared, "127.0.0.1:1".parse().unwrap(), hurry, SystemClock::shared()) }
    }

    /// Whether there was an answer, rather than the end of the connection.
    async fn hear(&mut self, frame: Bytes) -> bool {
        let mut answer = self.session.answer(frame);
        while let Answer::Begun(work) = answer {
            answer = work.await;
        }
        match answer {
            Answer::Now(_) | Answer::Silent => true,
            Answer::Later(reply) | Answer::Alone(reply) => !matches!(reply.await, crate::net::Reply::Close),
            Answer::Close | Answer::Begun(_) => false,
        }
    }
}

/// Every kind in the oldest, the newest and one version between.
fn served() -> Vec<(ApiKey, i16)> {
    let versions = |min: i16, max: i16| {
        let mut versions = vec![min, i16::midpoint(min, max), max];
        versions.dedup();
        versions
    };
    table().rows().flat_map(|row| versions(row.min, row.max).into_iter().map(|version| (row.key, version))).collect()
}

#[tokio::test]
async fn every_sample_is_understood_in_every_version() {
    let bench = Bench::start().await;
    let mut ear = Ear::of(&bench);
    for row in table().rows() {
        for version in row.min..=row.max {
            assert!(ear.hear(sample(row.key, version)).await, "{:?} in version {version}", row.key);
        }
    }
}

#[tokio::test]
async fn arrays_that_claim_two_billion_entries_end_the_connection_or_get_an_answer() {
    let bench = Bench::start().await;
    let mut ear = Ear::of(&bench);
    let mut refused = 0;
    for (key, version) in served() {
        let frame = sample(key, version);
        for at in FIXED_BYTES..frame.len() {
            let tail = frame.len() - at;
            for (claim, replaced) in [(&CLAIM[..], 4), (&COMPACT_CLAIM[..], 1)] {
                let mut hostile = BytesMut::from(&frame[..at]);
                hostile.put_slice(claim);
                hostile.put_slice(&frame[at + replaced.min(tail)..]);
                refused += usize::from(!ear.hear(hostile.freeze()).await);
            }
        }
    }
    assert!(refused > 1000, "most of such frames cannot be decoded: {refused}");
    assert!(ear.hear(sample(ApiKey::Metadata, 9)).await);
}

#[tokio::test]
async fn what_kafka_overlooks_is_overlooked() {
    let bench = Bench::start().await;
    let mut ear = Ear::of(&bench);
    for (key, version) in served() {
        let frame = sample(key, version);
        assert!(ear.hear([&frame[..], &[7]].concat().into()).await, "{key:?} {version}: a byte behind the request");
        let client_id = FIXED_BYTES + 2;
        assert!(frame[client_id].is_ascii(), "{key:?} {version}: the sample names its client");
        let mut latin = frame.to_vec();
        latin[client_id] = 0xfc;
        assert!(ear.hear(latin.into()).await, "{key:?} {version}: a client id that is no UTF-8");
    }
}

#[tokio::test]
async fn frames_that_are_cut_or_damaged_anywhere_never_panic() {
    let bench = Bench::start().await;
    let mut ear = Ear::of(&bench);
    let mut random = StdRng::seed_from_u64(7);
    for (key, version) in served() {
        let frame = sample(key, version);
        for end in 0..frame.len() {
            ear.hear(frame.slice(..end)).await;
        }
        for _ in 0..200 {
            let mut damaged = frame.to_vec();
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(FIXED_BYTES..damaged.len());
                damaged[at] = random.random();
            }
            ear.hear(damaged.into()).await;
        }
        for _ in 0..50 {
            let mut noise = frame[..FIXED_BYTES].to_vec();
            noise.extend((0..random.random_range(0..200)).map(|_| random.random::<u8>()));
            ear.hear(noise.into()).await;
        }
    }
    assert!(ear.hear(sample(ApiKey::Metadata, 9)).await, "and the broker goes on");
}

#[tokio::test]
async fn kinds_and_versions_that_are_not_served_end_the_connection() {
    let bench = Bench::start().await;
    let mut ear = Ear::of(&bench);
    let table = table();
    for key in -2..200 {
        for version in [-1, 0, 1, 5, 99, i16::MAX] {
            let served = table.find(key).is_some_and(|row| (row.min..=row.max).contains(&version));
            if served || key == ApiKey::ApiVersions as i16 {
                continue;
            }
            let mut frame = BytesMut::new();
            frame.put_i16(key);
            frame.put_i16(version);
            frame.put_slice(&[0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0]);
            assert!(!ear.hear(frame.freeze()).await, "kind {key} in version {version}");
        }
    }
}

#[tokio::test]
async fn three_hundred_clients_that_announce_much_and_stop_keep_nobody_waiting() {
    let bench = Bench::start().await;
    let mut idlers = Vec::new();
    for number in 0..300 {
        let mut stream = TcpStream::connect(bench.server.address()).await.unwrap();
        stream.write_i32(50 * 1024 * 1024).await.unwrap();
        // Three bytes, or more than a connection may have for itself: the beginning of a Produce request.
        let begun = if number % 2 == 0 { 3 } else { 40_000 };
        stream.write_all(&vec![0; begun]).await.unwrap();
        idlers.push(stream);
    }
    let mut honest = bench.connect().await;
    let mut serve = async || {
        for number in 0..20 {
            let produced = honest.call(&produce(-1, 9, batch(&[&"x".repeat(100_000)])), 9).await;
            assert_eq!(produced.responses[0].partition_responses[0].base_offset, number);
            let fetched = honest.call(&fetch(12, &[(0, number)], 0), 12).await;
            assert_eq!(fetched.responses[0].partitions[0].error_code, 0);
            assert_eq!(honest.call(&MetadataRequest::default().with_topics(None), 9).await.topics.len(), 1);
        }
    };
    let mut late = bench.broker.clock().sleep(Duration::from_secs(60));
    tokio::select! {
        () = serve() => {}
        () = &mut late => panic!("an honest client waits for those who stopped"),
    }
    assert_eq!(idlers.len(), 300);
}
