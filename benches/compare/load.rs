//! The load generator of the comparison, on librdkafka: the same program drives Tidelog and Apache Kafka.
//!
//! ```text
//! load produce BOOTSTRAP TOPIC --records N --size BYTES [--partitions P] [--acks all|1|0] [--codec C] [--rate R]
//! load consume BOOTSTRAP TOPIC --records N [--partitions P] [--from OFFSET] [--verify] [--stamped]
//! load first   BOOTSTRAP TOPIC --tries N   [--partitions P]
//! ```
//! Each prints one line of JSON. Payloads are half random and half repetitive unless `--random-share` says otherwise;
//! they come from a pool that is made before the clock starts. Latency is from the call to the acknowledgement; with
//! `--stamped` each record's key says when it was sent, and a consumer's latency is from there to the application.

#![expect(clippy::disallowed_methods, reason = "a client of its own, with the machine's clock")]
#![expect(clippy::print_stdout, reason = "its output is the result")]

use std::error::Error;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use clap::{Args, Parser, Subcommand};
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Payloads that a run draws from.
const POOL: usize = 4096;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write records as fast as they are taken, or at a rate.
    Produce(Produce),
    /// Read records from each partition.
    Consume(Consume),
    /// Read one record at random offsets and say how long each took.
    First(First),
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

#[derive(Args)]
struct Produce {
    #[command(flatten)]
    target: Target,
    #[arg(long)]
    records: u64,
    #[arg(long, default_value_t = 1024)]
    size: usize,
    #[arg(long, default_value = "all")]
    acks: String,
    #[arg(long, default_value = "none")]
    codec: String,
    #[arg(long, default_value_t = 65_536)]
    batch_bytes: usize,
    #[arg(long, default_value_t = 5)]
    linger_ms: u64,
    /// Records per second; 0 for as many as are taken.
    #[arg(long, default_value_t = 0)]
    rate: u64,
    /// How much of a payload is random.
    #[arg(long, default_value_t = 0.5)]
    random_share: f64,
    /// Say in each key when the record was sent.
    #[arg(long)]
    stamped: bool,
    /// Topic settings, NAME=VALUE.
    #[arg(long = "topic-config")]
    topic_config: Vec<String>,
}

#[derive(Args)]
struct Consume {
    #[command(flatten)]
    target: Target,
    #[arg(long)]
    records: u64,
    #[arg(long, default_value_t = 0)]
    from: i64,
    /// Fold every record into an order-free digest, and see that offsets rise by one.
    #[arg(long)]
    verify: bool,
    /// Report how long ago each record was sent, from its key.
    #[arg(long)]
    stamped: bool,
}

#[derive(Args)]
struct First {
    #[command(flatten)]
    target: Target,
    #[arg(long, default_value_t = 100)]
    tries: u64,
}

impl Target {
    fn config(&self) -> Outcome<ClientConfig> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        for (name, value) in pairs(&self.client)? {
            config.set(name, value);
        }
        Ok(config)
    }

    fn consumer(&self) -> Outcome<BaseConsumer> {
        let mut config = self.config()?;
        config
            .set("group.id", "load")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .set("queued.max.messages.kbytes", "262144")
            .set("fetch.wait.max.ms", "500");
        Ok(config.create()?)
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

/// Counts acknowledgements and keeps how long each took, in microseconds.
#[derive(Default)]
struct Acknowledged {
    count: AtomicU64,
    failed: AtomicU64,
    latencies_us: Mutex<Vec<u32>>,
}

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = Box<Instant>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Self::DeliveryOpaque) {
        match result {
            Ok(_) => self.count.fetch_add(1, Ordering::Relaxed),
            Err(_) => self.failed.fetch_add(1, Ordering::Relaxed),
        };
        let micros = u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX);
        self.latencies_us.lock().expect("nothing panics under it").push(micros);
    }
}

fn payloads(size: usize, random_share: f64) -> Vec<Vec<u8>> {
    let mut chance = StdRng::seed_from_u64(42);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a size")]
    let random = (size as f64 * random_share.clamp(0.0, 1.0)) as usize;
    let one = |_| {
        let mut payload: Vec<u8> =
            b"the quick brown fox jumps over the lazy dog; ".iter().copied().cycle().take(size).collect();
        if let Some(head) = payload.get_mut(..random) {
            chance.fill_bytes(head);
        }
        payload
    };
    (0..POOL).map(one).collect()
}

async fn create_topic(target: &Target, configs: &[String]) -> Outcome {
    let admin: AdminClient<DefaultClientContext> = target.config()?.create()?;
    let mut topic = NewTopic::new(&target.topic, target.partitions, TopicReplication::Fixed(1));
    for (name, value) in pairs(configs)? {
        topic = topic.set(name, value);
    }
    for created in admin.create_topics(&[topic], &AdminOptions::new()).await? {
        match created {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => return Err(format!("{name}: {code}").into()),
        }
    }
    Ok(())
}

