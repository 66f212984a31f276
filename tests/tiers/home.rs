//! A place where a broker lives: a data directory, a catalog, a bucket that outlives it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tidelog::broker::{Broker, BrokerOptions, BrokerParts, Endpoint, NewTopic, StartError};
use tidelog::clock::{Clock, SystemClock};
use tidelog::disk::{Disk, RealDisk};
use tidelog::model::settings::BrokerSettings;
use tidelog::model::{BrokerId, Codec, LeaderEpoch, Offset};
use tidelog::object_storage::{BucketOptions, FaultPlan, MemoryStore};
use tidelog::record::{BatchBuilder, BatchSpec, Batches, ValidBatch};
use tidelog::replication::{Acks, Isolation, Partition, ReadBounds};

use crate::at_once::AT_ONCE;

/// Long enough for a machine that is busy; whoever waits so long fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where a broker lives.
pub struct Home {
    pub folder: tempfile::TempDir,
    pub store: Arc<MemoryStore>,
    pub plan: Arc<FaultPlan>,
    pub clock: Arc<dyn Clock>,
    /// Under the logs.
    pub disk: Arc<dyn Disk>,
    pub settings: BTreeMap<String, String>,
    /// How long the bucket is tried.
    pub bucket_deadline: Duration,
}

impl Home {
    /// A broker here keeps nothing locally that is in the bucket, and does everything at once.
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            store: Arc::new(MemoryStore::new()),
            plan: FaultPlan::new(),
            clock: SystemClock::shared(),
            disk: RealDisk::shared(),
            settings: AT_ONCE.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            bucket_deadline: Duration::from_millis(500),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn options(&self, data: &Path, catalog: &Path) -> BrokerOptions {
        let mut bucket = BucketOptions { faults: Some(Arc::clone(&self.plan)), ..BucketOptions::default() };
        let soon = self.bucket_deadline;
        (bucket.retry.read_deadline, bucket.retry.control_deadline, bucket.retry.upload_deadline) = (soon, soon, soon);
        BrokerOptions {
            broker_id: BrokerId(1),
            data_dir: data.to_owned(),
            advertised: Endpoint { host: "localhost".to_owned(), port: 9092 },
            catalog_url: format!("sqlite://{}", catalog.display()),
            bucket_url: "memory://".to_owned(),
            bucket,
            open_files_max: None,
            settings: BrokerSettings::new(self.settings.clone()).unwrap(),
        }
    }

    /// Starts on this data directory and catalog, over the one bucket.
    pub async fn try_start(&self, data: &str, catalog: &str) -> Result<Arc<Broker>, StartError> {
        let mut parts = BrokerParts::new(Arc::clone(&self.disk), Arc::clone(&self.clock), rand::random);
        parts.store = Some(Arc::<MemoryStore>::clone(&self.store));
        Box::pin(Broker::start(self.options(&self.path(data), &self.path(catalog)), parts)).await
    }

    pub async fn start(&self) -> Arc<Broker> {
        self.try_start("data", "catalog.db").await.unwrap()
    }

    pub async fn until(&self, broker: &Broker, what: &str, holds: impl AsyncFn() -> bool) {
        let late = self.clock.monotonic() + PATIENCE;
        while !holds().await {
            assert!(self.clock.monotonic() < late, "{what}: {:?}", broker.tiers().status());
            self.clock.sleep(Duration::from_millis(2)).await;
        }
    }

    /// Keys of data objects.
    pub fn objects(&self) -> Vec<String> {
        self.store.objects().into_iter().map(|(key, _)| key).filter(|key| key.starts_with("topics/")).collect()
    }
}

pub async fn create(broker: &Arc<Broker>, name: &str, configs: &[(&str, &str)]) -> Arc<Partition> {
    let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let topic = NewTopic { name: name.to_owned(), partitions: Some(1), configs, ..NewTopic::default() };
    broker.create_topic(topic, false).await.unwrap();
    broker.partition(name, 0).unwrap()
}

/// Ten records.
pub fn batch() -> ValidBatch {
    let mut builder = BatchBuilder::new(BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, Codec::Zstd));
    for number in 0..10i64 {
        let value = format!("value {number}");
        let at_ms = 1_700_000_000_000 + number;
        builder.push(Offset::new(number), at_ms, Some(b"k"), Some(value.as_bytes()), std::iter::empty()).unwrap();
    }
    builder.build().unwrap()
}

/// A sealed segment of ten records.
pub async fn segment(partition: &Partition) {
    let appended = partition.append(&batch(), Acks::All).unwrap();
    partition.committed(appended.last_offset.next()).await.unwrap();
    partition.log().roll().unwrap();
}

/// Offsets of all records from `from` to the end, each read from the tier that has it; and how many came from the bucket.
pub async fn offsets(partition: &Partition, from: i64) -> (Vec<i64>, usize) {
    let (mut seen, mut cold) = (Vec::new(), 0);
    let mut at = Offset::new(from);
    let end = partition.watermarks().high_watermark;
    while at < end {
        let isolation = Isolation::ReadUncommitted;
        let read = partition.read(ReadBounds { from: at, max_bytes: 1 << 20, at_least_one: true, isolation }).unwrap();
        let pieces = match (read.slice, read.remote) {
            (Some(slice), _) => {
                let mut bytes = vec![0; slice.length];
                slice.file.read_exact_at(&mut bytes, slice.position).unwrap();
                vec![bytes.into()]
            }
            (None, Some(tier)) => {
                let records = tier.read_remote(at).await.unwrap();
                let pieces = tier.take(&records, at, 1 << 20, true);
                cold += usize::from(!pieces.is_empty());
                pieces
            }
            (None, None) => break,
        };
        for bytes in pieces {
            for batch in Batches::new(&bytes) {
                let batch = batch.unwrap();
                let records = batch.records().unwrap();
                seen.extend(
                    records.iter().map(|record| record.unwrap().offset).filter(|offset| *offset >= at).map(Offset::get),
                );
                at = batch.header().next_offset();
            }
        }
    }
    (seen, cold)
}
