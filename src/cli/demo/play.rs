//! The play, act by act. Every number is measured; a difference anywhere ends it with an error.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use indicatif::{BinaryBytes, DecimalBytes, HumanCount};
use serde::Serialize;

use crate::cli::machine::on_runtime;
use crate::cli::outcome::Failure;
use crate::cli::output::{print, print_json};
use crate::cli::partitioner;
use crate::cli::progress::{Done, Progress, per_second};
use crate::cli::sending::{Outgoing, Sending, SendingOptions};
use crate::cli::signals::asked_to_stop;
use crate::clock::SystemClock;
use crate::model::{Codec, Offset};
use crate::net::client::produce::RequiredAcks;
use crate::net::client::topics::WantedTopic;
use crate::object_storage::{Counts, Operation};
use crate::tiering::TierStatus;
use crate::tiering::digest::Digest;

use super::orders::Orders;
use super::pass::{Pass, Sent, Stretch, Tier, read_all};
use super::picture;
use super::stage::{DemoArgs, Stage};

const TOPIC: &str = "orders";
/// Small, so that there are many: between these, a quarter of what a partition gets.
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = MIB..=8 * MIB;
const MIB: u64 = 1024 * 1024;
const BATCH_BYTES: usize = 256 * 1024;

/// Runs it.
pub fn run(args: &DemoArgs) -> Result<(), Failure> {
    on_runtime(async {
        let asked = asked_to_stop(SystemClock::shared())
            .map_err(|error| Failure::failed(format!("signals cannot be listened for: {error}")))?;
        let stopped = || Err(Failure::failed("the demo was stopped before its end"));
        // The stage, dropped or cleared, takes its folder with it.
        let stage = tokio::select! {
            stage = Stage::set(args) => stage?,
            () = asked.cancelled() => return stopped(),
        };
        let played = tokio::select! {
            played = play(args, &stage) => played,
            () = asked.cancelled() => stopped(),
        };
        let cleared = stage.clear().await;
        played.and(cleared)
    })
}

/// What was seen, for programs.
#[derive(Serialize)]
struct Seen {
    produced: Done,
    read_from_disk: Done,
    tiering_seconds: f64,
    segments: usize,
    log_bytes: u64,
    bucket_bytes: u64,
    upload_requests: u64,
    local_bytes_before: u64,
    local_bytes_after: u64,
    read_back: Done,
    read_back_wire_bytes: u64,
    bucket_reads: u64,
    bucket_read_bytes: u64,
    records_from_bucket: i64,
    records_from_disk: i64,
    stretches: BTreeMap<i32, Vec<Stretch>>,
}

/// Says things to a person, unless a program listens.
struct Narrator {
    quiet: bool,
}

impl Narrator {
    fn act(&self, name: &str, text: &str) -> Result<(), Failure> {
        if self.quiet { Ok(()) } else { print(&format!("{name:<9}{text}\n")) }
    }

    fn say(&self, text: &str) -> Result<(), Failure> {
        if self.quiet { Ok(()) } else { print(text) }
    }
}

