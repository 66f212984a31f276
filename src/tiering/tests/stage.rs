//! One partition with all that it stands on, and ways to crash and start again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::catalog::{Catalog, CatalogOptions, ClusterRow, NewTopicRow, PartitionRow};
use crate::clock::{Clock, Sleep, SystemClock};
use crate::disk::{Disk, RealDisk};
use crate::log::{LogOptions, OpenFiles, PartitionLog};
use crate::model::{BrokerId, Codec, LeaderEpoch, Offset, TopicConfig, TopicId, TopicName, TopicPartition};
use crate::object_storage::{Bucket, BucketOptions, FaultPlan, MemoryStore, SwitchedStore};
use crate::record::{BatchBuilder, BatchSpec, Batches, ValidBatch};
use crate::tiering::{Lineage, StepHook, TieredLog, TieredParts, TieringOptions, Tiers, TiersParts, cluster_file};

pub const BROKER: BrokerId = BrokerId(1);
pub const BASE_MS: i64 = 1_700_000_000_000;

/// Real time, with a wall clock that can be moved.
#[derive(Debug)]
pub struct MovedClock {
    real: SystemClock,
    by_ms: AtomicI64,
}

impl MovedClock {
    pub fn advance(&self, ms: i64) {
        self.by_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for MovedClock {
    fn now_ms(&self) -> i64 {
        BASE_MS + self.by_ms.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        self.real.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.real.sleep(duration)
    }
}

/// A record, as it went in or came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub offset: i64,
    pub timestamp_ms: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// One partition.
pub struct Stage {
    pub store: Arc<MemoryStore>,
    /// What the bucket is asked through.
    pub endpoint: Arc<SwitchedStore>,
    pub plan: Arc<FaultPlan>,
    pub clock: Arc<MovedClock>,
    pub catalog: Catalog,
    pub config: Arc<TopicConfig>,
    pub options: TieringOptions,
    pub tiers: Arc<Tiers>,
    pub log: Arc<TieredLog>,
    pub id: TopicId,
    folder: tempfile::TempDir,
    files: Arc<OpenFiles>,
}

/// A topic that keeps nothing longer than it must.
pub fn config() -> TopicConfig {
    let mut config = TopicConfig::default();
    config.retention.total_ms = None;
    config.retention.local_ms = Some(0);
    config.retention.file_delete_delay_ms = 0;
    config
}

fn bucket_options(plan: &Arc<FaultPlan>) -> BucketOptions {
    let mut options = BucketOptions { faults: Some(Arc::clone(plan)), ..BucketOptions::default() };
    let soon = Duration::from_millis(200);
    (options.retry.read_deadline, options.retry.upload_deadline, options.retry.control_deadline) = (soon, soon, soon);
    options.retry.pause_first = Duration::from_millis(1);
    options.upload.part_bytes = 64 * 1024;
    options
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(config(), TieringOptions { orphan_grace: Duration::ZERO, ..TieringOptions::default() }).await
    }

    pub async fn with(config: TopicConfig, options: TieringOptions) -> Self {
        Self::on_disk(config, options, RealDisk::shared()).await
    }

    /// With its log, and nothing else, on `disk`.
    pub async fn on_disk(config: TopicConfig, options: TieringOptions, disk: Arc<dyn Disk>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(MovedClock { real: SystemClock::new(), by_ms: AtomicI64::new(0) });
        let url = format!("sqlite://{}/catalog.db", folder.path().display());
        let catalog =
            Catalog::open(&url, &CatalogOptions::default(), RealDisk::shared(), clock_of(&clock)).await.unwrap();
        catalog.cluster("AAAAAAAAAAAAAAAAAAAAAA").await.unwrap();
        let id = TopicId::from_uuid(uuid::Uuid::from_u128(7));
        let topic = NewTopicRow {
            id,
            name: TopicName::parse("orders").unwrap(),
            partitions: 1,
            configs: BTreeMap::new(),
            leader: BROKER,
            leader_epoch: 0,
            tiered: config.remote.enabled,
        };
        catalog.create_topic(topic).await.unwrap();
        let files = OpenFiles::new(disk, 100);
        let (store, plan, config) = (Arc::new(MemoryStore::new()), FaultPlan::new(), Arc::new(config));
        let endpoint = Arc::new(SwitchedStore::new(Arc::clone(&store)));
        let opening = Opening {
            store: &endpoint,
            plan: &plan,
            clock: &clock,
            catalog: &catalog,
            config: &config,
            id,
            files: &files,
        };
        let (tiers, log) = opening.start(folder.path(), options.clone()).await;
        Self { store, endpoint, plan, clock, catalog, config, options, tiers, log, id, folder, files }
    }

    pub fn tp(&self) -> TopicPartition {
        TopicPartition::new(self.id, 0)
    }

    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The log's folder is gone.
    pub fn wipe_disk(&self) {
        std::fs::remove_dir_all(self.folder.path().join("log")).unwrap();
    }

    /// A log of its own where this one was.
    pub fn log_elsewhere(&self) -> PartitionLog {
        let options = LogOptions::from(self.config.as_ref());
        PartitionLog::open(&self.files, &self.folder.path().join("log"), options, None, 0).unwrap().0
    }

    /// Ends everything as a crash would, between two steps, and starts again on what is left.
    pub async fn restart(&mut self) {
        self.plan.release();
        self.tiers.close().await;
        self.options.steps = StepHook::default();
        let opening = Opening {
            store: &self.endpoint,
            plan: &self.plan,
            clock: &self.clock,
            catalog: &self.catalog,
            config: &self.config,
            id: self.id,
            files: &self.files,
        };
        let (tiers, log) = opening.start(self.folder.path(), self.options.clone()).await;
        (self.tiers, self.log) = (tiers, log);
    }

    /// Appends one batch of so many records, made stable and shown; returns the first offset.
    pub fn produce(&self, records: i64) -> Offset {
        self.append(&batch(records, self.clock.now_ms(), Codec::None))
    }

    pub fn append(&self, batch: &ValidBatch) -> Offset {
        let log = &self.log.log;
        let appended = log.append(batch, self.log.leader_epoch(), self.clock.now_ms()).unwrap();
        self.show();
        appended.base_offset
    }

    /// What is appended is made stable and shown.
    pub fn show(&self) {
        let log = &self.log.log;
        log.set_high_watermark(log.sync().unwrap());
    }

    /// A sealed segment of three batches of ten records.
    pub fn segment(&self) -> Offset {
        let first = self.produce(10);
        self.append(&batch(10, self.clock.now_ms() + 1, Codec::Zstd));
        self.append(&batch(10, self.clock.now_ms() + 2, Codec::Lz4));
        self.log.log.roll().unwrap();
        first
    }

    /// Uploads all that is sealed.
    pub async fn upload_all(&self) {
        while self.log.has_waiting() {
            let before = self.tiered_to();
            self.log.upload_next().await;
            assert!(self.tiered_to() > before, "{:?}", self.log.status());
        }
    }

    pub fn tiered_to(&self) -> i64 {
        self.log.status().tiered_to.map_or(-1, Offset::get)
    }

    /// Drops all local segments that may go.
    pub async fn drop_local(&self) -> usize {
        self.clock.advance(1_000);
        self.log.drop_local(self.clock.now_ms()).await.unwrap()
    }

    /// Everything from `from` to the log end, by whichever tier.
    pub async fn read(&self, from: i64) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut at = Offset::new(from);
        let end = self.log.log.log_end_offset();
        while at < end {
            let view = self.log.view().clone();
            let before = at;
            if at >= view.local_start {
                let slice = self.log.log.read(at, 1 << 20, end, true).unwrap().unwrap();
                let mut bytes = vec![0; slice.length];
                slice.file.read_exact_at(&mut bytes, slice.position).unwrap();
                at = records(&bytes, at, &mut seen);
            } else {
                let read = self.log.read_remote(at).await.unwrap();
                for bytes in self.log.take(&read, at, 300_000, true) {
                    at = records(&bytes, at, &mut seen);
                }
            }
            assert!(at > before, "no progress at {at}");
        }
        seen
    }

