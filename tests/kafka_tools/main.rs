//! Kafka's own `DumpLogSegments` reads the files of a local log: batches, all three indexes, producer snapshots.
//!
//! It needs Java and Maven, which fetches Kafka's jars once; `tests/run tools` runs it. Where the machine has neither, it
//! says that it is skipped.

#![expect(clippy::print_stderr, reason = "a test says why it is skipped")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tidelog::disk::RealDisk;
use tidelog::log::{LogOptions, OpenFiles, PartitionLog};
use tidelog::model::{Codec, LeaderEpoch, Offset, ProducerId, TopicConfig};
use tidelog::record::control::{self, Marker, Outcome};
use tidelog::record::{Attributes, BatchBuilder, BatchSpec, ValidBatch};

const NOW_MS: i64 = 1_700_000_000_000;
const EPOCH: LeaderEpoch = LeaderEpoch::new(7);

/// Where Kafka's jars are, fetched if they are not; `None` without Java or Maven.
fn jars() -> Option<PathBuf> {
    let there = |tool: &str, flag: &str| Command::new(tool).arg(flag).output().is_ok_and(|out| out.status.success());
    for (tool, flag) in [("java", "-version"), ("mvn", "-version")] {
        if !there(tool, flag) {
            eprintln!("skipped: `{tool}` is not on this machine");
            return None;
        }
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let jars = cache.expect("a home").join("tidelog/kafka-tools-4.3.1");
    if !jars.join("fetched").try_exists().expect("the cache can be read") {
        let fetched = Command::new("mvn")
            .args(["-q", "-B", "-f", "tests/kafka_tools/pom.xml", "dependency:copy-dependencies"])
            .args(["-DincludeScope=runtime", &format!("-DoutputDirectory={}", jars.display())])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("mvn runs");
        assert!(fetched.success(), "Kafka's jars cannot be fetched");
        std::fs::write(jars.join("fetched"), "").expect("the cache can be written");
    }
    Some(jars)
}

/// What the tool says of one file.
fn dump(jars: &Path, file: &Path) -> String {
    let out = Command::new("java")
        .args(["-Xmx256m", "-cp", &format!("{}/*", jars.display()), "org.apache.kafka.tools.DumpLogSegments"])
        .args(["--deep-iteration", "--print-data-log", "--files", &file.display().to_string()])
        .output()
        .expect("java runs");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{}: {text}\n{errors}", file.display());
    for bad in ["Mismatch", "isvalid: false", "Exception", "out of order", "not found", "unreadable", "invalid"] {
        assert!(!text.contains(bad) && !errors.contains(bad), "{}: {text}\n{errors}", file.display());
    }
    text
}

/// The numbers behind `name: ` in a text, in order.
fn numbers(text: &str, name: &str) -> Vec<i64> {
    let name = format!("{name}: ");
    let rests = text.split(&name).skip(1);
    rests.filter_map(|rest| rest.split([' ', '\n', ',']).next()?.parse().ok()).collect()
}

fn batch(number: u32, codec: Codec, producer: Option<(ProducerId, i16, i32)>, transactional: bool) -> ValidBatch {
    let mut spec = BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, codec);
    spec.producer = producer;
    if transactional {
        spec.attributes = Attributes::default().transactional();
    }
    let mut builder = BatchBuilder::new(spec);
    for n in 0..3i64 {
        let value = format!("value-{number}-{n}");
        let headers = [("h", Some(b"1".as_slice()))];
        let at = NOW_MS + i64::from(number) * 10 + n;
        builder.push(Offset::new(n), at, Some(b"key"), Some(value.as_bytes()), headers.into_iter()).expect("it fits");
    }
    builder.build().expect("it builds")
}

/// A log with every kind of batch, several segments, an aborted transaction and one that is open.
fn write_log(dir: &Path) -> PartitionLog {
    let mut options = LogOptions::from(&TopicConfig::default());
    options.segment_bytes = 3_000;
    options.index_interval_bytes = 400;
    let files = OpenFiles::new(Arc::new(RealDisk), 10);
    let (log, _) = PartitionLog::open(&files, dir, options, None, NOW_MS).expect("it opens");
    let codecs = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    let append = |batch: &ValidBatch| log.append(batch, EPOCH, NOW_MS).expect("it appends");
    for (number, codec) in (0..60u32).zip(codecs.into_iter().cycle()) {
        let sequence = i32::try_from(number / 2).expect("few") * 3;
        let producer = (number % 2 == 0).then_some((ProducerId(11), 0, sequence));
        append(&batch(number, codec, producer, false));
    }
    let transaction = ProducerId(12);
    append(&batch(60, Codec::None, Some((transaction, 0, 0)), true));
    let marker = Marker { outcome: Outcome::Abort, coordinator_epoch: 5 };
    append(&control::build(Offset::ZERO, EPOCH, (transaction, 0), marker, NOW_MS).expect("it builds"));
    append(&batch(61, Codec::None, Some((transaction, 0, 3)), true));
    log.close().expect("it closes");
    log
}

#[test]
#[ignore = "needs Java, Maven and Kafka's jars: `tests/run tools`"]
fn kafkas_dump_log_segments_reads_what_the_log_writes() {
    let Some(jars) = jars() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("t-0");
    let log = write_log(&dir);
    let mut bases = BTreeSet::new();
    let (mut indexed, mut timed, mut aborted, mut snapshots) = (0, 0, Vec::new(), Vec::new());
    let mut paths: Vec<_> =
        std::fs::read_dir(&dir).expect("it can be read").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("log") => bases.extend(numbers(&dump(&jars, &path), "baseOffset")),
            Some("index") => indexed += numbers(&dump(&jars, &path), "position").len(),
            Some("timeindex") => timed += numbers(&dump(&jars, &path), "timestamp").len(),
            Some("txnindex") => aborted.push(dump(&jars, &path)),
            Some("snapshot") => snapshots.push(dump(&jars, &path)),
            _ => {}
        }
    }
    // 61 batches of three records, the marker, and the batch behind it.
    let expected: BTreeSet<i64> = (0..61).map(|number| number * 3).chain([183, 184]).collect();
    assert_eq!(bases, expected);
    assert!(indexed > 10 && timed > 10, "{indexed} positions, {timed} timestamps");
    let aborted = aborted.concat();
    let of = |name| numbers(&aborted, name);
    assert_eq!((of("producerId"), of("firstOffset"), of("lastOffset")), (vec![12], vec![180], vec![183]));
    let last = snapshots.last().expect("there is a snapshot");
    assert_eq!(numbers(last, "producerId"), [11, 12]);
    assert!(last.contains("currentTxnFirstOffset: OptionalLong[184]"), "{last}");
    assert_eq!(log.log_end_offset(), Offset::new(187));
}