async fn play(args: &DemoArgs, stage: &Stage) -> Result<(), Failure> {
    let say = Narrator { quiet: args.json };
    say.say("tidelog demo: one broker, both tiers, records through the Kafka wire\n\n")?;
    let folder = stage.path().display();
    say.act("start", &format!("a broker at {}, its disk and its bucket (file://) in {folder}", stage.address()))?;

    let untouched = counts(stage);
    let (sent, produced) = produce(args, stage).await?;
    say.act("produce", &format!("{produced}, acks=all on stable storage, {} partitions", args.partitions))?;

    let mut hot = read_all(stage, TOPIC, "read").await?;
    hot.compare(&sent)?;
    if hot.of(Tier::Bucket).0 > 0 {
        return Err(Failure::failed("records came from the bucket before there was anything in it"));
    }
    say.act("read", &format!("{}, all from the broker's disk: same digests", hot.done))?;

    let began = stage.clock.monotonic();
    tier(stage).await?;
    let tiering_seconds = (stage.clock.monotonic() - began).as_secs_f64();
    let local_before = stage.local_bytes()?;
    let (bucket_bytes, segments) = stage.bucket_bytes()?;
    let upload_requests = uploads(&counts(stage)) - uploads(&untouched);
    let log_bytes = tiered_log_bytes(stage).await?;
    say.act(
        "tier",
        &format!(
            "{segments} sealed segments became Parquet, decoded and compared: {} of log, {} in the bucket by \
             {upload_requests} requests; the last {tiering_seconds:.1} s later",
            BinaryBytes(log_bytes),
            BinaryBytes(bucket_bytes),
        ),
    )?;

    drop_local(stage).await?;
    let local_after = stage.local_bytes()?;
    let dropped = BinaryBytes(local_before.saturating_sub(local_after));
    say.act("drop", &format!("{dropped} of local segments are gone, {} stay", BinaryBytes(local_after)))?;

    let before = counts(stage);
    let mut cold = read_all(stage, TOPIC, "read back").await?;
    cold.compare(&sent)?;
    let reads = counts(stage);
    let (bucket_reads, bucket_read_bytes) = difference(&before, &reads);
    say.act("read", &format!("{} from offset 0: same digests, no gap, no duplicate", cold.done))?;
    say.say(&scene(&cold, bucket_reads, bucket_read_bytes))?;
    say.say(&epilogue(args, stage))?;
    if args.json {
        let (records_from_bucket, _) = cold.of(Tier::Bucket);
        let (records_from_disk, _) = cold.of(Tier::Local);
        return print_json(&Seen {
            produced,
            read_from_disk: hot.done,
            tiering_seconds,
            segments,
            log_bytes,
            bucket_bytes,
            upload_requests,
            local_bytes_before: local_before,
            local_bytes_after: local_after,
            read_back: cold.done,
            read_back_wire_bytes: cold.wire_bytes,
            bucket_reads,
            bucket_read_bytes,
            records_from_bucket,
            records_from_disk,
            stretches: cold.partitions.into_iter().map(|(number, pass)| (number, pass.stretches)).collect(),
        });
    }
    Ok(())
}

fn scene(cold: &Pass, bucket_reads: u64, bucket_read_bytes: u64) -> String {
    let colours = io::stdout().is_terminal();
    let (bucket_records, bucket_bytes) = cold.of(Tier::Bucket);
    let (local_records, local_bytes) = cold.of(Tier::Local);
    format!(
        "\n   Where each offset was served from:\n\n{}\n   \
         bucket  {:>10} records  {:>10}, fetched as {} by {bucket_reads} requests ({}/s of records)\n   \
         disk    {:>10} records  {:>10}\n",
        picture::draw(&cold.partitions, colours),
        HumanCount(bucket_records.unsigned_abs()).to_string(),
        DecimalBytes(bucket_bytes).to_string(),
        DecimalBytes(bucket_read_bytes),
        DecimalBytes(per_second(bucket_bytes, cold.done.seconds)),
        HumanCount(local_records.unsigned_abs()).to_string(),
        DecimalBytes(local_bytes).to_string(),
    )
}

fn epilogue(args: &DemoArgs, stage: &Stage) -> String {
    if !args.keep {
        return "\n   The folder goes now; --keep leaves it. Next: tidelog serve\n".to_owned();
    }
    format!(
        "\n   The same history without us:\n   \
         duckdb -c \"SELECT partition, count(*), min(\\\"offset\\\"), max(\\\"offset\\\") \
         FROM '{}/bucket/topics/{TOPIC}/*/data/*/*.parquet' GROUP BY 1 ORDER BY 1\"\n",
        stage.path().display()
    )
}

fn segment_bytes(args: &DemoArgs) -> u64 {
    let of_each = u64::from(args.size) * MIB / u64::from(args.partitions.unsigned_abs()).max(1);
    (of_each / 4).clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end())
}

