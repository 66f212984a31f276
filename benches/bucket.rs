//! What a bucket does through this crate's own face: uploads in parts, whole reads, ranges side by side, small ranges
//! one after another. `TIDELOG_BENCH_BUCKET` names the bucket (`s3://name/prefix` with AWS's environment; by default a
//! folder), and everything that was written is removed.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that measures")]

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use tidelog::clock::{Clock as _, SystemClock};
use tidelog::disk::RealDisk;
use tidelog::object_storage::{Bucket, BucketError, BucketOptions, ObjectKey};

const MIB: usize = 1 << 20;
const OBJECT: usize = 64 * MIB;
const OBJECTS: usize = 8;
const RUNS: usize = 5;

fn key(number: usize) -> ObjectKey {
    ObjectKey::parse(&format!("topics/bench/{number}.parquet")).unwrap()
}

/// Half random, half repetitive, as records are.
fn content() -> Bytes {
    let mut bytes = vec![b'r'; OBJECT];
    let mut random = StdRng::seed_from_u64(1);
    bytes.chunks_mut(1024).for_each(|chunk| random.fill_bytes(chunk.split_at_mut(512).0));
    bytes.into()
}

async fn upload(bucket: &Bucket, number: usize, content: Bytes) -> Result<(), BucketError> {
    let mut upload = bucket.begin_upload(&key(number)).await?;
    upload.write(content).await?;
    upload.finish().await.map(|_| ())
}

/// The median, with the lowest and the highest.
fn told(what: &str, mut rates: Vec<f64>, unit: &str) {
    rates.sort_by(f64::total_cmp);
    let (least, most) = (rates.first().unwrap(), rates.last().unwrap());
    println!("{what:<44} {:>8.1} {unit} ({least:.1}–{most:.1})", rates.get(rates.len() / 2).unwrap());
}

fn mib_per_second(bytes: usize, took: Duration) -> f64 {
    bytes as f64 / MIB as f64 / took.as_secs_f64()
}

async fn side_by_side(bucket: &Bucket, range: usize, at_once: usize) {
    let ranges = (0..OBJECTS).flat_map(|object| (0..OBJECT).step_by(range).map(move |at| (object, at as u64)));
    let reads = futures::stream::iter(ranges.map(|(object, at)| {
        let bucket = bucket.clone();
        async move { bucket.get_range(&key(object), at..at + range as u64).await.map(drop) }
    }));
    reads.buffer_unordered(at_once).try_collect::<Vec<_>>().await.unwrap();
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let url = std::env::var("TIDELOG_BENCH_BUCKET").unwrap_or_else(|_| format!("file://{}", folder.path().display()));
    let clock = SystemClock::new();
    let bucket = Bucket::open(&url, BucketOptions::default(), RealDisk::shared(), SystemClock::shared()).await.unwrap();
    println!("{}: {OBJECTS} objects of {} MiB, {RUNS} runs, median (least–most)", bucket.describe(), OBJECT / MIB);
    let content = content();
    let mut rates: [Vec<f64>; 6] = Default::default();
    for _ in 0..RUNS {
        for (at, uploads) in [(0, 1), (1, 4)] {
            let began = clock.monotonic();
            let objects = futures::stream::iter((0..OBJECTS).map(|number| upload(&bucket, number, content.clone())));
            objects.buffer_unordered(uploads).try_collect::<Vec<_>>().await.unwrap();
            let rate = mib_per_second(OBJECTS * OBJECT, clock.monotonic() - began);
            rates.get_mut(at).unwrap().push(rate);
        }
        for (at, range, at_once) in [(2, OBJECT, 1), (3, 8 * MIB, 1), (4, 8 * MIB, 4)] {
            let began = clock.monotonic();
            side_by_side(&bucket, range, at_once).await;
            let rate = mib_per_second(OBJECTS * OBJECT, clock.monotonic() - began);
            rates.get_mut(at).unwrap().push(rate);
        }
        let mut random = StdRng::seed_from_u64(2);
        for _ in 0..100 {
            let (object, at) = (random.random_range(0..OBJECTS), random.random_range(0..(OBJECT - MIB) as u64));
            let began = clock.monotonic();
            bucket.get_range(&key(object), at..at + MIB as u64).await.unwrap();
            rates.get_mut(5).unwrap().push((clock.monotonic() - began).as_secs_f64() * 1e3);
        }
    }
    let [one, four, whole, single, ranges, small] = rates;
    told("upload, one object at a time (4 parts of 8 MiB)", one, "MiB/s");
    told("upload, four objects at a time", four, "MiB/s");
    told("read, whole objects one by one", whole, "MiB/s");
    told("read, 8 MiB ranges one by one", single, "MiB/s");
    told("read, 8 MiB ranges, four at a time", ranges, "MiB/s");
    told("read, 1 MiB at a random place", small, "ms");
    for number in 0..OBJECTS {
        bucket.delete(&key(number)).await.unwrap();
    }
}