    /// What lies in the bucket, but for control files.
    pub fn objects(&self) -> Vec<String> {
        let keys = self.store.objects().into_iter().map(|(key, _)| key);
        keys.filter(|key| key.starts_with("topics/")).collect()
    }

    pub fn control(&self, key: &str) -> Option<serde_json::Value> {
        let objects = self.store.objects();
        let (_, bytes) = objects.into_iter().find(|(known, _)| known == key)?;
        Some(serde_json::from_slice(&bytes).unwrap())
    }

    /// All rows, by state.
    pub async fn rows(&self) -> Vec<(String, i64, i64)> {
        let live = self.tiers.live_segments(self.tp(), Offset::ZERO, 1_000).await.unwrap();
        let passing = self.tiers.passing_segments(1_000).await.unwrap();
        let all = live.into_iter().chain(passing);
        all.map(|row| (row.state.to_owned(), row.base_offset.get(), row.end_offset.get())).collect()
    }
}

fn clock_of(clock: &Arc<MovedClock>) -> Arc<dyn Clock> {
    Arc::<MovedClock>::clone(clock)
}

struct Opening<'a> {
    store: &'a Arc<SwitchedStore>,
    plan: &'a Arc<FaultPlan>,
    clock: &'a Arc<MovedClock>,
    catalog: &'a Catalog,
    config: &'a Arc<TopicConfig>,
    id: TopicId,
    files: &'a Arc<OpenFiles>,
}

