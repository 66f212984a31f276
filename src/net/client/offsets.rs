//! Which offsets a partition has.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};

use super::cluster::{KafkaClient, topic_name};
use super::error::{ClientError, KafkaError};
use super::fetch::{READ_COMMITTED, READ_UNCOMMITTED};

/// What an offset is asked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first that there is, in whichever tier.
    Earliest,
    /// The next that will be given.
    Latest,
    /// The end of what transactions have decided.
    LastStable,
    /// The first of the local tier.
    EarliestLocal,
    /// The last that is in the remote tier.
    LatestTiered,
    /// The first record at or after a time, in milliseconds since 1970.
    Timestamp(i64),
}

impl OffsetSpec {
    const fn wire(self) -> i64 {
        match self {
            Self::Latest | Self::LastStable => -1,
            Self::Earliest => -2,
            Self::EarliestLocal => -4,
            Self::LatestTiered => -5,
            Self::Timestamp(ms) => ms,
        }
    }

    /// The isolation level that is asked with.
    const fn isolation(self) -> i8 {
        match self {
            Self::LastStable => READ_COMMITTED,
            _ => READ_UNCOMMITTED,
        }
    }

    /// The version that first knows it.
    const fn since(self) -> i16 {
        match self {
            Self::LastStable => 2,
            Self::EarliestLocal => 8,
            Self::LatestTiered => 9,
            _ => 1,
        }
    }
}

/// How long a partition may be without a leader that answers.
const RETRY: Duration = Duration::from_secs(10);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

impl KafkaClient {
    /// The offset of each partition, from its leader; none where there is no such record. An older broker that does not
    /// know a `spec` answers with none too. Asking changes nothing, so it is tried again while leaders change.
    pub async fn offsets(
        &self,
        topic: &str,
        partitions: &[i32],
        spec: OffsetSpec,
    ) -> Result<BTreeMap<i32, Option<i64>>, ClientError> {
        let deadline = self.clock().monotonic() + RETRY;
        loop {
            match self.offsets_now(topic, partitions, spec).await {
                Err(ClientError::Refused(error)) if error.is_retriable() && !error.is_unknown_topic() => {
                    if self.clock().monotonic() >= deadline {
                        return Err(error.into());
                    }
                }
                Err(error @ ClientError::NoLeader { .. }) => {
                    if self.clock().monotonic() >= deadline {
                        return Err(error);
                    }
                }
                answered => return answered,
            }
            self.clock().sleep(PAUSE).await;
        }
    }

    async fn offsets_now(
        &self,
        topic: &str,
        partitions: &[i32],
        spec: OffsetSpec,
    ) -> Result<BTreeMap<i32, Option<i64>>, ClientError> {
        let metadata = self.metadata(Some(&[topic])).await?;
        let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for partition in partitions.iter().copied() {
            let leader = metadata.leader(topic, partition);
            let leader = leader.ok_or_else(|| ClientError::NoLeader { topic: topic.to_owned(), partition })?;
            by_leader.entry(leader).or_default().push(partition);
        }
        let mut offsets = BTreeMap::new();
        for (leader, partitions) in by_leader {
            let connection = self.broker(leader).await?;
            let version = connection.version::<ListOffsetsRequest>(10)?;
            if version < spec.since() {
                offsets.extend(partitions.into_iter().map(|partition| (partition, None)));
                continue;
            }
            let asked = partitions.iter().map(|partition| {
                ListOffsetsPartition::default().with_partition_index(*partition).with_timestamp(spec.wire())
            });
            let mut asked_topic = ListOffsetsTopic::default().with_name(topic_name(topic));
            asked_topic.partitions = asked.collect();
            let mut request = ListOffsetsRequest::default()
                .with_replica_id((-1).into())
                .with_isolation_level(spec.isolation())
                .with_topics(vec![asked_topic]);
            if version >= 10 {
                request.timeout_ms = 30_000;
            }
            let response = connection.call(&request, version, Duration::ZERO).await?;
            for answer in response.topics.iter().flat_map(|topic| &topic.partitions) {
                let partition = answer.partition_index;
                KafkaError::check(format!("{topic}-{partition}"), answer.error_code, None)?;
                offsets.insert(partition, (answer.offset >= 0).then_some(answer.offset));
            }
        }
        Ok(offsets)
    }
}
