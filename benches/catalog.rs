//! Commits of the catalog in SQLite: from one caller, who waits for each, and from many at once, who share one; beside
//! what bounds them, which is a write of a page and its sync.
//!
//! `cargo bench --bench catalog`. Wall-clock time, for what is waited for is a disk; it is the disk of the temporary folder
//! (`TMPDIR`).

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::future::join_all;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;

use tidelog::catalog::{Catalog, CatalogOptions, GroupBatch, GroupOffsetRow};
use tidelog::clock::SystemClock;
use tidelog::disk::{Disk as _, Open, RealDisk};
use tidelog::model::{Offset, TopicId, TopicPartition};

/// A page of SQLite's.
const PAGE_BYTES: usize = 4096;

async fn open(folder: &TempDir) -> Catalog {
    let url = format!("sqlite://{}", folder.path().join("catalog.db").display());
    let catalog = Catalog::open(&url, &CatalogOptions::default(), RealDisk::shared(), SystemClock::shared()).await;
    let catalog = catalog.expect("a catalog");
    catalog.cluster("bench").await.expect("a cluster");
    catalog
}

/// A commit of a group's offset.
fn commit(caller: usize, offset: i64) -> GroupBatch {
    let tp = TopicPartition { topic_id: TopicId::from_uuid(Uuid::from_u128(1)), partition: 0 };
    let committed = GroupOffsetRow {
        group_id: format!("group-{caller}"),
        tp,
        offset: Offset::new(offset),
        leader_epoch: None,
        metadata: String::new(),
        committed_at_ms: offset,
        expires_at_ms: None,
    };
    GroupBatch { committed: vec![committed], ..GroupBatch::default() }
}

fn commits(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let catalog = runtime.block_on(open(&folder));
    let mut group = criterion.benchmark_group("catalog");
    group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(4));
    let mut offset = 0;
    for callers in [1, 8, 64] {
        group.throughput(Throughput::Elements(callers as u64));
        group.bench_function(BenchmarkId::new("commit an offset, callers", callers), |bench| {
            bench.iter(|| {
                offset += 1;
                let all = (0..callers).map(|caller| catalog.write_groups(commit(caller, offset)));
                runtime.block_on(join_all(all)).into_iter().for_each(|written| written.expect("committed"));
            });
        });
    }
    let file = RealDisk.open(&folder.path().join("page"), Open::CreateNew).expect("a file");
    let (page, mut position) = (vec![7; PAGE_BYTES], 0);
    group.throughput(Throughput::Elements(1));
    group.bench_function("limit: write and sync of a page", |bench| {
        bench.iter(|| {
            file.write_all_at(&page, position).expect("written");
            file.sync_data().expect("synced");
            position += PAGE_BYTES as u64;
        });
    });
    group.finish();
    runtime.block_on(catalog.close());
}

criterion_group!(benches, commits);
criterion_main!(benches);
