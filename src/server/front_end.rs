//! What the handlers work on.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::fetch_session::FetchSessions;
use crate::broker::{Broker, Topic, Topics};
use crate::clock::Clock;
use crate::model::settings::BrokerSettings;
use crate::model::{BrokerId, TopicId};
use crate::net::Contention;
use crate::replication::Partition;

/// Who this broker says that it is.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its number.
    pub id: BrokerId,
    /// The cluster's id.
    pub cluster_id: String,
    /// The host that clients are told.
    pub host: String,
    /// The port that clients are told.
    pub port: u16,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// Bounds of a fetch that are the broker's.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// `fetch.max.bytes`.
    pub bytes_max: usize,
    /// `max.incremental.fetch.session.cache.slots`.
    pub sessions_max: usize,
    /// `remote.fetch.max.wait.ms`.
    pub remote_wait_max: Duration,
}

impl From<&BrokerSettings> for FetchLimits {
    fn from(settings: &BrokerSettings) -> Self {
        Self {
            bytes_max: settings.count("fetch.max.bytes"),
            sessions_max: settings.count("max.incremental.fetch.session.cache.slots"),
            remote_wait_max: Duration::from_millis(settings.number("remote.fetch.max.wait.ms").unsigned_abs()),
        }
    }
}

/// What the handlers work on.
#[derive(Debug)]
pub struct FrontEnd {
    pub(super) broker: Arc<Broker>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) fetch_limits: FetchLimits,
    pub(super) fetch_sessions: FetchSessions,
    /// Turns for batches that take long to look through: as many as there are cores.
    pub(super) unfolding: Arc<Semaphore>,
}

impl FrontEnd {
    /// A front end to this broker.
    pub fn new(broker: Arc<Broker>, fetch_limits: FetchLimits) -> Self {
        let clock = Arc::clone(broker.clock());
        let fetch_sessions = FetchSessions::new(fetch_limits.sessions_max, clock.now_ms().unsigned_abs());
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self { broker, clock, fetch_limits, fetch_sessions, unfolding: Arc::new(Semaphore::new(cores)) }
    }

    /// Whether somebody waits for memory that replies of the bucket's records hold.
    pub fn replies(&self) -> Contention {
        let tiers = Arc::clone(self.broker.tiers());
        Contention::told_by(move || tiers.replies_are_waited_for())
    }

    /// Who this broker is, as clients are told.
    pub(super) fn node(&self) -> Node {
        let advertised = self.broker.advertised();
        Node {
            id: self.broker.id(),
            cluster_id: self.broker.cluster_id().to_owned(),
            host: advertised.host.clone(),
            port: advertised.port,
            rack: self.broker.rack().map(str::to_owned),
        }
    }

    /// All topics now. One request looks once, so that its answers agree with each other.
    pub(super) fn topics(&self) -> Arc<Topics> {
        self.broker.topics()
    }
}

/// The topic that a request names, by id where its version has ids.
pub(super) fn find_topic<'a>(
    topics: &'a Topics,
    name: &str,
    id: Option<Uuid>,
) -> Result<&'a Arc<Topic>, ResponseError> {
    match id {
        Some(id) => topics.by_id(TopicId::from_uuid(id)).ok_or(ResponseError::UnknownTopicId),
        None => topics.by_name(name).ok_or(ResponseError::UnknownTopicOrPartition),
    }
}

/// The partition that a request names.
pub(super) fn find_partition<'a>(
    topic: &Result<&'a Arc<Topic>, ResponseError>,
    partition: i32,
) -> Result<&'a Arc<Partition>, ResponseError> {
    let topic: &'a Arc<Topic> = (*topic)?;
    topic.partition(partition).ok_or(ResponseError::UnknownTopicOrPartition)
}
