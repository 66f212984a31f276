//! Collects records into batches and sends them, one batch of each partition under way while the next is filled.
//!
//! With `acks=all` the producer is idempotent where the cluster can do that: a batch that is sent again, because its
//! answer was lost, is not kept twice.
//!
//! # Retries
//! What may be better after a look at who leads is tried again, as long as [`Patience`] has it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::model::{Codec, LeaderEpoch, Offset, ProducerId};
use crate::net::client::produce::{ProducerIdentity, RequiredAcks};
use crate::net::client::{ClientError, KafkaClient};
use crate::record::{BatchBuilder, BatchSpec};

use super::connecting;
use super::outcome::Failure;
use super::patience::Patience;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// How records are sent.
#[derive(Clone, Copy, Debug)]
pub struct SendingOptions {
    /// What is waited for.
    pub acks: RequiredAcks,
    /// How batches are packed.
    pub codec: Codec,
    /// At which size a batch is sent.
    pub batch_bytes: usize,
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Its timestamp.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: &'a [(String, Vec<u8>)],
}

/// Sends records to one topic.
#[derive(Debug)]
pub struct Sending {
    client: Arc<KafkaClient>,
    patience: Arc<Patience>,
    topic: Arc<str>,
    options: SendingOptions,
    identity: Option<ProducerIdentity>,
    partitions: Vec<SendingPartition>,
}

#[derive(Debug)]
struct SendingPartition {
    number: i32,
    leader: i32,
    builder: BatchBuilder,
    sequence: i32,
    under_way: Option<UnderWay>,
    /// Records that are answered for.
    answered: u64,
}

/// A batch that is not answered yet.
#[derive(Debug)]
struct UnderWay {
    sending: JoinHandle<Result<i64, ClientError>>,
    records: usize,
}

