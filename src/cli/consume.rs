//! `tidelog consume`: a topic's records on standard output.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::net::client::fetch::FetchBounds;
use crate::net::client::offsets::OffsetSpec;
use crate::net::client::{KafkaClient, TopicMetadata};
use crate::record::Record;

use super::connecting::{self, ClusterArgs};
use super::machine::on_runtime;
use super::outcome::{Exit, Failure};
use super::output::{check, tell};
use super::progress::Progress;
use super::reading::{Arrived, Cursor, Reading};
use super::start_at::StartAt;

/// What to read, and how to show it.
#[derive(Debug, Args)]
pub struct ConsumeArgs {
    /// The topic
    pub topic: String,
    /// Where to begin: beginning, end, an offset, -N for the last N of each partition, or @TIME (2026-01-31T12:00:00Z, or milliseconds)
    #[arg(short, long, value_name = "WHERE", default_value = "beginning", allow_hyphen_values = true)]
    pub from: StartAt,
    /// Stop at what is the end now, instead of waiting for more
    #[arg(short = 'e', long)]
    pub to_end: bool,
    /// Stop after so many records
    #[arg(short = 'n', long, value_name = "N", allow_negative_numbers = true, value_parser = count)]
    pub count: Option<u64>,
    /// Only this partition; may be repeated
    #[arg(short, long)]
    pub partition: Vec<i32>,
    /// Whether records of transactions that are open or were aborted are shown too
    #[arg(long, value_enum, default_value_t)]
    pub isolation_level: IsolationArg,
    /// How a record is written
    #[arg(long, value_enum, default_value_t)]
    pub format: FormatArg,
    /// The key before each value, and this between them
    #[arg(short, long, value_name = "SEPARATOR")]
    pub key_separator: Option<String>,
    /// How a key or a value that is null is written, where JSON would tell it from this text
    #[arg(long, value_name = "TEXT", default_value = "null")]
    pub null: String,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Write nothing but how much there is, and how fast it came
    #[arg(long)]
    pub quiet: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Which records of transactions are shown. The names are Kafka's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IsolationArg {
    /// All.
    #[default]
    #[value(name = "read_uncommitted")]
    ReadUncommitted,
    /// Those of transactions that were committed.
    #[value(name = "read_committed")]
    ReadCommitted,
}

impl IsolationArg {
    fn end(self) -> OffsetSpec {
        match self {
            Self::ReadUncommitted => OffsetSpec::Latest,
            Self::ReadCommitted => OffsetSpec::LastStable,
        }
    }
}

/// How a record is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// The value, and a line's end.
    #[default]
    Text,
    /// One JSON object a line, with everything. What is not UTF-8 is in base64, under key_base64, value_base64.
    Json,
}

/// Runs it.
pub fn run(args: &ConsumeArgs) -> Result<(), Failure> {
    on_runtime(consume(args))
}

async fn consume(args: &ConsumeArgs) -> Result<(), Failure> {
    let client = args.cluster.connect().await?;
    let (_, topic) = connecting::topic(&client, &args.topic).await?;
    let leaders = leaders(args, &topic)?;
    let cursors = cursors(args, &client, &leaders).await?;
    if args.count == Some(0) {
        return Ok(());
    }
    let clock = Arc::clone(client.clock());
    let mut progress = Progress::start("read", &clock);
    let mut printer = Printer::new(args);
    let committed = args.isolation_level == IsolationArg::ReadCommitted;
    let bounds = FetchBounds { committed, ..FetchBounds::default() };
    let reading = Reading::start(client, &args.topic, cursors.clone(), leaders, bounds);
    let read = reading.run(|arrived| {
        let end = cursors.get(&arrived.partition).and_then(|cursor| cursor.end);
        printer.print(arrived, end, &mut progress)
    });
    read.await.map_err(|failure| hint(failure, args))?;
    printer.out.flush().or_else(|error| check(Err(error)).map_err(io::Error::other)).map_err(Failure::failed)?;
    let done = progress.finish();
    if args.quiet {
        tell(&format!("read from '{}': {done}", args.topic));
    }
    Ok(())
}

fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "a whole number of records, 0 or more (--from -N begins with the last N)".to_owned())
}

fn hint(failure: Failure, args: &ConsumeArgs) -> Failure {
    if !failure.text.contains("OFFSET_OUT_OF_RANGE") {
        return failure;
    }
    let text = format!(
        "{}: there is no such offset (any more); tidelog topics describe {} shows which there are",
        failure.text, args.topic
    );
    Failure::new(Exit::NotFound, text)
}

fn leaders(args: &ConsumeArgs, topic: &TopicMetadata) -> Result<BTreeMap<i32, i32>, Failure> {
    if let Some(missing) = args.partition.iter().find(|partition| !topic.partitions.contains_key(partition)) {
        let text = format!("topic '{}' has no partition {missing}", args.topic);
        return Err(Failure::new(Exit::NotFound, text));
    }
    let wanted = |partition: i32| args.partition.is_empty() || args.partition.contains(&partition);
    let leaders = topic.partitions.iter().filter(|(partition, _)| wanted(**partition));
    Ok(leaders.map(|(partition, metadata)| (*partition, metadata.leader)).collect())
}

