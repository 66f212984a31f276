//! `tidelog produce`: lines from standard input become records.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::model::Codec;
use crate::net::client::produce::RequiredAcks;

use super::connecting::ClusterArgs;
use super::machine::on_runtime;
use super::outcome::{Exit, Failure};
use super::output::{print_json, tell};
use super::partitioner;
use super::progress::Progress;
use super::sending::{Outgoing, Sending, SendingOptions};

/// The longest line.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Lines that are handed over together: bytes at which they are, and how many hand-overs may wait.
const CHUNK_BYTES: usize = 256 * 1024;
const CHUNKS_MAX: usize = 4;
/// How long a record waits for others to share its batch.
const LINGER: Duration = Duration::from_millis(20);

/// What to send, and how.
#[derive(Debug, Args)]
pub struct ProduceArgs {
    /// The topic
    pub topic: String,
    /// Everything before the first SEPARATOR of a line is the record's key
    #[arg(short, long, value_name = "SEPARATOR")]
    pub key_separator: Option<String>,
    /// A header of every record; may be repeated
    #[arg(short = 'H', long, value_name = "NAME=VALUE")]
    pub header: Vec<String>,
    /// An empty value is a null: a tombstone, in a compacted topic
    #[arg(long)]
    pub empty_as_null: bool,
    /// All to this partition [default: by key, or in turn]
    #[arg(short, long)]
    pub partition: Option<usize>,
    /// How batches are packed
    #[arg(short = 'z', long, value_enum, default_value_t)]
    pub compression: CodecArg,
    /// What to wait for: nothing, the leader, or every replica in sync, on stable storage
    #[arg(short, long, value_enum, default_value_t)]
    pub acks: AcksArg,
    /// Bytes at which a batch is sent
    #[arg(long, value_name = "BYTES", default_value = "262144", value_parser = clap::value_parser!(u32).range(1..=104_857_600))]
    pub batch_bytes: u32,
    /// What was done as JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// How batches are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names say it")]
pub enum CodecArg {
    #[default]
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl From<CodecArg> for Codec {
    fn from(codec: CodecArg) -> Self {
        match codec {
            CodecArg::None => Self::None,
            CodecArg::Gzip => Self::Gzip,
            CodecArg::Snappy => Self::Snappy,
            CodecArg::Lz4 => Self::Lz4,
            CodecArg::Zstd => Self::Zstd,
        }
    }
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AcksArg {
    /// Nothing.
    #[value(name = "0")]
    None,
    /// The leader.
    #[value(name = "1")]
    Leader,
    /// Every replica in sync.
    #[default]
    All,
}

impl From<AcksArg> for RequiredAcks {
    fn from(acks: AcksArg) -> Self {
        match acks {
            AcksArg::None => Self::None,
            AcksArg::Leader => Self::Leader,
            AcksArg::All => Self::All,
        }
    }
}

/// Runs it.
pub fn run(args: &ProduceArgs) -> Result<(), Failure> {
    let headers = headers(&args.header)?;
    if args.key_separator.as_deref() == Some("") {
        return Err(Failure::usage("--key-separator is empty"));
    }
    on_runtime(produce(args, &headers))
}

fn headers(given: &[String]) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let header = |given: &String| {
        let (name, value) = given.split_once('=').ok_or_else(|| format!("--header {given}: write NAME=VALUE"))?;
        Ok((name.to_owned(), value.as_bytes().to_vec()))
    };
    given.iter().map(header).collect::<Result<_, String>>().map_err(Failure::usage)
}

async fn produce(args: &ProduceArgs, headers: &[(String, Vec<u8>)]) -> Result<(), Failure> {
    let client = args.cluster.connect().await?;
    let clock = Arc::clone(client.clock());
    let batch_bytes = usize::try_from(args.batch_bytes).unwrap_or(usize::MAX);
    let options = SendingOptions { acks: args.acks.into(), codec: args.compression.into(), batch_bytes };
    let mut sending = Sending::start(client, &args.topic, options).await?;
    if let Some(partition) = args.partition.filter(|partition| *partition >= sending.partitions()) {
        let text = format!("topic '{}' has no partition {partition}", args.topic);
        return Err(Failure::new(Exit::NotFound, text));
    }
    let mut lines = Lines { args, headers, turn: Turn::new(&*clock, batch_bytes), number: 0, longest: (0, 0) };
    let mut progress = Progress::start("sent", &clock);
    let sent = send_all(&mut lines, &mut sending, &*clock, &mut progress).await;
    sent.map_err(|failure| lines.explained(failure, sending.acknowledged()))?;
    let done = progress.finish();
    if args.json {
        return print_json(&done);
    }
    tell(&format!("sent to '{}': {done}", args.topic));
    Ok(())
}

/// Sends standard input to its end.
async fn send_all(
    lines: &mut Lines<'_>,
    sending: &mut Sending,
    clock: &dyn Clock,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let mut chunks = read_lines();
    let mut collected = false;
    loop {
        let chunk = tokio::select! {
            chunk = chunks.recv() => chunk,
            () = clock.sleep(LINGER), if collected => {
                sending.flush().await?;
                collected = false;
                continue;
            }
        };
        let Some(chunk) = chunk else { break };
        for line in chunk? {
            let bytes = lines.send(sending, &line, clock.now_ms()).await?;
            progress.add(1, bytes);
        }
        collected = true;
    }
    sending.finish().await
}

/// Makes records of lines.
struct Lines<'a> {
    args: &'a ProduceArgs,
    headers: &'a [(String, Vec<u8>)],
    turn: Turn,
    number: u64,
    /// Which line was the longest, and how long it was.
    longest: (u64, usize),
}

impl Lines<'_> {
    /// With what helps, where the broker's word alone does not say it.
    fn explained(&self, failure: Failure, acknowledged: Option<u64>) -> Failure {
        let before = match acknowledged {
            // Others may have been, whose answer was not waited for any more.
            Some(records) => format!("; at least {records} records were acknowledged before"),
            None => String::new(),
        };
        if failure.text.contains("KAFKA_STORAGE_ERROR") {
            let text = format!(
                "{}: the broker cannot write: its disk may be full, or failing, and its log says which{before}",
                failure.text
            );
            return Failure::new(failure.exit, text);
        }
        if !failure.text.contains("MESSAGE_TOO_LARGE") {
            return Failure::new(failure.exit, format!("{}{before}", failure.text));
        }
        let ((line, bytes), topic) = (self.longest, &self.args.topic);
        let text = format!(
            "{}: a batch was larger than the topic's max.message.bytes. The longest line so far was line {line} with {bytes} \
             bytes; tidelog topics alter {topic} --set max.message.bytes=… allows more, --batch-bytes makes batches of many \
             lines smaller{before}",
            failure.text
        );
        Failure::new(failure.exit, text)
    }

