//! The same over sockets: frames one behind the other, cut, with lengths that are not theirs, from clients that go in the
//! middle. An honest client is served all the while.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::MetadataRequest;
use rand::Rng;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::clock::SystemClock;
use crate::damage::noise;
use crate::frames::{Brokers, all_samples, hostile, makes_many};
use crate::target::{Outcome, Target};
use crate::wire::Wire;

/// How long an honest client may wait.
const HONEST_MAX: Duration = Duration::from_secs(20);
/// How long a hostile one listens.
const LISTEN: Duration = Duration::from_millis(3);
/// Cases between two questions of the honest one.
const CASES_A_QUESTION: u32 = 16;
const VERSION: i16 = 9;

/// A broker with its sockets.
pub struct Wires {
    brokers: Brokers,
    honest: Option<Wire>,
    samples: Vec<Bytes>,
}

impl Wires {
    pub fn new() -> Self {
        Self { brokers: Brokers::new(), honest: None, samples: all_samples() }
    }

    fn stream(&self, chance: &mut StdRng) -> BytesMut {
        let mut stream = BytesMut::new();
        for _ in 0..chance.random_range(1..4) {
            let frame = if chance.random() {
                self.samples[chance.random_range(0..self.samples.len())].to_vec()
            } else {
                hostile(chance, &self.samples)
            };
            if makes_many(&frame) {
                continue;
            }
            let length = match chance.random_range(0..12) {
                0 => chance.random(),
                1 => i32::try_from(frame.len()).unwrap() + chance.random_range(-3..4),
                _ => i32::try_from(frame.len()).unwrap(),
            };
            stream.put_i32(length);
            stream.put_slice(&frame);
        }
        if chance.random_range(0..8) == 0 {
            stream.put_slice(&noise(chance, 64));
        }
        if chance.random_range(0..4) == 0 {
            stream.truncate(chance.random_range(0..=stream.len()));
        }
        stream
    }
}

impl Target for Wires {
    fn memory_bytes_max(&self) -> u64 {
        128 << 20
    }

    fn run(&mut self, chance: &mut StdRng) -> Result<Outcome, String> {
        let stream = self.stream(chance);
        let handle = self.brokers.runtime.handle().clone();
        let (bench, anew) = self.brokers.next();
        let address = bench.server.address();
        let honest = &mut self.honest;
        handle.block_on(async {
            if anew {
                *honest = Some(Wire::connect(address).await);
            }
            let mut hostile = TcpStream::connect(address).await.map_err(|error| format!("no connection: {error}"))?;
            // The broker may close in the middle.
            let _ = hostile.write_all(&stream).await;
            let closed = tokio::select! {
                read = hostile.read_u8() => read.is_err(),
                () = SystemClock::shared().sleep(LISTEN) => false,
            };
            if chance.random_range(0..CASES_A_QUESTION) == 0 {
                let question = MetadataRequest::default().with_topics(None);
                tokio::select! {
                    _ = honest.as_mut().unwrap().call(&question, VERSION) => {}
                    () = SystemClock::shared().sleep(HONEST_MAX) => {
                        return Err(format!("an honest client waits for {HONEST_MAX:?}"));
                    }
                }
            }
            Ok(if closed { Outcome::Refused } else { Outcome::Read })
        })
    }

    fn end(&mut self) {
        self.honest = None;
        self.brokers.stop();
    }
}
