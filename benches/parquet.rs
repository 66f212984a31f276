//! Records as Parquet and back, in bytes of record per second of one core's time, each beside what bounds it: copying,
//! checksumming, and packing and unpacking the same bytes with zstd.
//!
//! `cargo bench --bench parquet`. Time is the thread's own CPU time, so that a busy machine does not show in it.

mod cpu_time;

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

use tidelog::model::{Codec, LeaderEpoch, Offset, TopicId, TopicName};
use tidelog::record::{BatchBuilder, BatchSpec, BatchView};
use tidelog::tiering::parquet::{
    Aborted, Bound, Encoder, Feed, FinishedSegment, Footer, Lineage, SLAB_BYTES, SegmentHeader, SegmentWriter, Source,
    Wanted, WriterOptions,
};

use self::cpu_time::CpuTime;

const RECORD_BYTES: usize = 64 << 20;
const BATCH_BYTES: usize = 64 * 1024;
const KEY_BYTES: usize = 16;

/// A log of records of `size` bytes, half of them random and half repeated, in batches as producers send them.
struct Log {
    batches: Vec<Bytes>,
    records: i64,
}

impl Log {
    fn new(size: usize, codec: Codec) -> Self {
        let mut noise = blake3::Hasher::new().update(b"noise").finalize_xof();
        let records = i64::try_from(RECORD_BYTES / size).expect("a count");
        let (mut batches, mut offset) = (Vec::new(), 0);
        let mut value = vec![b'r'; size - KEY_BYTES];
        while offset < records {
            let mut builder = BatchBuilder::new(BatchSpec::plain(Offset::new(offset), LeaderEpoch::new(1), codec));
            while offset < records && builder.size_bytes() < BATCH_BYTES {
                let (random, _) = value.split_at_mut(size / 2 - KEY_BYTES / 2);
                noise.fill(random);
                let key = format!("{:016x}", offset.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed()));
                let timestamp_ms = 1_700_000_000_000 + offset / 100;
                let headers = std::iter::empty();
                builder
                    .push(Offset::new(offset), timestamp_ms, Some(key.as_bytes()), Some(&value), headers)
                    .expect("room");
                offset += 1;
            }
            batches.push(builder.build_bytes().expect("a batch"));
        }
        Self { batches, records }
    }

    fn views(&self) -> impl Iterator<Item = BatchView<'_>> {
        self.batches.iter().map(|bytes| BatchView::parse(bytes).expect("a batch"))
    }

    fn end(&self) -> Offset {
        Offset::new(self.records - 1)
    }

    fn header(&self) -> SegmentHeader {
        SegmentHeader {
            topic_name: TopicName::parse("bench").expect("a name"),
            topic_id: TopicId::from_uuid(uuid::Uuid::from_u128(1)),
            partition: 0,
            base_offset: Offset::ZERO,
            end_offset: self.end(),
            lineage: Lineage::default(),
        }
    }

    /// Encodes, in the steps of a [`SegmentWriter`], and looks at nothing again.
    fn encode(&self) -> usize {
        let options = WriterOptions::default();
        let slab = Bound { bytes: SLAB_BYTES, rows: usize::MAX };
        let mut encoder = Encoder::new(&options).expect("an encoder");
        let mut source = Source::new(slab);
        let (mut bytes, mut last, mut kept, mut decoded) = (0, Offset::new(-1), Vec::new(), 0);
        let mut cut = |source: &mut Source, ends: bool| {
            decoded += source.decoded_bytes();
            let (rows, taken) = source.cut(0, slab).expect("columns");
            encoder.write(&rows).expect("rows");
            drop(rows);
            kept.push(taken);
            if ends || decoded >= options.row_group_bytes {
                bytes += encoder.row_group().expect("a row group").map_or(0, |group| group.bytes.len());
                decoded = 0;
                kept.drain(..).for_each(|taken| source.reuse(taken));
            }
        };
        for view in self.views() {
            let mut feed = Feed::new(&view, Offset::ZERO, self.end(), last).expect("a feed");
            while source.fill(&mut feed, || {}).expect("records") {
                cut(&mut source, false);
            }
            last = feed.last();
        }
        cut(&mut source, true);
        bytes
    }

    /// As an upload does it: what is ready is sent and forgotten.
    fn write(&self, mut send: impl FnMut(Bytes)) -> FinishedSegment {
        let mut writer =
            SegmentWriter::new(self.header(), Aborted::default(), &WriterOptions::default()).expect("a writer");
        for view in self.views() {
            writer.push(&view).expect("a batch");
            writer.take().into_iter().for_each(&mut send);
        }
        let finished = writer.finish(&[]).expect("a file");
        finished.rest.iter().cloned().for_each(send);
        finished
    }
}