async fn produce(args: &DemoArgs, stage: &Stage) -> Result<(BTreeMap<i32, (i64, Digest)>, Done), Failure> {
    let configs = [
        ("segment.bytes", segment_bytes(args).to_string()),
        ("file.delete.delay.ms", "0".to_owned()),
        ("retention.ms", "-1".to_owned()),
    ];
    let wanted = WantedTopic {
        name: TOPIC.to_owned(),
        partitions: Some(args.partitions),
        replication_factor: None,
        configs: configs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    };
    stage.client.create_topic(&wanted, false).await?;
    let options = SendingOptions { acks: RequiredAcks::All, codec: Codec::None, batch_bytes: BATCH_BYTES };
    let mut sending = Sending::start(Arc::clone(&stage.client), TOPIC, options).await?;
    let mut sent: BTreeMap<i32, Sent> = BTreeMap::new();
    let mut progress = Progress::start("produced", &stage.clock);
    let mut orders = Orders::new();
    let total = u64::from(args.size) * MIB;
    let mut bytes = 0;
    while bytes < total {
        let timestamp_ms = stage.clock.now_ms();
        orders.next(timestamp_ms);
        let (key, value) = (orders.key.as_bytes(), orders.value.as_bytes());
        let index = partitioner::of_key(key, sending.partitions());
        let record = Outgoing { timestamp_ms, key: Some(key), value: Some(value), headers: &[] };
        sending.push(index, record).await?;
        let sent = sent.entry(i32::try_from(index).unwrap_or(i32::MAX)).or_default();
        sent.digest.push(Offset::new(sent.records), timestamp_ms, Some(key), Some(value), std::iter::empty());
        sent.records += 1;
        bytes += (key.len() + value.len()) as u64;
        progress.add(1, (key.len() + value.len()) as u64);
    }
    sending.flush().await?;
    let sent = sent.into_iter().map(|(number, sent)| (number, (sent.records, sent.digest.finish())));
    Ok((sent.collect(), progress.finish()))
}

/// Waits until whatever is sealed is in the bucket.
async fn tier(stage: &Stage) -> Result<(), Failure> {
    let up_to_date = |status: &TierStatus| status.lag_segments == 0 && !status.uploading && status.tiered_to.is_some();
    stage.until("tiering", up_to_date, |_| {}).await
}

async fn drop_local(stage: &Stage) -> Result<(), Failure> {
    let keep_little = [("local.retention.bytes".to_owned(), Some("1".to_owned()))];
    stage.client.alter_topic_configs(TOPIC, &keep_little).await?;
    let dropped = |status: &TierStatus| status.tiered_to.is_some_and(|tiered_to| status.local_start >= tiered_to);
    stage.until("dropping local segments", dropped, |_| {}).await?;
    let partitions = stage.broker().tiers().status().len();
    stage.until_few_segments(partitions).await
}

async fn tiered_log_bytes(stage: &Stage) -> Result<u64, Failure> {
    let mut bytes = 0;
    for partition in stage.broker().tiers().status() {
        let mut from = partition.log_start;
        loop {
            let page = stage.broker().tiers().live_segments(partition.tp, from, 1_000).await;
            let page = page.map_err(Failure::failed)?;
            let Some(last) = page.last() else { break };
            from = last.end_offset.next();
            bytes += page.iter().map(|segment| segment.log_size_bytes).sum::<u64>();
        }
    }
    Ok(bytes)
}

fn counts(stage: &Stage) -> Counts {
    stage.broker().tiers().bucket().counts()
}

/// Requests that a bill counts as writes.
fn uploads(counts: &Counts) -> u64 {
    let writes = [Operation::BeginUpload, Operation::WritePart, Operation::FinishUpload, Operation::WriteControl];
    writes.into_iter().map(|operation| counts.of(operation).requests).sum()
}

/// Reads since then: requests and bytes.
fn difference(before: &Counts, after: &Counts) -> (u64, u64) {
    let (before, after) = (before.of(Operation::Read), after.of(Operation::Read));
    (after.requests - before.requests, after.bytes - before.bytes)
}
