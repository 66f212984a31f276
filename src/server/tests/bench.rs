//! A front end over real partitions on a folder of its own.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{FetchRequest, ProduceRequest, TopicName as WireTopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::wire::Wire;
use crate::broker::{Registry, Topic};
use crate::clock::SystemClock;
use crate::disk::RealDisk;
use crate::log::{LogOptions, OpenFiles, PartitionLog};
use crate::model::{BrokerId, Codec, LeaderEpoch, Offset, TopicConfig, TopicId, TopicName, TopicPartition};
use crate::record::{BatchBuilder, BatchSpec};
use crate::replication::{LogDirHealth, Partition, PartitionParts, Syncer};
use crate::server::dispatch::Shared;
use crate::server::front_end::table;
use crate::server::{FetchLimits, FrontEnd, Node, Server, ServerOptions};

/// The id of a topic, by the number that it was made with.
pub fn id_of(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// A front end, listening.
pub struct Bench {
    pub server: Server,
    pub registry: Arc<Registry>,
    syncer: Arc<Syncer>,
    folder: tempfile::TempDir,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.syncer.close();
    }
}

impl Bench {
    /// One topic `orders` (id 1) of two partitions, led in epoch 3.
    pub async fn start() -> Self {
        let registry = Arc::new(Registry::default());
        let node = Node {
            id: BrokerId(7),
            cluster_id: "cluster-cluster-cluste".to_owned(),
            host: "broker.example".to_owned(),
            port: 9092,
            rack: Some("r1".to_owned()),
        };
        let clock = SystemClock::shared();
        let front_end = FrontEnd::new(Arc::clone(&registry), Arc::clone(&clock), node, FetchLimits::default());
        let shared = Arc::new(Shared { state: Arc::new(front_end), table: table() });
        let options = ServerOptions { listen: "127.0.0.1:0".to_owned(), ..ServerOptions::default() };
        let server = Server::serve(options, shared, clock).await.unwrap();
        let bench = Self { server, registry, syncer: Syncer::start(1).unwrap(), folder: tempfile::tempdir().unwrap() };
        bench.add_topic("orders", 1, 2, TopicConfig::default());
        bench
    }

    pub fn add_topic(&self, name: &str, id: u128, partitions: i32, config: TopicConfig) {
        let id = TopicId::from_uuid(id_of(id));
        let files = OpenFiles::new(Arc::new(RealDisk), 10);
        let (name, config) = (TopicName::parse(name).unwrap(), Arc::new(config));
        let partition = |number: i32| {
            let dir = self.folder.path().join(format!("{name}-{number}"));
            let (log, _) = PartitionLog::open(&files, &dir, LogOptions::from(config.as_ref()), None, 0).unwrap();
            Arc::new(Partition::lead(PartitionParts {
                topic: name.clone(),
                tp: TopicPartition::new(id, number),
                leader_epoch: LeaderEpoch::new(3),
                config: Arc::clone(&config),
                log: Arc::new(log),
                health: LogDirHealth::new(),
                syncer: Arc::clone(&self.syncer),
                clock: SystemClock::shared(),
            }))
        };
        let partitions = (0..partitions).map(partition).collect();
        let overrides = Arc::default();
        self.registry.publish([Arc::new(Topic {
            name: name.clone(),
            id,
            overrides,
            config: Arc::clone(&config),
            partitions,
        })]);
    }

    pub async fn connect(&self) -> Wire {
        Wire::connect(self.server.address()).await
    }
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
