//! The broker: what its rooms share, and the parts that the operations in the files beside this one work on.
//!
//! Invariant: topics change one at a time, under `changing`; the catalog commits first, the registry follows. Where it is
//! not known what was committed there is a `doubt`, and the registry is brought to what the catalog says.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalog::{Catalog, ClusterRow};
use crate::clock::Clock;
use crate::coordinator::Coordinator;
use crate::disk::Disk;
use crate::log::OpenFiles;
use crate::model::settings::BrokerSettings;
use crate::model::{BrokerId, TopicId, TopicName};
use crate::replication::{Leadership, LogDirHealth, Partition, Syncer};
use crate::tiering::Tiers;

use super::data_dir::{DataDir, Identity};
use super::delete_topics::Undone;
use super::follow_catalog::Doubt;
use super::ids::RandomBytes;
use super::options::{BrokerOptions, Endpoint};
use super::producer_ids::ProducerIds;
use super::registry::{Registry, Topics};

/// A broker that runs.
#[derive(Debug)]
pub struct Broker {
    pub(super) options: BrokerOptions,
    pub(super) advertised: ArcSwap<Endpoint>,
    pub(super) settings: ArcSwap<BrokerSettings>,
    pub(super) cluster: ClusterRow,
    pub(super) identity: Identity,
    pub(super) data_dir: DataDir,
    pub(super) catalog: Catalog,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: RandomBytes,
    pub(super) files: Arc<OpenFiles>,
    pub(super) syncer: Arc<Syncer>,
    pub(super) health: Arc<LogDirHealth>,
    pub(super) leadership: Leadership,
    pub(super) registry: Registry,
    pub(super) tiers: Arc<Tiers>,
    pub(super) changing: Arc<Mutex<()>>,
    pub(super) doubt: Doubt,
    pub(super) undone: Undone,
    pub(super) producer_ids: ProducerIds,
    pub(super) coordinator: Arc<Coordinator>,
    pub(super) tasks: TaskTracker,
    pub(super) stopping: CancellationToken,
}

impl Broker {
    /// Its number.
    pub fn id(&self) -> BrokerId {
        self.options.broker_id
    }

    /// The cluster's id, 22 characters.
    pub fn cluster_id(&self) -> &str {
        &self.cluster.cluster_id
    }

    /// The data directory's id, 22 characters.
    pub fn directory_id(&self) -> &str {
        &self.identity.directory_id
    }

    /// Where clients reach it.
    pub fn advertised(&self) -> Arc<Endpoint> {
        self.advertised.load_full()
    }

    /// Tells clients another address: the real port, where the front end was asked for any.
    pub fn set_advertised(&self, endpoint: Endpoint) {
        self.advertised.store(Arc::new(endpoint));
    }

    /// `broker.rack`.
    pub fn rack(&self) -> Option<&str> {
        self.options.rack()
    }

    /// The broker's settings as they are now.
    pub fn settings(&self) -> Arc<BrokerSettings> {
        self.settings.load_full()
    }

    /// All topics now.
    pub fn topics(&self) -> Arc<Topics> {
        self.registry.topics()
    }

    /// What is in the bucket.
    pub fn tiers(&self) -> &Arc<Tiers> {
        &self.tiers
    }

    /// `--bucket`.
    pub fn bucket_url(&self) -> &str {
        &self.options.bucket_url
    }

    /// The partition, by name.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<Arc<Partition>> {
        self.topics().by_name(topic)?.partition(partition).cloned()
    }

    /// Who coordinates groups.
    pub fn coordinator(&self) -> &Arc<Coordinator> {
        &self.coordinator
    }

    /// What time it is.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Whether this broker may lead.
    pub fn leadership(&self) -> &Leadership {
        &self.leadership
    }

    /// Why no client is served any more though the process runs, if so. Only a restart helps.
    pub fn failure(&self) -> Option<String> {
        if !self.leadership.is_held() {
            return Some("the catalog's lock is lost".to_owned());
        }
        self.health.failure().map(|reason| format!("the log directory is offline: {reason}"))
    }

    /// Whether the log directory is healthy.
    pub fn log_dir_health(&self) -> &Arc<LogDirHealth> {
        &self.health
    }

    /// Where the logs lie.
    pub fn log_dir(&self) -> PathBuf {
        self.data_dir.path().to_owned()
    }

    /// Bytes of the disk that holds the logs: what is free.
    pub fn free_bytes(&self) -> std::io::Result<u64> {
        self.disk.free_bytes(self.data_dir.path())
    }

    /// Bytes of that disk.
    pub fn total_bytes(&self) -> std::io::Result<u64> {
        self.disk.total_bytes(self.data_dir.path())
    }

    /// Cancelled when the broker begins to stop.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    pub(super) fn partition_dir(&self, name: &TopicName, id: TopicId, partition: i32) -> PathBuf {
        self.topic_dir(name, id).join(partition.to_string())
    }

    pub(super) fn topic_dir(&self, name: &TopicName, id: TopicId) -> PathBuf {
        self.data_dir.topics().join(name.as_str()).join(id.to_string())
    }
}
