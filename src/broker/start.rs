//! Starting, in named steps; each says what it needs, and a failure what helps.
//!
//! First the data directory is locked, then the catalog is opened, which locks it, then the bucket. All must know each
//! other. Then the start number rises, in the catalog and in the bucket, and the epochs; folders that the catalog does not
//! know are set aside, logs are opened, recovered and compared with the bucket, groups that have members are loaded, and
//! last the background tasks begin.
//!
//! # Consistency
//! Nothing is served before the last step; the locks of the first two keep every other broker out from then on.
//!
//! # Cancellation
//! A start that is dropped is one that was cut off.
//!
//! # Crash safety
//! A start that is cut off at any step can be repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::catalog::{self, Catalog, CatalogOptions, ClusterRow, FORMAT_VERSION, PartitionRow, StorageError};
use crate::clock::Clock;
use crate::coordinator::group::GroupSettings;
use crate::coordinator::{Coordinator, CoordinatorParts};
use crate::disk::Disk;
use crate::log::{Known, LogError, OpenFiles, refuse_older};
use crate::model::limits::GROUP_MEMORY_BYTES_MAX;
use crate::model::settings::{Before, BrokerSettings, InvalidSetting};
use crate::model::{TopicId, TopicName};
use crate::object_storage::{self, Bucket, SelfTestError, Store};
use crate::replication::{Leadership, LogDirHealth, Syncer};
use crate::tiering::cluster_file::{self, BucketRefused};
use crate::tiering::{RemoteReadError, StepHook, TieringOptions, Tiers, TiersParts};

use super::data_dir::{DataDir, DataDirError, Identity};
use super::delete_topics::GOING;
use super::ids::{RandomBytes, new_id};
use super::open_topic::{OpenTopicError, TopicParts, by_topic};
use super::options::BrokerOptions;
use super::producer_ids::ProducerIds;
use super::registry::Registry;
use super::state::Broker;

/// What the machine gives.
#[derive(Debug, Clone)]
pub struct BrokerParts {
    /// Files.
    pub disk: Arc<dyn Disk>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: RandomBytes,
    /// The bucket itself, instead of the one that the options name.
    pub store: Option<Arc<dyn Store>>,
    /// Told of every step of tiering, in tests.
    pub steps: StepHook,
}

impl BrokerParts {
    /// Those, and the bucket that the options name.
    pub fn new(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, random: RandomBytes) -> Self {
        Self { disk, clock, random, store: None, steps: StepHook::default() }
    }
}