fn slice(file: &Bytes, range: &std::ops::Range<u64>) -> Bytes {
    file.slice(usize::try_from(range.start).expect("small")..usize::try_from(range.end).expect("small"))
}

/// All row groups, as batches of at most a mebibyte.
fn read(file: &Bytes, footer: &Footer) -> usize {
    let wanted = Wanted {
        from: Offset::ZERO,
        upper: Offset::MAX,
        max_bytes: usize::MAX,
        at_least_one: true,
        batch_bytes_max: 1 << 20,
        codec: Codec::None,
        level: None,
    };
    let mut bytes = 0;
    for (number, meta) in footer.row_groups().iter().enumerate() {
        bytes += footer.rebuild_row_group(number, slice(file, &meta.bytes), &wanted).expect("batches").size_bytes;
    }
    bytes
}

fn limits(group: &mut BenchmarkGroup<'_, CpuTime>, size: usize, log: &Log) {
    let raw = log.batches.concat();
    let mut copy = vec![0; raw.len()];
    group.bench_function(BenchmarkId::new("limit: memcpy", size), |bench| {
        bench.iter(|| copy.copy_from_slice(black_box(&raw)));
    });
    group.bench_function(BenchmarkId::new("limit: crc32c", size), |bench| {
        bench.iter(|| crc32c::crc32c(black_box(&raw)));
    });
    let pages: Vec<_> = raw.chunks(1 << 20).collect();
    let pack = |page: &&[u8]| zstd::bulk::compress(page, 1).expect("packed");
    group.bench_function(BenchmarkId::new("limit: zstd-1", size), |bench| {
        bench.iter(|| pages.iter().map(|page| pack(page).len()).sum::<usize>());
    });
    let packed: Vec<_> = pages.iter().map(pack).collect();
    group.bench_function(BenchmarkId::new("limit: unzstd", size), |bench| {
        let unpack = |page: &Vec<u8>| zstd::bulk::decompress(page, 1 << 20).expect("unpacked").len();
        bench.iter(|| packed.iter().map(unpack).sum::<usize>());
    });
}

fn parquet(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("parquet");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(4));
    for size in [100, 1024, 10 * 1024] {
        let log = Log::new(size, Codec::None);
        group.throughput(Throughput::Bytes(RECORD_BYTES as u64));
        limits(&mut group, size, &log);
        group.bench_function(BenchmarkId::new("encode", size), |bench| bench.iter(|| log.encode()));
        group.bench_function(BenchmarkId::new("encode, verified", size), |bench| bench.iter(|| log.write(drop)));
        let mut file = Vec::new();
        let finished = log.write(|bytes| file.extend_from_slice(&bytes));
        let file = Bytes::from(file);
        group.bench_function(BenchmarkId::new("decode to batches", size), |bench| {
            bench.iter(|| read(&file, &finished.footer));
        });
        group.bench_function(BenchmarkId::new("decode", size), |bench| {
            let decode = |(number, meta): (usize, &tidelog::tiering::parquet::RowGroupMeta)| {
                finished.footer.decode_row_group(number, slice(&file, &meta.bytes)).expect("a row group").rows()
            };
            bench.iter(|| finished.footer.row_groups().iter().enumerate().map(decode).sum::<usize>());
        });
        let packed = Log::new(size, Codec::Zstd);
        group.bench_function(BenchmarkId::new("encode, verified, from zstd", size), |bench| {
            bench.iter(|| packed.write(drop));
        });
        let sizes = [&log, &packed].map(|log| log.batches.iter().map(Bytes::len).sum::<usize>());
        let [plain, zstd] = sizes;
        eprintln_sizes(size, file.len(), plain, zstd);
    }
    group.finish();
}

#[expect(clippy::print_stderr, reason = "a figure beside the others")]
fn eprintln_sizes(size: usize, file: usize, plain: usize, zstd: usize) {
    eprintln!("{size}: {file} bytes of Parquet, {plain} of batches, {zstd} of batches packed with zstd");
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = parquet
}
criterion_main!(benches);
