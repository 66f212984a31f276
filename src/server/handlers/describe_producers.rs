//! DescribeProducers: who writes to a partition, for those who look for hanging transactions.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use kafka_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse, ProducerId};

use super::wire::{code_of, text};
use crate::log::ActiveProducer;
use crate::server::dispatch::Call;
use crate::server::front_end::{FrontEnd, find_partition, find_topic};

/// Lists the producers that the partitions remember.
pub fn handle(call: &Call<FrontEnd>, request: DescribeProducersRequest) -> DescribeProducersResponse {
    let topics = call.state().topics();
    let responses = request.topics.into_iter().map(|asked| {
        let topic = find_topic(&topics, &asked.name, None);
        let partitions = asked.partition_indexes.iter().map(|number| {
            let found = find_partition(&topic, *number);
            let producers = found.as_ref().map(|partition| partition.log().producers()).unwrap_or_default();
            PartitionResponse::default()
                .with_partition_index(*number)
                .with_error_code(code_of(&found))
                .with_error_message(found.err().map(|error: ResponseError| text(error.to_string())))
                .with_active_producers(producers.iter().map(state_of).collect())
        });
        let partitions = partitions.collect();
        TopicResponse::default().with_name(asked.name).with_partitions(partitions)
    });
    DescribeProducersResponse::default().with_topics(responses.collect())
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