fn produce(options: &Produce) -> Outcome {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(create_topic(&options.target, &options.topic_config))?;
    let mut config = options.target.config()?;
    config
        .set("acks", &options.acks)
        .set("compression.type", &options.codec)
        .set("batch.size", options.batch_bytes.to_string())
        .set("batch.num.messages", "100000")
        .set("linger.ms", options.linger_ms.to_string())
        .set("queue.buffering.max.kbytes", "131072")
        .set("queue.buffering.max.messages", "1000000")
        .set("message.max.bytes", "10485760");
    let producer: ThreadedProducer<Acknowledged> = config.create_with_context(Acknowledged::default())?;
    let pool = payloads(options.size, options.random_share);
    let started = Instant::now();
    for number in 0..options.records {
        if let Some(due) = (number * 1_000_000).checked_div(options.rate) {
            let due = Duration::from_micros(due);
            while let Some(early) = due.checked_sub(started.elapsed()) {
                std::thread::sleep(early.min(Duration::from_millis(1)));
            }
        }
        let at = usize::try_from(number)? % POOL;
        let payload = pool.get(at).expect("the pool has so many");
        let partition = i32::try_from(number % u64::from(options.target.partitions.unsigned_abs()))?;
        let stamp = now_us().to_be_bytes();
        let mut record =
            BaseRecord::<[u8], [u8], Box<Instant>>::with_opaque_to(&options.target.topic, Box::new(Instant::now()))
                .partition(partition)
                .payload(payload);
        if options.stamped {
            record = record.key(stamp.as_slice());
        }
        while let Err((error, back)) = producer.send(record) {
            if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
                return Err(error.into());
            }
            std::thread::sleep(Duration::from_millis(1));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(120))?;
    let seconds = started.elapsed().as_secs_f64();
    let context = producer.context();
    let mut latencies = std::mem::take(&mut *context.latencies_us.lock().expect("nothing panics under it"));
    report(
        options.records,
        options.records * options.size as u64,
        seconds,
        &mut latencies,
        json!({"acknowledged": context.count.load(Ordering::Relaxed), "failed": context.failed.load(Ordering::Relaxed)}),
    );
    Ok(())
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

/// An order-free fold over records: equal sets give equal sums.
fn fold(partition: i32, offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&partition.to_be_bytes());
    hasher.update(&offset.to_be_bytes());
    for part in [key, value] {
        hasher.update(&part.map_or(-1, |part| part.len() as i64).to_be_bytes());
        hasher.update(part.unwrap_or_default());
    }
    let digest = hasher.finalize();
    let head = digest.as_bytes().first_chunk::<8>().expect("a digest has 32 bytes");
    u64::from_be_bytes(*head)
}

fn consume(options: &Consume) -> Outcome {
    let consumer = options.target.consumer()?;
    let mut assigned = TopicPartitionList::new();
    for partition in 0..options.target.partitions {
        assigned.add_partition_offset(&options.target.topic, partition, Offset::Offset(options.from))?;
    }
    consumer.assign(&assigned)?;
    let (mut seen, mut bytes, mut digest, mut gaps) = (0u64, 0u64, 0u64, 0u64);
    let mut next = vec![options.from; usize::try_from(options.target.partitions)?];
    let mut latencies = Vec::new();
    let started = Instant::now();
    let mut first_ms = None;
    while seen < options.records {
        let Some(message) = consumer.poll(Duration::from_secs(30)) else {
            return Err(format!("nothing came for 30 s after {seen} records").into());
        };
        let message = message?;
        first_ms.get_or_insert_with(|| started.elapsed().as_secs_f64() * 1000.0);
        seen += 1;
        bytes += message.payload().map_or(0, <[u8]>::len) as u64;
        if options.stamped {
            let key = message.key().and_then(|key| key.first_chunk::<8>()).ok_or("a record without a stamp")?;
            latencies.push(u32::try_from(now_us().saturating_sub(u64::from_be_bytes(*key))).unwrap_or(u32::MAX));
        }
        if options.verify {
            digest = digest.wrapping_add(fold(message.partition(), message.offset(), message.key(), message.payload()));
            if let Some(next) = next.get_mut(usize::try_from(message.partition())?) {
                gaps += u64::from(message.offset() != *next);
                *next = message.offset() + 1;
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    report(
        seen,
        bytes,
        seconds,
        &mut latencies,
        json!({"first_ms": first_ms, "digest": format!("{digest:016x}"), "gaps": gaps}),
    );
    Ok(())
}

fn first(options: &First) -> Outcome {
    let consumer = options.target.consumer()?;
    let mut chance = StdRng::seed_from_u64(7);
    let mut latencies = Vec::new();
    let begun = Instant::now();
    for _ in 0..options.tries {
        let partition = chance.random_range(0..options.target.partitions);
        let (low, high) = consumer.fetch_watermarks(&options.target.topic, partition, Duration::from_secs(30))?;
        let mut assigned = TopicPartitionList::new();
        let offset = chance.random_range(low..high.max(low + 1));
        assigned.add_partition_offset(&options.target.topic, partition, Offset::Offset(offset))?;
        let started = Instant::now();
        consumer.assign(&assigned)?;
        let message = consumer.poll(Duration::from_secs(30)).ok_or("nothing came for 30 s")??;
        if message.offset() != offset {
            return Err(format!("asked for offset {offset}, got {}", message.offset()).into());
        }
        latencies.push(u32::try_from(started.elapsed().as_micros())?);
        consumer.unassign()?;
    }
    report(options.tries, 0, begun.elapsed().as_secs_f64(), &mut latencies, json!({}));
    Ok(())
}

fn main() -> Outcome {
    match Arguments::parse().command {
        Command::Produce(options) => produce(&options),
        Command::Consume(options) => consume(&options),
        Command::First(options) => first(&options),
    }
}
