//! Sending record batches.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};

use super::cluster::{KafkaClient, topic_name};
use super::connection::ClientConnection;
use super::error::{ClientError, KafkaError};

/// How long the broker may wait for replicas.
const REPLICAS_MS: i32 = 30_000;
const REPLICAS: Duration = Duration::from_secs(30);

/// What the broker says that a batch needs before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredAcks {
    /// Nothing is answered.
    None,
    /// The leader has it.
    Leader,
    /// Every replica in sync has it on stable storage.
    All,
}

impl RequiredAcks {
    const fn wire(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// An idempotent producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdentity {
    /// Its id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}

impl KafkaClient {
    /// An identity for an idempotent producer.
    pub async fn init_producer(&self) -> Result<ProducerIdentity, ClientError> {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(60_000)
            .with_producer_id((-1).into())
            .with_producer_epoch(-1);
        let response = self.ask_any(&request, 5).await?;
        KafkaError::check("a producer's id", response.error_code, None)?;
        Ok(ProducerIdentity { id: response.producer_id.0, epoch: response.producer_epoch })
    }
}

impl ClientConnection {
    /// Sends one batch to the partition that this broker leads; returns its base offset, −1 where nothing is answered.
    pub async fn produce(
        &self,
        topic: &str,
        partition: i32,
        batch: Bytes,
        acks: RequiredAcks,
    ) -> Result<i64, ClientError> {
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
        let topic_data = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(acks.wire())
            .with_timeout_ms(REPLICAS_MS)
            .with_topic_data(vec![topic_data]);
        let version = self.version::<ProduceRequest>(12)?;
        if acks == RequiredAcks::None {
            self.tell(&request, version).await?;
            return Ok(-1);
        }
        let response = self.call(&request, version, REPLICAS).await?;
        let answer = response.responses.iter().flat_map(|topic| &topic.partition_responses).next();
        let answer = answer.ok_or_else(|| ClientError::Undecodable {
            address: self.address().to_owned(),
            api: "Produce",
            reason: "it names no partition".to_owned(),
        })?;
        let said = answer.record_errors.iter().find_map(|record| record.batch_index_error_message.as_deref());
        let message = answer.error_message.as_deref().or(said);
        KafkaError::check(format!("{topic}-{partition}"), answer.error_code, message)?;
        Ok(answer.base_offset)
    }
}
