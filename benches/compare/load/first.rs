//! Reads one record at random offsets.

use std::time::{Duration, Instant};

use clap::Args;
use rand::{Rng, SeedableRng, rngs::StdRng};
use rdkafka::consumer::Consumer;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;

use super::{Outcome, Target, report};

#[derive(Args)]
pub struct First {
    #[command(flatten)]
    target: Target,
    #[arg(long, default_value_t = 100)]
    tries: u64,
}

pub fn first(options: &First) -> Outcome {
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
