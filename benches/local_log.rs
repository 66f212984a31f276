//! The hot path without sockets: a producer's batch is validated and appended, and found again for a consumer; each beside
//! what bounds it, which is a checksum of the same bytes, one bare write of them, one bare read.
//!
//! `cargo bench --bench local_log`. Time is the thread's own CPU time, so that a busy machine does not show in it. Appends go
//! to the page cache, into a folder that goes with the process.

mod cpu_time;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tempfile::TempDir;

use tidelog::disk::{Disk as _, Open, RealDisk};
use tidelog::log::{LogOptions, OpenFiles, PartitionLog};
use tidelog::model::{Codec, LeaderEpoch, Offset, TopicConfig};
use tidelog::record::{BatchBuilder, BatchSpec, ValidationRules, validate};

use self::cpu_time::CpuTime;

const EPOCH: LeaderEpoch = LeaderEpoch::new(1);
const NOW_MS: i64 = 1_700_000_000_000;
/// As many bytes as are written before a file begins anew, so that no disk fills up and memory stays warm.
const FILE_BYTES: u64 = 256 << 20;
const FETCH_BYTES: usize = 1 << 20;

/// What a producer sends: `records` records of `size` bytes, half of them random.
fn batch(size: usize, records: usize, codec: Codec) -> Bytes {
    let mut noise = blake3::Hasher::new().update(b"noise").finalize_xof();
    let mut builder = BatchBuilder::new(BatchSpec::plain(Offset::ZERO, LeaderEpoch::new(-1), codec));
    let mut value = vec![b'r'; size];
    for offset in 0..i64::try_from(records).expect("a count") {
        noise.fill(value.split_at_mut(size / 2).0);
        builder.push(Offset::new(offset), NOW_MS, None, Some(&value), std::iter::empty()).expect("room");
    }
    builder.build_bytes().expect("a batch")
}

/// Batches as producers make them: full ones of small and of middling records, and one that holds a single record.
fn batches() -> Vec<(String, Bytes)> {
    let named = |name: &str, codec: Codec, size, records| (format!("{name}, {codec:?}"), batch(size, records, codec));
    vec![
        named("64 KiB of 100 B", Codec::None, 100, 640),
        named("64 KiB of 1 KiB", Codec::None, 1024, 64),
        named("64 KiB of 1 KiB", Codec::Zstd, 1024, 64),
        named("1 MiB of 1 KiB", Codec::None, 1024, 1000),
        named("one of 100 B", Codec::None, 100, 1),
    ]
}

fn rules() -> ValidationRules {
    ValidationRules::of(&TopicConfig::default().message, false, NOW_MS)
}

fn validation(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("validate");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for (name, bytes) in batches() {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("validate", &name), |bench| {
            bench.iter(|| validate(black_box(bytes.clone()), &rules()).expect("a good batch"));
        });
        group.bench_function(BenchmarkId::new("limit: crc32c", &name), |bench| {
            bench.iter(|| crc32c::crc32c(black_box(&bytes)));
        });
    }
    group.finish();
}

/// A log of one segment after the other, none of which is ever full.
struct Bench {
    folder: TempDir,
    files: Arc<OpenFiles>,
    log: PartitionLog,
    opened: usize,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let files = OpenFiles::new(RealDisk::shared(), 16);
        let log = open(&files, &folder, 0);
        Self { folder, files, log, opened: 0 }
    }

    /// Appends, and begins another log where this one is large.
    fn append(&mut self, batch: &tidelog::record::ValidBatch) {
        if self.log.size_bytes() > FILE_BYTES {
            self.opened += 1;
            let next = open(&self.files, &self.folder, self.opened);
            let full = std::mem::replace(&mut self.log, next);
            std::fs::remove_dir_all(full.dir()).expect("removed");
        }
        self.log.append(batch, EPOCH, NOW_MS).expect("appended");
    }
}

fn open(files: &Arc<OpenFiles>, folder: &TempDir, number: usize) -> PartitionLog {
    let options = LogOptions::from(&TopicConfig::default());
    let (log, _) =
        PartitionLog::open(files, &folder.path().join(number.to_string()), options, None, NOW_MS).expect("a log");
    log.begin_epoch(EPOCH);
    log
}

fn appends(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("append");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for (name, bytes) in batches() {
        let batch = validate(bytes.clone(), &rules()).expect("a good batch");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        let mut log = Bench::new();
        group.bench_function(BenchmarkId::new("append", &name), |bench| bench.iter(|| log.append(&batch)));
        let folder = tempfile::tempdir().expect("a folder");
        let file = RealDisk.open(&folder.path().join("file"), Open::CreateNew).expect("a file");
        let mut position = 0;
        group.bench_function(BenchmarkId::new("limit: write", &name), |bench| {
            bench.iter(|| {
                if position > FILE_BYTES {
                    file.set_len(0).expect("cut");
                    position = 0;
                }
                file.write_all_at(&bytes, position).expect("written");
                position += bytes.len() as u64;
            });
        });
    }
    group.finish();
}

/// Finding what a fetch asks for: the segment, the place in it, the bytes up to a bound. Nothing is read of them: they go
/// from the file to the socket.
fn fetches(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("fetch");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    let mut bench = Bench::new();
    let batch = validate(batch(1024, 64, Codec::None), &rules()).expect("a good batch");
    while bench.log.size_bytes() < FILE_BYTES / 2 {
        bench.append(&batch);
    }
    let log = &bench.log;
    let (end, mut at) = (log.log_end_offset().get(), 0);
    let mut somewhere = || {
        at = (at + 7_919 * 64) % (end - 2_000);
        Offset::new(at)
    };
    let find = |from| log.read(from, FETCH_BYTES, log.log_end_offset(), true).expect("found").expect("records");
    group.throughput(Throughput::Elements(1));
    group.bench_function("find 1 MiB at a random offset", |bench| bench.iter(|| find(somewhere())));
    let slice = find(Offset::ZERO);
    let mut bytes = vec![0; FETCH_BYTES];
    group.bench_function("limit: read of 61 bytes", |bench| {
        bench.iter(|| slice.file.read_exact_at(bytes.get_mut(..61).expect("room"), slice.position).expect("read"));
    });
    group.bench_function("beside: read of the 1 MiB", |bench| {
        bench.iter(|| slice.file.read_exact_at(&mut bytes, slice.position).expect("read"));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime).without_plots();
    targets = validation, appends, fetches
}
criterion_main!(benches);