/// The broker was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The catalog was not opened.
    #[error(transparent)]
    OpenCatalog(#[from] catalog::OpenError),
    /// The catalog failed.
    #[error("the catalog: {0}")]
    Catalog(#[from] StorageError),
    /// The catalog is a newer version's.
    #[error("the catalog's format version is {found}, this tidelog knows {FORMAT_VERSION}: start the newer version")]
    NewerCatalog {
        /// What it is.
        found: i64,
    },
    /// The directory is another cluster's.
    #[error(
        "the data directory belongs to cluster {directory}, the catalog to cluster {catalog}: give each broker its own --data-dir and --catalog"
    )]
    ForeignCluster {
        /// The directory's.
        directory: String,
        /// The catalog's.
        catalog: String,
    },
    /// The directory is not the one that the catalog knows.
    #[error(
        "the catalog knows this broker with data directory {known}, but this one is {found}: what was in the other and not in the bucket would be lost. Give back the old directory, or accept the loss with --set tidelog.accept.data.loss=true"
    )]
    ForeignDirectory {
        /// What the catalog knows.
        known: String,
        /// What is there.
        found: String,
    },
    /// Topics that are in the catalog cannot be understood.
    #[error("the settings of topic '{topic}': {source}")]
    Config {
        /// Which.
        topic: String,
        /// Why.
        source: InvalidSetting,
    },
    /// A log cannot be opened.
    #[error("a log cannot be opened: {0}")]
    Log(#[from] LogError),
    /// A log has lost what was in it.
    #[error("partition {partition} of topic '{topic}' cannot be opened: {source}")]
    Partition {
        /// Its topic.
        topic: TopicName,
        /// Its number.
        partition: i32,
        /// What is lost.
        source: LogError,
    },
    /// The bucket was not opened.
    #[error(transparent)]
    OpenBucket(#[from] object_storage::OpenError),
    /// The bucket cannot do what is needed.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
    /// Catalog and bucket do not belong together.
    #[error(transparent)]
    Bucket(#[from] BucketRefused),
    /// A log has to be compared with the bucket, and that does not answer.
    #[error("a log cannot be compared with what is in the bucket: {0}")]
    Lineage(#[from] RemoteReadError),
    /// Threads cannot be started.
    #[error("threads cannot be started: {0}")]
    Threads(#[source] io::Error),
    /// Folders cannot be set aside.
    #[error("folders of unknown topics cannot be set aside: {0}")]
    Aside(#[source] io::Error),
}

impl From<OpenTopicError> for StartError {
    fn from(error: OpenTopicError) -> Self {
        match error {
            OpenTopicError::Log(error) => Self::Log(error),
            OpenTopicError::Partition { topic, partition, source } => Self::Partition { topic, partition, source },
            OpenTopicError::Lineage(error) => Self::Lineage(error),
        }
    }
}

impl Broker {
    /// Starts a broker.
    pub async fn start(options: BrokerOptions, parts: BrokerParts) -> Result<Arc<Self>, StartError> {
        let data_dir = DataDir::lock(parts.disk.as_ref(), &options.data_dir)?;
        let (disk, clock) = (Arc::clone(&parts.disk), Arc::clone(&parts.clock));
        let catalog = Catalog::open(&options.catalog_url, &CatalogOptions::default(), disk, clock).await?;
        let started = Box::pin(Self::start_on(options, parts, data_dir, catalog.clone())).await;
        if started.is_err() {
            // So that the lock is free when the failure is told.
            catalog.close().await;
        }
        started
    }

    async fn start_on(
        options: BrokerOptions,
        parts: BrokerParts,
        data_dir: DataDir,
        catalog: Catalog,
    ) -> Result<Arc<Self>, StartError> {
        let bucket = open_bucket(&options, &parts).await?;
        let BrokerParts { disk, clock, random, steps, .. } = parts;
        let known = catalog.known_cluster().await?;
        cluster_file::check(&bucket, known.as_ref(), catalog.has_live_segments().await?).await?;
        if known.is_some() {
            refuse_older_catalog(&options, &catalog, &data_dir, &disk).await?;
        }
        let (cluster, identity) = identify(&options, &catalog, &data_dir, disk.as_ref(), random).await?;
        let producer_numbers = cluster_file::note_start(&bucket, &cluster, &new_id(random).to_string()).await?;
        let settings = &options.settings;
        let coordinator = Coordinator::new(CoordinatorParts {
            catalog: catalog.clone(),
            writer: Arc::new(catalog.clone()),
            clock: Arc::clone(&clock),
            random,
            settings: GroupSettings::of(settings),
            commit_timeout: Duration::from_millis(settings.number("offsets.commit.timeout.ms").unsigned_abs()),
            memory_bytes_max: GROUP_MEMORY_BYTES_MAX,
        });
        let tiers =
            TiersParts { bucket, catalog: catalog.clone(), cluster: cluster.clone(), clock: Arc::clone(&clock) };
        let tiers = Tiers::start(tiers, tiering_options(settings, random, steps)).map_err(StartError::Threads)?;
        let broker = Self {
            advertised: ArcSwap::from_pointee(options.advertised.clone()),
            settings: ArcSwap::from_pointee(settings.clone()),
            files: OpenFiles::new(Arc::clone(&disk), options.open_files()),
            syncer: Syncer::start(settings.count("tidelog.sync.threads")).map_err(StartError::Threads)?,
            health: LogDirHealth::new(),
            leadership: Leadership::while_held(catalog.lock_held()),
            registry: Registry::default(),
            tiers,
            changing: Arc::default(),
            doubt: Default::default(),
            undone: Default::default(),
            producer_ids: ProducerIds::new(producer_numbers),
            coordinator,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            options,
            cluster,
            identity,
            data_dir,
            catalog,
            disk,
            clock,
            random,
        };
        let broker = Arc::new(broker);
        if let Err(error) = broker.begin().await {
            broker.tiers.close().await;
            return Err(error);
        }
        Arc::clone(&broker).look_for_room().await;
        // So that an alarm on what the bucket lacks has its numbers from the first look on.
        broker.tiers.report_lag();
        broker.start_tasks();
        Ok(broker)
    }

    async fn begin(self: &Arc<Self>) -> Result<(), StartError> {
        self.load_settings().await?;
        self.open_topics().await?;
        self.coordinator.load_peopled().await?;
        Ok(())
    }

    async fn open_topics(self: &Arc<Self>) -> Result<(), StartError> {
        let mut partitions = by_topic(self.catalog.raise_leader_epochs(self.id()).await?);
        let topics = self.catalog.topics().await?;
        let known = topics.iter().map(|topic| (topic.name.as_str().to_owned(), topic.id.to_string())).collect();
        self.set_unknown_aside(&known).map_err(StartError::Aside)?;
        let mut opening = Vec::with_capacity(topics.len());
        for row in topics {
            if row.deleted {
                self.finish_deletion(&row.name, row.id).await;
                continue;
            }
            let rows = partitions.remove(&row.id).unwrap_or_default();
            let has_remote = |row: &PartitionRow| row.tiered_to.is_some_and(|tiered_to| tiered_to > row.log_start);
            let before = Before { config: None, has_remote_segments: rows.iter().any(has_remote) };
            let config = self
                .settings()
                .topic_config(&row.configs, before)
                .map_err(|source| StartError::Config { topic: row.name.as_str().to_owned(), source })?;
            let parts =
                TopicParts { name: row.name, id: row.id, overrides: Arc::new(row.configs), config: Arc::new(config) };
            opening.push((parts, rows));
        }
        let opened = self.open_all(opening).await?;
        let partitions: usize = opened.iter().map(|topic| topic.partitions.len()).sum();
        tracing::info!(topics = opened.len(), partitions, "logs are open");
        self.registry.publish(opened);
        Ok(())
    }

    /// Moves folders that no row of the catalog names out of the way: kept, and named in the log.
    fn set_unknown_aside(&self, known: &BTreeSet<(String, String)>) -> io::Result<()> {
        let topics = self.data_dir.topics();
        self.disk.create_dir_all_durable(&topics)?;
        for named in self.disk.read_dir(&topics)?.into_iter().filter(|entry| entry.is_dir) {
            for id in self.disk.read_dir(&topics.join(&named.name))?.into_iter().filter(|entry| entry.is_dir) {
                let going = id.name.strip_suffix(GOING);
                if known.contains(&(named.name.clone(), going.unwrap_or(&id.name).to_owned())) {
                    continue;
                }
                let aside = self.data_dir.path().join("aside");
                self.disk.create_dir_all_durable(&aside)?;
                let from = topics.join(&named.name).join(&id.name);
                let to = free_name(
                    self.disk.as_ref(),
                    &aside,
                    &format!("{}-{}-{}", named.name, id.name, self.clock.now_ms()),
                )?;
                self.disk.rename_durable(&from, &to)?;
                tracing::warn!(
                    folder = %from.display(),
                    aside = %to.display(),
                    "the catalog does not know this topic: its folder was set aside"
                );
            }
        }
        Ok(())
    }
}

/// A name that nothing has in `folder`: two starts may fall on one millisecond, or the clock may have been put back.
fn free_name(disk: &dyn Disk, folder: &Path, name: &str) -> io::Result<PathBuf> {
    let mut free = folder.join(name);
    let mut number = 1;
    while disk.try_exists(&free)? {
        number += 1;
        free = folder.join(format!("{name}-{number}"));
    }
    Ok(free)
}

/// Opens the bucket and asks it whether it can do what is needed.
async fn open_bucket(options: &BrokerOptions, parts: &BrokerParts) -> Result<Bucket, StartError> {
    let (disk, clock) = (Arc::clone(&parts.disk), Arc::clone(&parts.clock));
    let bucket = match &parts.store {
        Some(store) => Bucket::from_store(Arc::clone(store), options.bucket.clone(), clock),
        None => Bucket::open(&options.bucket_url, options.bucket.clone(), disk, clock).await?,
    };
    for warning in bucket.self_test().await?.warnings {
        tracing::warn!(bucket = bucket.describe(), "{warning}");
    }
    Ok(bucket)
}

fn tiering_options(settings: &BrokerSettings, random: RandomBytes, steps: StepHook) -> TieringOptions {
    let millis = |name| Duration::from_millis(settings.number(name).unsigned_abs());
    let seed = Uuid::from_bytes(random()).as_u64_pair();
    TieringOptions {
        copiers: settings.count("remote.log.manager.copier.thread.pool.size"),
        copy_bytes_per_second: settings.number("remote.log.manager.copy.max.bytes.per.second").unsigned_abs(),
        readers: settings.count("remote.log.reader.threads"),
        cache_bytes: settings.number("tidelog.remote.cache.bytes").unsigned_abs(),
        orphan_grace: millis("tidelog.orphan.grace.ms"),
        lookup_deadline: millis("remote.list.offsets.request.timeout.ms"),
        seed: seed.0 ^ seed.1,
        steps,
    }
}

/// Compares what the logs have let go of with what the catalog knows, before anything is counted: a start that is refused
/// must leave the newest catalog as good as it was.
async fn refuse_older_catalog(
    options: &BrokerOptions,
    catalog: &Catalog,
    data_dir: &DataDir,
    disk: &Arc<dyn Disk>,
) -> Result<(), StartError> {
    if options.settings.switch("tidelog.accept.data.loss") {
        return Ok(());
    }
    let topics = catalog.topics().await?.into_iter().filter(|topic| !topic.deleted);
    let names: BTreeMap<TopicId, TopicName> = topics.map(|topic| (topic.id, topic.name)).collect();
    let (rows, disk, folder) = (catalog.partitions_of(options.broker_id).await?, Arc::clone(disk), data_dir.topics());
    let compared = tokio::task::spawn_blocking(move || {
        for row in rows {
            let Some(topic) = names.get(&row.tp.topic_id) else { continue };
            let id = row.tp.topic_id.to_string();
            let dir = folder.join(topic.as_str()).join(id).join(row.tp.partition.to_string());
            let known = Known { log_start: Some(row.log_start), tiered_to: row.tiered_to, ..Known::default() };
            let partition = row.tp.partition;
            refuse_older(disk.as_ref(), &dir, &known).map_err(|source| StartError::Partition {
                topic: topic.clone(),
                partition,
                source,
            })?;
        }
        Ok(())
    });
    compared.await.unwrap_or_else(|panic| Err(StartError::Threads(io::Error::other(panic))))
}

/// Makes sure that directory and catalog belong together, and counts the start.
async fn identify(
    options: &BrokerOptions,
    catalog: &Catalog,
    data_dir: &DataDir,
    disk: &dyn Disk,
    random: RandomBytes,
) -> Result<(ClusterRow, Identity), StartError> {
    let found = data_dir.identity(disk)?;
    let new_cluster = found.as_ref().map_or_else(|| new_id(random).to_string(), |found| found.cluster_id.clone());
    let cluster = catalog.cluster(&new_cluster).await?;
    if cluster.format_version > FORMAT_VERSION {
        return Err(StartError::NewerCatalog { found: cluster.format_version });
    }
    if let Some(found) = found.as_ref().filter(|found| found.cluster_id != cluster.cluster_id) {
        return Err(StartError::ForeignCluster { directory: found.cluster_id.clone(), catalog: cluster.cluster_id });
    }
    let known = catalog.broker(options.broker_id).await?;
    let known = known.and_then(|known| known.directory_ids.first().cloned());
    let is_known = found.as_ref().is_some_and(|found| known.as_ref() == Some(&found.directory_id));
    if let Some(known) = known.filter(|_| !is_known) {
        let found = found.as_ref().map_or_else(|| "empty".to_owned(), |found| found.directory_id.clone());
        if !options.settings.switch("tidelog.accept.data.loss") {
            return Err(StartError::ForeignDirectory { known, found });
        }
        tracing::warn!(known, found, "another data directory is accepted: what was only in the old one is given up");
    }
    let identity = match found {
        Some(found) => found,
        None => data_dir.claim(disk, &cluster.cluster_id, &new_id(random).to_string())?,
    };
    catalog.register_broker(options.broker_id, &identity.directory_id).await?;
    let cluster = catalog.raise_start_number().await?;
    tracing::info!(
        cluster = cluster.cluster_id,
        directory = identity.directory_id,
        start_number = cluster.start_number,
        path = %Path::new(data_dir.path()).display(),
        "broker starts"
    );
    Ok((cluster, identity))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn what_is_set_aside_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for expected in ["a-1", "a-1-2", "a-1-3"] {
            let free = free_name(&RealDisk, folder.path(), "a-1").unwrap();
            assert_eq!(free, folder.path().join(expected));
            std::fs::create_dir(free).unwrap();
        }
    }
}