impl Opening<'_> {
    /// A start, as the broker does it.
    async fn start(&self, folder: &std::path::Path, options: TieringOptions) -> (Arc<Tiers>, Arc<TieredLog>) {
        let cluster: ClusterRow = self.catalog.raise_start_number().await.unwrap();
        let rows = self.catalog.raise_leader_epochs(BROKER).await.unwrap();
        let row: PartitionRow = rows.into_iter().find(|row| row.tp.topic_id == self.id).unwrap();
        let store = Arc::<SwitchedStore>::clone(self.store);
        let bucket = Bucket::from_store(store, bucket_options(self.plan), clock_of(self.clock));
        let options = TieringOptions { seed: cluster.start_number.unsigned_abs(), ..options };
        cluster_file::note_start(&bucket, &cluster, "a start").await.unwrap();
        let parts = TiersParts { bucket, catalog: self.catalog.clone(), cluster, clock: clock_of(self.clock) };
        let tiers = Tiers::start(parts, options).unwrap();
        let log = self.open_log(folder, &tiers, &row).await;
        log.begin_epoch(row.leader_epoch);
        let parts = TieredParts {
            topic: TopicName::parse("orders").unwrap(),
            row,
            config: Arc::clone(self.config),
            log: Arc::new(log),
        };
        let log = TieredLog::open(&tiers, parts);
        (tiers, log)
    }

    async fn open_log(&self, folder: &std::path::Path, tiers: &Arc<Tiers>, row: &PartitionRow) -> PartitionLog {
        let (dir, now_ms) = (folder.join("log"), self.clock.now_ms());
        let options = || LogOptions::from(self.config.as_ref());
        let start = row.tiered_to.is_some().then_some(row.log_start);
        let (log, _) = PartitionLog::open(self.files, &dir, options(), start, now_ms).unwrap();
        match tiers.lineage(row, &log).await.unwrap() {
            Lineage::Sound => log,
            Lineage::Elsewhere { beginning, .. } => {
                drop(log);
                PartitionLog::begin_at(self.files, &dir, options(), &beginning, now_ms).unwrap()
            }
        }
    }
}

/// A batch whose records have all that records can have.
pub fn batch(records: i64, timestamp_ms: i64, codec: Codec) -> ValidBatch {
    let mut builder = BatchBuilder::new(BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, codec));
    for number in 0..records {
        let key = format!("key {number}");
        let value = format!("value {number} of {timestamp_ms} ").repeat(20);
        let headers = [("trace", Some(key.as_bytes())), ("trace", None), ("empty", Some(b"".as_slice()))];
        let headers = headers.into_iter().take(usize::try_from(number % 4).unwrap());
        let key = (number % 3 != 0).then_some(key.as_bytes());
        let value = (number % 5 != 0).then_some(value.as_bytes());
        builder.push(Offset::new(number), timestamp_ms + number, key, value, headers).unwrap();
    }
    builder.build().unwrap()
}

/// Adds the records of whole batches that lie at or behind `from`; returns the offset behind them.
pub fn records(bytes: &[u8], from: Offset, seen: &mut Vec<Seen>) -> Offset {
    let mut behind = from;
    for batch in Batches::new(bytes) {
        let batch = batch.unwrap();
        batch.verify_crc().unwrap();
        behind = batch.header().next_offset();
        if batch.header().attributes.is_control() {
            continue;
        }
        for record in &batch.records().unwrap() {
            let record = record.unwrap();
            if record.offset < from {
                continue;
            }
            let headers = record.headers.iter();
            seen.push(Seen {
                offset: record.offset.get(),
                timestamp_ms: record.timestamp_ms,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: headers.map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec))).collect(),
            });
        }
    }
    behind
}
