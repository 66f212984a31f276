//! Reads records of every partition from an offset on.

use std::time::{Duration, Instant};

use clap::Args;
use rdkafka::consumer::Consumer;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;

use super::{Outcome, Target, now_us, report};

#[derive(Args)]
pub struct Consume {
    #[command(flatten)]
    target: Target,
    #[arg(long)]
    records: u64,
    #[arg(long, default_value_t = 0)]
    from: i64,
    /// How often to read them all, each time from the start.
    #[arg(long, default_value_t = 1)]
    laps: u64,
    /// Fold every record into an order-free digest, and see that offsets rise by one.
    #[arg(long)]
    verify: bool,
    /// Report how long ago each record was sent, from its key.
    #[arg(long)]
    stamped: bool,
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

pub fn consume(options: &Consume) -> Outcome {
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
    while seen < options.records * options.laps {
        if seen > 0 && seen % options.records == 0 {
            consumer.assign(&assigned)?;
            next.fill(options.from);
        }
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
