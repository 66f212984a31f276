//! A front end over a real broker in a folder of its own.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{FetchRequest, ProduceRequest, TopicName as WireTopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::wire::Wire;
use crate::broker::{Broker, BrokerOptions, BrokerParts, Endpoint, NewTopic};
use crate::clock::SystemClock;
use crate::disk::RealDisk;
use crate::model::settings::BrokerSettings;
use crate::model::{BrokerId, Codec, LeaderEpoch, Offset};
use crate::object_storage::{BucketOptions, FaultPlan, MemoryStore};
use crate::record::{BatchBuilder, BatchSpec};
use crate::server::api_table::table;
use crate::server::dispatch::Shared;
use crate::server::{FetchLimits, FrontEnd, Server, ServerOptions};

thread_local! {
    /// What the next id is made of: tests of this thread's broker name topics by number.
    static NEXT_ID: Cell<u128> = const { Cell::new(1) };
}

/// The id of a topic, by the number that it was made with.
pub fn id_of(number: u128) -> Uuid {
    uuid::Builder::from_random_bytes(number.to_be_bytes()).into_uuid()
}

fn next_id() -> [u8; 16] {
    NEXT_ID.replace(NEXT_ID.get() + 1).to_be_bytes()
}

/// A broker in a folder of its own, and a front end to it, listening.
pub struct Bench {
    pub server: Server,
    pub broker: Arc<Broker>,
    pub shared: Arc<Shared<FrontEnd>>,
    /// Faults of the bucket.
    pub plan: Arc<FaultPlan>,
    /// What the bucket holds.
    pub store: Arc<MemoryStore>,
    _folder: tempfile::TempDir,
}

impl Bench {
    /// One topic `orders` (id 1) of two partitions, led in epoch 1.
    pub async fn start() -> Self {
        Self::with_settings(&[]).await
    }

    /// The same, with settings of the broker.
    pub async fn with_settings(settings: &[(&str, &str)]) -> Self {
        Self::with_patience(settings, Duration::from_millis(100)).await
    }

    /// The same, over a bucket that is tried for so long.
    pub async fn with_patience(settings: &[(&str, &str)], patience: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (plan, store) = (FaultPlan::new(), Arc::new(MemoryStore::new()));
        let settings = pairs(&[("broker.rack", "r1")]).into_iter().chain(pairs(settings)).collect();
        let settings = BrokerSettings::new(settings).unwrap();
        let options = BrokerOptions {
            broker_id: BrokerId(7),
            data_dir: folder.path().join("data"),
            advertised: Endpoint { host: "broker.example".to_owned(), port: 9092 },
            catalog_url: format!("sqlite://{}", folder.path().join("catalog.db").display()),
            bucket_url: "memory://".to_owned(),
            bucket: bucket_options(&plan, patience),
            open_files_max: None,
            settings: settings.clone(),
        };
        let clock = SystemClock::shared();
        let start = async || {
            let mut parts = BrokerParts::new(RealDisk::shared(), Arc::clone(&clock), next_id);
            parts.store = Some(Arc::<MemoryStore>::clone(&store));
            Broker::start(options.clone(), parts).await.unwrap()
        };
        // Twice, so that there is an epoch before the present one.
        NEXT_ID.set(1_000_000);
        let first = start().await;
        create(&first, "orders", 1, 2, &[]).await;
        first.stop().await;
        drop(first);
        let broker = start().await;

        let front_end = FrontEnd::new(Arc::clone(&broker), FetchLimits::from(&settings));
        let (listen, replies) = ("127.0.0.1:0".to_owned(), front_end.replies());
        let options = ServerOptions { listen, replies, ..ServerOptions::from(&settings) };
        let shared = Arc::new(Shared { state: Arc::new(front_end), table: table() });
        let server = Server::serve(options, Arc::clone(&shared), clock).await.unwrap();
        Self { server, broker, shared, plan, store, _folder: folder }
    }

    pub async fn add_topic(&self, name: &str, id: u128, partitions: i32, configs: &[(&str, &str)]) {
        create(&self.broker, name, id, partitions, configs).await;
    }

    pub async fn connect(&self) -> Wire {
        Wire::connect(self.server.address()).await
    }
}

/// A bucket in memory that meets the faults of a plan.
fn bucket_options(plan: &Arc<FaultPlan>, patience: Duration) -> BucketOptions {
    let mut options = BucketOptions { faults: Some(Arc::clone(plan)), ..BucketOptions::default() };
    options.retry.read_deadline = patience;
    options
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn create(broker: &Arc<Broker>, name: &str, id: u128, partitions: i32, configs: &[(&str, &str)]) {
    NEXT_ID.set(id);
    let configs = pairs(configs);
    let wanted = NewTopic { name: name.to_owned(), partitions: Some(partitions), configs, ..NewTopic::default() };
    broker.create_topic(wanted, false).await.unwrap();
}

/// A batch of records with these values, as a producer sends it.
pub fn batch(values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, Codec::None));
    for (offset, value) in (0..).zip(values) {
        let timestamp_ms = 1_700_000_000_000 + offset;
        builder
            .push(Offset::new(offset), timestamp_ms, Some(b"k"), Some(value.as_bytes()), std::iter::empty())
            .unwrap();
    }
    builder.build().unwrap().bytes().clone()
}

pub fn topic(name: &str) -> WireTopicName {
    WireTopicName(StrBytes::from_string(name.to_owned()))
}

/// A produce request for partition 0 of `orders`.
pub fn produce(acks: i16, version: i16, batch: Bytes) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_index(0).with_records(Some(batch));
    let mut data = TopicProduceData::default().with_partition_data(vec![partition]);
    if version >= 13 {
        data.topic_id = id_of(1);
    } else {
        data.name = topic("orders");
    }
    ProduceRequest::default().with_acks(acks).with_timeout_ms(30_000).with_topic_data(vec![data])
}

/// A fetch of these partitions of `orders` from these offsets, without a session.
pub fn fetch(version: i16, from: &[(i32, i64)], max_wait_ms: i32) -> FetchRequest {
    let partitions = from
        .iter()
        .map(|(partition, offset)| {
            FetchPartition::default()
                .with_partition(*partition)
                .with_fetch_offset(*offset)
                .with_partition_max_bytes(1_000_000)
        })
        .collect();
    let mut wanted = FetchTopic::default().with_partitions(partitions);
    if version >= 13 {
        wanted.topic_id = id_of(1);
    } else {
        wanted.topic = topic("orders");
    }
    FetchRequest::default()
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(10_000_000)
        .with_session_epoch(-1)
        .with_topics(vec![wanted])
}
