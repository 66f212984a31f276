//! CreatePartitions: gives topics more partitions, or says which could get them.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse, TopicName as WireTopicName};

use super::create_topics::repeated;
use super::wire::text;
use crate::broker::{CreatePartitionsError, MorePartitions};
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::FrontEnd;

/// Adds partitions. Topics that are named twice get none.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let repeated = repeated(request.topics.iter().map(|topic| topic.name.as_str()));
    let mut results: Vec<_> = repeated
        .iter()
        .map(|name| {
            result(WireTopicName(text(name.as_str())))
                .with_error_code(ResponseError::InvalidRequest.code())
                .with_error_message(Some(text("Duplicate topic name.")))
        })
        .collect();
    let (mut names, mut wanted) = (Vec::new(), Vec::new());
    for topic in request.topics.into_iter().filter(|topic| !repeated.contains(topic.name.as_str())) {
        let brokers = |one: &kafka_protocol::messages::create_partitions_request::CreatePartitionsAssignment| {
            one.broker_ids.iter().map(|broker| broker.0).collect()
        };
        wanted.push(MorePartitions {
            name: topic.name.to_string(),
            count: topic.count,
            assignments: topic.assignments.map(|assignments| assignments.iter().map(brokers).collect()),
        });
        names.push(topic.name);
    }
    let added = call.state().broker.create_partitions(wanted, request.validate_only).await;
    results.extend(names.into_iter().zip(added).map(|(name, added)| match added {
        Ok(()) => result(name),
        // As Kafka, without a text.
        Err(error @ CreatePartitionsError::Unknown) => result(name).with_error_code(error.kafka().code()),
        Err(error) => {
            result(name).with_error_code(error.kafka().code()).with_error_message(Some(text(error.to_string())))
        }
    }));
    CreatePartitionsResponse::default().with_results(results)
}

fn result(name: WireTopicName) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult::default().with_name(name).with_error_message(None)
}
