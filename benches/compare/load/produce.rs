//! Writes records as fast as they are taken, or at a rate.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use rand::{RngCore, SeedableRng, rngs::StdRng};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use serde_json::json;

use super::{Outcome, Target, now_us, pairs, report};

/// Payloads that a run draws from.
const POOL: usize = 4096;

#[derive(Args)]
pub struct Produce {
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
    let admin: AdminClient<DefaultClientContext> = target.config(&[])?.create()?;
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

pub fn create(target: &Target, configs: &[String]) -> Outcome {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(create_topic(target, configs))
}

pub fn produce(options: &Produce) -> Outcome {
    create(&options.target, &options.topic_config)?;
    let (batch_bytes, linger_ms) = (options.batch_bytes.to_string(), options.linger_ms.to_string());
    let config = options.target.config(&[
        ("acks", &options.acks),
        ("compression.type", &options.codec),
        ("batch.size", &batch_bytes),
        ("batch.num.messages", "100000"),
        ("linger.ms", &linger_ms),
        ("queue.buffering.max.kbytes", "131072"),
        ("queue.buffering.max.messages", "1000000"),
        ("message.max.bytes", "10485760"),
    ])?;
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