    async fn send(&mut self, sending: &mut Sending, line: &[u8], timestamp_ms: i64) -> Result<u64, Failure> {
        self.number += 1;
        if line.len() > self.longest.1 {
            self.longest = (self.number, line.len());
        }
        let (key, value) = match &self.args.key_separator {
            None => (None, line),
            Some(separator) => {
                let (key, value) = split(line, separator.as_bytes()).ok_or_else(|| {
                    Failure::failed(format!("line {} has no key separator '{separator}'", self.number))
                })?;
                (Some(key), value)
            }
        };
        let value = (!(self.args.empty_as_null && value.is_empty())).then_some(value);
        let bytes = line.len() + self.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        let count = sending.partitions();
        let index = match (self.args.partition, key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partitioner::of_key(key, count),
            (None, None) => self.turn.next(bytes, count),
        };
        sending.push(index, Outgoing { timestamp_ms, key, value, headers: self.headers }).await?;
        Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}

/// Partitions in turn, a batch each: many small batches cost everybody more.
#[derive(Debug)]
struct Turn {
    partition: usize,
    bytes: usize,
    batch_bytes: usize,
}

impl Turn {
    fn new(clock: &dyn Clock, batch_bytes: usize) -> Self {
        let partition = usize::try_from(clock.now_ms()).unwrap_or(0);
        Self { partition, bytes: 0, batch_bytes }
    }

    fn next(&mut self, bytes: usize, count: usize) -> usize {
        self.bytes += bytes;
        if self.bytes > self.batch_bytes {
            self.bytes = bytes;
            self.partition = self.partition.wrapping_add(1);
        }
        self.partition % count.max(1)
    }
}

fn split<'l>(line: &'l [u8], separator: &[u8]) -> Option<(&'l [u8], &'l [u8])> {
    let at = line.windows(separator.len()).position(|window| window == separator)?;
    Some((line.get(..at)?, line.get(at + separator.len()..)?))
}

type Chunk = Result<Vec<Vec<u8>>, Failure>;

/// Lines of standard input, on a thread that may wait for a person. It ends with the process.
fn read_lines() -> mpsc::Receiver<Chunk> {
    let (chunks, received) = mpsc::channel(CHUNKS_MAX);
    thread::spawn(move || {
        let mut input = io::BufReader::with_capacity(CHUNK_BYTES, io::stdin().lock());
        loop {
            match next_chunk(&mut input) {
                Ok(chunk) if chunk.is_empty() => return,
                chunk => {
                    let last = chunk.is_err();
                    if chunks.blocking_send(chunk).is_err() || last {
                        return;
                    }
                }
            }
        }
    });
    received
}

/// The next lines: as many as have arrived, one at least; none at the end.
fn next_chunk<R: Read>(input: &mut io::BufReader<R>) -> Chunk {
    let mut chunk = Vec::new();
    let mut bytes = 0;
    loop {
        let mut line = Vec::new();
        input
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .map_err(|error| Failure::failed(format!("reading standard input: {error}")))?;
        if line.is_empty() {
            return Ok(chunk);
        }
        if line.pop_if(|last| *last == b'\n').is_none() && line.len() as u64 == LINE_BYTES_MAX {
            return Err(Failure::failed(format!("a line is longer than {LINE_BYTES_MAX} bytes")));
        }
        bytes += line.len();
        chunk.push(line);
        if bytes >= CHUNK_BYTES || !input.buffer().contains(&b'\n') {
            return Ok(chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn lines_are_read_whole() {
        let mut input = io::BufReader::with_capacity(16, &b"a\n\nlonger than the buffer\nlast"[..]);
        let mut lines = Vec::new();
        loop {
            let chunk = next_chunk(&mut input).unwrap();
            if chunk.is_empty() {
                break;
            }
            lines.extend(chunk);
        }
        assert_eq!(lines, [&b"a"[..], b"", b"longer than the buffer", b"last"]);
    }

    #[test]
    fn keys_end_at_the_first_separator() {
        assert_eq!(split(b"k::v::w", b"::"), Some((&b"k"[..], &b"v::w"[..])));
        assert_eq!(split(b"k:v", b"::"), None);
        assert_eq!(split(b":", b":"), Some((&b""[..], &b""[..])));
    }

    #[test]
    fn partitions_take_turns_by_batch() {
        let mut turn = Turn::new(&*ManualClock::new(0), 10);
        let order: Vec<_> = (0..6).map(|_| turn.next(5, 2)).collect();
        assert_eq!(order, [0, 0, 1, 1, 0, 0]);
    }
}
