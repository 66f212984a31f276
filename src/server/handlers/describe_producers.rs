//! DescribeProducers: who writes to a partition, for those who look for hanging transactions.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use kafka_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse, ProducerId};

use super::wire::{NOT_HOSTED, text};
use crate::broker::Topic;
use crate::log::ActiveProducer;
use crate::model::TopicName;
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::{FrontEnd, find_topic};

/// Producers that one answer may hold, beyond those of its first partition.
const PRODUCERS_MAX: usize = 200_000;

/// Lists the producers that the partitions remember.
pub fn handle(call: &Call<FrontEnd>, request: DescribeProducersRequest) -> DescribeProducersResponse {
    let topics = call.state().topics();
    let mut held = 0;
    let mut responses = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let topic = match TopicName::parse(&asked.name) {
            Ok(_) => find_topic(&topics, &asked.name, None).map_err(|error| (error, Some(NOT_HOSTED.to_owned()))),
            Err(bad) => Err((bad.kafka(), Some(format!("Topic name is invalid: {bad}")))),
        };
        let partitions = asked.partition_indexes.iter().map(|number| {
            let response = PartitionResponse::default().with_partition_index(*number).with_error_message(None);
            match producers_of(&topic, *number, held) {
                Ok(producers) => {
                    held += producers.len();
                    response.with_active_producers(producers.iter().map(state_of).collect())
                }
                Err((error, message)) => response.with_error_code(error.code()).with_error_message(message.map(text)),
            }
        });
        let partitions = partitions.collect();
        responses.push(TopicResponse::default().with_name(asked.name).with_partitions(partitions));
    }
    DescribeProducersResponse::default().with_topics(responses)
}

/// An error and what is said about it: as in Kafka, nothing about a partition that is not there.
type Refusal = (ResponseError, Option<String>);

fn producers_of(
    topic: &Result<&Arc<Topic>, Refusal>,
    number: i32,
    held: usize,
) -> Result<Vec<ActiveProducer>, Refusal> {
    let topic = topic.as_ref().map_err(Clone::clone)?;
    let partition = topic.partition(number).ok_or((ResponseError::UnknownTopicOrPartition, None))?;
    if held > PRODUCERS_MAX {
        let message = "one answer cannot hold so many producers: ask for fewer partitions".to_owned();
        return Err((ResponseError::InvalidRequest, Some(message)));
    }
    Ok(partition.log().producers())
}

fn state_of(producer: &ActiveProducer) -> ProducerState {
    ProducerState::default()
        .with_producer_id(ProducerId(producer.producer_id.0))
        .with_producer_epoch(i32::from(producer.epoch))
        .with_last_sequence(producer.last_sequence)
        .with_last_timestamp(producer.last_timestamp_ms)
        .with_coordinator_epoch(producer.coordinator_epoch)
        .with_current_txn_start_offset(producer.transaction_start.map_or(-1, |offset| offset.get()))
}