async fn cursors(
    args: &ConsumeArgs,
    client: &KafkaClient,
    leaders: &BTreeMap<i32, i32>,
) -> Result<BTreeMap<i32, Cursor>, Failure> {
    let partitions: Vec<i32> = leaders.keys().copied().collect();
    let start = args.from.offsets(client, &args.topic, &partitions, args.isolation_level.end()).await?;
    let end = if args.to_end {
        client.offsets(&args.topic, &partitions, args.isolation_level.end()).await?
    } else {
        BTreeMap::new()
    };
    let cursor = |(partition, next): (i32, i64)| {
        let end = args.to_end.then(|| end.get(&partition).copied().flatten().unwrap_or(0));
        (partition, Cursor { next, end })
    };
    Ok(start.into_iter().map(cursor).collect())
}

/// Writes records.
struct Printer<'a> {
    args: &'a ConsumeArgs,
    out: BufWriter<StdoutLock<'static>>,
    left: Option<u64>,
}

impl<'a> Printer<'a> {
    fn new(args: &'a ConsumeArgs) -> Self {
        Self { args, out: BufWriter::with_capacity(64 * 1024, io::stdout().lock()), left: args.count }
    }

    fn print(
        &mut self,
        arrived: &Arrived,
        end: Option<i64>,
        progress: &mut Progress,
    ) -> Result<ControlFlow<()>, Failure> {
        let wrong = |error| Failure::new(Exit::Wrong, format!("partition {}: {error}", arrived.partition));
        let (mut records, mut bytes) = (0, 0);
        for batch in arrived.batches() {
            let batch = batch?;
            if batch.header().attributes.is_control() {
                continue;
            }
            for record in &batch.records().map_err(wrong)? {
                let record = record.map_err(wrong)?;
                if record.offset.get() < arrived.from || end.is_some_and(|end| record.offset.get() >= end) {
                    continue;
                }
                if self.left == Some(0) {
                    break;
                }
                self.left = self.left.map(|left| left - 1);
                records += 1;
                bytes += size_bytes(&record);
                if !self.args.quiet {
                    check(self.write(arrived.partition, &record))?;
                }
            }
        }
        progress.add(records, bytes);
        check(self.out.flush())?;
        Ok(if self.left == Some(0) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn write(&mut self, partition: i32, record: &Record<'_>) -> io::Result<()> {
        if self.args.json || self.args.format == FormatArg::Json {
            serde_json::to_writer(&mut self.out, &as_json(&self.args.topic, partition, record))?;
            return self.out.write_all(b"\n");
        }
        if let Some(separator) = &self.args.key_separator {
            self.out.write_all(record.key.unwrap_or(self.args.null.as_bytes()))?;
            self.out.write_all(separator.as_bytes())?;
        }
        self.out.write_all(record.value.unwrap_or(self.args.null.as_bytes()))?;
        self.out.write_all(b"\n")
    }
}

fn size_bytes(record: &Record<'_>) -> u64 {
    let bytes = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + bytes(value)).sum();
    u64::try_from(bytes(record.key) + bytes(record.value) + headers).unwrap_or(u64::MAX)
}

fn as_json(topic: &str, partition: i32, record: &Record<'_>) -> Value {
    let mut object = Map::new();
    object.insert("topic".to_owned(), json!(topic));
    object.insert("partition".to_owned(), json!(partition));
    object.insert("offset".to_owned(), json!(record.offset.get()));
    object.insert("timestamp".to_owned(), json!(record.timestamp_ms));
    insert_bytes(&mut object, "key", record.key);
    insert_bytes(&mut object, "value", record.value);
    let headers = record.headers.iter().map(|(name, value)| {
        let mut header = Map::new();
        header.insert("name".to_owned(), json!(name));
        insert_bytes(&mut header, "value", value);
        Value::Object(header)
    });
    object.insert("headers".to_owned(), headers.collect());
    Value::Object(object)
}

fn insert_bytes(object: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    let (name, value) = match bytes.map(std::str::from_utf8) {
        None => (name.to_owned(), Value::Null),
        Some(Ok(text)) => (name.to_owned(), json!(text)),
        Some(Err(_)) => (format!("{name}_base64"), json!(STANDARD.encode(bytes.unwrap_or_default()))),
    };
    object.insert(name, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Offset;
    use crate::record::Headers;

    #[test]
    fn json_says_everything() {
        let record = Record {
            offset: Offset::new(7),
            timestamp_ms: 5,
            key: None,
            value: Some(b"\xff\x00"),
            headers: Headers::NONE,
        };
        let expected = json!({
            "topic": "t", "partition": 3, "offset": 7, "timestamp": 5,
            "key": null, "value_base64": "/wA=", "headers": [],
        });
        assert_eq!(as_json("t", 3, &record), expected);
    }
}
