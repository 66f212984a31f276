//! The load generator of the comparison, on librdkafka: the same program drives Tidelog and Apache Kafka.
//!
//! ```text
//! load create  BOOTSTRAP TOPIC [--partitions P]
//! load produce BOOTSTRAP TOPIC --records N --size BYTES [--partitions P] [--acks all|1|0] [--codec C] [--rate R]
//! load consume BOOTSTRAP TOPIC --records N [--partitions P] [--from OFFSET] [--verify] [--stamped]
//! load first   BOOTSTRAP TOPIC --tries N   [--partitions P]
//! load ranges  BUCKET [--prefix P] --tries N --bytes B
//! load bare    --bytes N [--frame B] --file PATH
//! ```
//! Each prints one line of JSON. Payloads are half random and half repetitive unless `--random-share` says otherwise;
//! they come from a pool that is made before the clock starts. Latency is from the call to the acknowledgement; with
//! `--stamped` each record's key says when it was sent, and a consumer's latency is from there to the application.
//! `ranges` and `bare` drive no broker: they are what bounds one, the object store itself and the machine's sockets and
//! files.

#![expect(clippy::disallowed_methods, reason = "a client of its own, with the machine's clock")]
#![expect(clippy::print_stdout, reason = "its output is the result")]

mod bare;
mod consume;
mod first;
mod produce;
mod ranges;

use std::error::Error;
use std::time::SystemTime;

use clap::{Args, Parser, Subcommand};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use serde_json::json;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a topic.
    Create(Target),
    /// Write records as fast as they are taken, or at a rate.
    Produce(produce::Produce),
    /// Read records from each partition.
    Consume(consume::Consume),
    /// Read one record at random offsets and say how long each took.
    First(first::First),
    /// Read ranges of a bucket's objects, with no broker between.
    Ranges(ranges::Ranges),
    /// Move frames over a socket and through a file, with no broker between.
    Bare(bare::Bare),
}

#[derive(Args)]
struct Target {
    /// host:port
    bootstrap: String,
    topic: String,
    #[arg(long, default_value_t = 1)]
    partitions: i32,
    /// Further settings of librdkafka, NAME=VALUE.
    #[arg(long = "client")]
    client: Vec<String>,
}

impl Target {
    /// A client with these settings; those of the command line win.
    fn config(&self, settings: &[(&str, &str)]) -> Outcome<ClientConfig> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        for &(name, value) in settings.iter().chain(&pairs(&self.client)?) {
            config.set(name, value);
        }
        Ok(config)
    }

    fn consumer(&self) -> Outcome<BaseConsumer> {
        let settings = [
            ("group.id", "load"),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "error"),
            ("queued.max.messages.kbytes", "262144"),
            ("fetch.wait.max.ms", "500"),
        ];
        Ok(self.config(&settings)?.create()?)
    }
}

fn pairs(texts: &[String]) -> Outcome<Vec<(&str, &str)>> {
    texts.iter().map(|text| text.split_once('=').ok_or_else(|| format!("{text}: not NAME=VALUE").into())).collect()
}

/// The machine's time in microseconds, as a stamped key has it: producer and consumer run on one machine.
fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn report(records: u64, bytes: u64, seconds: f64, latencies_us: &mut [u32], more: serde_json::Value) {
    latencies_us.sort_unstable();
    let at = |share: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        let index = ((latencies_us.len().saturating_sub(1)) as f64 * share) as usize;
        latencies_us.get(index).map(|micros| f64::from(*micros) / 1000.0)
    };
    println!(
        "{}",
        json!({
            "records": records, "bytes": bytes, "seconds": seconds,
            "mb_per_s": bytes as f64 / 1e6 / seconds, "records_per_s": records as f64 / seconds,
            "p50_ms": at(0.5), "p99_ms": at(0.99), "p999_ms": at(0.999), "max_ms": at(1.0), "more": more,
        })
    );
}

fn main() -> Outcome {
    match Arguments::parse().command {
        Command::Create(target) => produce::create(&target, &[]),
        Command::Produce(options) => produce::produce(&options),
        Command::Consume(options) => consume::consume(&options),
        Command::First(options) => first::first(&options),
        Command::Ranges(options) => ranges::ranges(&options),
        Command::Bare(options) => bare::bare(&options),
    }
}