impl Sending {
    /// Begins; the topic must be there.
    pub async fn start(client: Arc<KafkaClient>, topic: &str, options: SendingOptions) -> Result<Self, Failure> {
        let (_, metadata) = connecting::topic(&client, topic).await?;
        let identity = match options.acks {
            RequiredAcks::All => match client.init_producer().await {
                Ok(identity) => Some(identity),
                Err(ClientError::Unsupported { .. }) => None,
                Err(error) => return Err(error.into()),
            },
            RequiredAcks::None | RequiredAcks::Leader => None,
        };
        let partitions = metadata.partitions.iter().map(|(number, partition)| SendingPartition {
            number: *number,
            leader: partition.leader,
            builder: builder(options.codec, identity, 0),
            sequence: 0,
            under_way: None,
            answered: 0,
        });
        let partitions = partitions.collect();
        let patience = Patience::of(&client);
        Ok(Self { client, patience, topic: Arc::from(topic), options, identity, partitions })
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> usize {
        self.partitions.len()
    }

    /// How many records are answered for, of those whose acknowledgement is waited for.
    pub fn acknowledged(&self) -> Option<u64> {
        let all = || self.partitions.iter().map(|partition| partition.answered).sum();
        (self.options.acks != RequiredAcks::None).then(all)
    }

    /// Adds a record to the `index`-th partition; waits only where that partition's batch is full and the one before it
    /// is still under way.
    pub async fn push(&mut self, index: usize, record: Outgoing<'_>) -> Result<(), Failure> {
        let full = self.partitions.get(index).is_some_and(|partition| {
            let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
            !partition.builder.is_empty() && partition.builder.size_bytes() + size > self.options.batch_bytes
        });
        if full {
            self.send(index).await?;
        }
        let partition = self.partitions.get_mut(index).ok_or_else(|| Failure::failed("there is no such partition"))?;
        let offset = Offset::new(i64::try_from(partition.builder.len()).unwrap_or(i64::MAX));
        let headers = record.headers.iter().map(|(name, value)| (name.as_str(), Some(value.as_slice())));
        partition
            .builder
            .push(offset, record.timestamp_ms, record.key, record.value, headers)
            .map_err(|_| Failure::failed("a record is larger than a batch can be"))
    }

    /// Sends what was collected, of every partition, and waits until all of it is answered.
    pub async fn flush(&mut self) -> Result<(), Failure> {
        for index in 0..self.partitions.len() {
            self.send(index).await?;
        }
        for partition in &mut self.partitions {
            partition.answered().await?;
        }
        Ok(())
    }

    /// The same, at the end: what is not answered has been read by its broker.
    pub async fn finish(&mut self) -> Result<(), Failure> {
        self.flush().await?;
        if self.options.acks == RequiredAcks::None {
            let leaders: BTreeSet<i32> = self.partitions.iter().map(|partition| partition.leader).collect();
            for leader in leaders.into_iter().filter(|leader| *leader >= 0) {
                self.client.broker(leader).await?.heard().await?;
            }
        }
        Ok(())
    }

    /// Sends what was collected for one partition, once the batch before it is answered.
    async fn send(&mut self, index: usize) -> Result<(), Failure> {
        let Some(partition) = self.partitions.get_mut(index).filter(|partition| !partition.builder.is_empty()) else {
            return Ok(());
        };
        partition.answered().await?;
        let count = partition.builder.len();
        let sequence = next_sequence(partition.sequence, count);
        let fresh = builder(self.options.codec, self.identity, sequence);
        let batch = std::mem::replace(&mut partition.builder, fresh).build().map_err(Failure::failed)?;
        partition.sequence = sequence;
        let attempt = Attempt {
            client: Arc::clone(&self.client),
            patience: Arc::clone(&self.patience),
            topic: Arc::clone(&self.topic),
            partition: partition.number,
            leader: partition.leader,
            batch: batch.bytes().clone(),
            acks: self.options.acks,
            may_repeat: self.identity.is_some(),
        };
        partition.under_way = Some(UnderWay { sending: tokio::spawn(attempt.run()), records: count });
        Ok(())
    }
}

impl SendingPartition {
    async fn answered(&mut self) -> Result<(), Failure> {
        if let Some(UnderWay { sending, records }) = self.under_way.take() {
            sending.await.map_err(Failure::failed)??;
            self.answered = self.answered.saturating_add(u64::try_from(records).unwrap_or(0));
        }
        Ok(())
    }
}

impl Drop for SendingPartition {
    fn drop(&mut self) {
        if let Some(under_way) = &self.under_way {
            under_way.sending.abort();
        }
    }
}

fn builder(codec: Codec, identity: Option<ProducerIdentity>, sequence: i32) -> BatchBuilder {
    let producer = identity.map(|identity| (ProducerId(identity.id), identity.epoch, sequence));
    BatchBuilder::new(BatchSpec { producer, ..BatchSpec::plain(Offset::ZERO, LeaderEpoch::ZERO, codec) })
}

/// Sequence numbers begin anew behind the greatest.
fn next_sequence(sequence: i32, count: usize) -> i32 {
    let next = i64::from(sequence) + i64::try_from(count).unwrap_or(0);
    i32::try_from(next % (i64::from(i32::MAX) + 1)).unwrap_or(0)
}

/// One batch on its way.
struct Attempt {
    client: Arc<KafkaClient>,
    patience: Arc<Patience>,
    topic: Arc<str>,
    partition: i32,
    leader: i32,
    batch: Bytes,
    acks: RequiredAcks,
    /// Whether a batch that was perhaps kept may be sent again.
    may_repeat: bool,
}

impl Attempt {
    async fn run(mut self) -> Result<i64, ClientError> {
        let clock = Arc::clone(self.client.clock());
        let since = clock.monotonic();
        loop {
            let error = match self.once().await {
                Ok(offset) => {
                    self.patience.answered();
                    return Ok(offset);
                }
                Err(error) => error,
            };
            let may_be_kept = matches!(error, ClientError::TimedOut { .. } | ClientError::Closed { .. });
            if !error.is_retriable() || (may_be_kept && !self.may_repeat) || !self.patience.bears(since, &error) {
                return Err(error);
            }
            clock.sleep(PAUSE).await;
            if let Ok(metadata) = self.client.metadata(Some(&[&*self.topic])).await {
                self.leader = metadata.leader(&self.topic, self.partition).unwrap_or(-1);
            }
        }
    }

    async fn once(&self) -> Result<i64, ClientError> {
        let (topic, partition) = (&*self.topic, self.partition);
        if self.leader < 0 {
            return Err(ClientError::NoLeader { topic: topic.to_owned(), partition });
        }
        let connection = self.client.broker(self.leader).await?;
        connection.produce(topic, partition, self.batch.clone(), self.acks).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_begin_anew_behind_the_greatest() {
        assert_eq!(next_sequence(0, 3), 3);
        assert_eq!(next_sequence(i32::MAX, 1), 0);
        assert_eq!(next_sequence(i32::MAX - 1, 5), 3);
    }
}
