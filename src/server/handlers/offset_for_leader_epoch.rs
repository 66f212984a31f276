//! OffsetForLeaderEpoch: where an epoch ended, so that a client finds out whether the log was cut under it (KIP-320).

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use super::wire::{code_of, epoch_of};
use crate::model::{LeaderEpoch, Offset};
use crate::replication::Partition;
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::{FrontEnd, find_partition, find_topic};

/// Answers from the epochs of each partition's log.
pub fn handle(call: &Call<FrontEnd>, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let topics = call.state().topics();
    let results = request.topics.into_iter().map(|asked| {
        let topic = find_topic(&topics, &asked.topic, None);
        let partitions = asked.partitions.iter().map(|one| {
            let found = find_partition(&topic, one.partition).and_then(|partition| end_of(partition, one));
            let mut response = EpochEndOffset::default()
                .with_partition(one.partition)
                .with_error_code(code_of(&found))
                .with_leader_epoch(-1)
                .with_end_offset(-1);
            if let Ok(Some((epoch, end))) = found {
                response.leader_epoch = epoch.get();
                response.end_offset = end.get();
            }
            response
        });
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult::default().with_topic(asked.topic).with_partitions(partitions)
    });
    OffsetForLeaderEpochResponse::default().with_topics(results.collect())
}

fn end_of(
    partition: &Arc<Partition>,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<(LeaderEpoch, Offset)>, ResponseError> {
    partition.check_epoch(epoch_of(asked.current_leader_epoch)).map_err(|error| error.kafka())?;
    let log = partition.log();
    Ok(epoch_of(asked.leader_epoch).and_then(|epoch| log.epochs().end_offset_for(epoch, log.log_end_offset())))
}
