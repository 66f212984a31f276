//! DeleteTopics: deletes topics, by name or by id.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{StreamExt as _, iter};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName as WireTopicName};
use uuid::Uuid;

use super::wire::{NOT_HOSTED, text};
use crate::broker::Topics;
use crate::model::TopicId;
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::FrontEnd;

/// From this version on topics may be named by id, and the answer names both.
const TOPIC_IDS: i16 = 6;
/// From this version on errors come with a text.
const MESSAGES: i16 = 5;
/// From this version on there is a code for brokers that delete nothing.
const DISABLED: i16 = 3;

/// Topics of one request that are on their way out at once.
const SIDE_BY_SIDE: usize = 64;

/// One topic as it was named, or as it is known.
#[derive(Clone, Debug, Default)]
struct Asked {
    name: Option<WireTopicName>,
    id: Uuid,
}

/// An error and what is said about it.
type Refusal = (ResponseError, String);

/// Deletes topics. Those that are named twice stay.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let asked: Vec<Asked> = if call.version >= TOPIC_IDS {
        request.topics.into_iter().map(|topic| Asked { name: topic.name, id: topic.topic_id }).collect()
    } else {
        request.topic_names.into_iter().map(|name| Asked { name: Some(name), ..Asked::default() }).collect()
    };
    let broker = &call.state().broker;
    if !broker.may_delete_topics() {
        let disabled =
            if call.version >= DISABLED { ResponseError::TopicDeletionDisabled } else { ResponseError::InvalidRequest };
        let refused = |asked| answer(call.version, asked, Err((disabled, "Topic deletion is disabled.".to_owned())));
        return DeleteTopicsResponse::default().with_responses(asked.into_iter().map(refused).collect());
    }
    let mut deleting = Vec::with_capacity(asked.len());
    for (asked, found) in judged(&call.state().topics(), asked) {
        let (broker, version) = (Arc::clone(broker), call.version);
        deleting.push(async move {
            let deleted = match found {
                Ok(id) => broker.delete_topic(id).await.map_err(|error| (error.kafka(), error.to_string())),
                Err(refusal) => Err(refusal),
            };
            answer(version, asked, deleted)
        });
    }
    // The changes go one at a time; what the bucket is told of them does not.
    let responses = iter(deleting).buffered(SIDE_BY_SIDE).collect().await;
    DeleteTopicsResponse::default().with_responses(responses)
}

/// Each topic that is named, once, with its id or why it is not to be deleted. As in Kafka.
fn judged(topics: &Topics, asked: Vec<Asked>) -> Vec<(Asked, Result<TopicId, Refusal>)> {
    let mut judged = Vec::with_capacity(asked.len());
    let mut names: BTreeMap<WireTopicName, usize> = BTreeMap::new();
    let mut ids: BTreeMap<Uuid, usize> = BTreeMap::new();
    for one in asked {
        match (&one.name, one.id.is_nil()) {
            (None, true) => judged.push((one, invalid("Neither topic name nor id were specified."))),
            (Some(_), false) => judged.push((one, invalid("You may not specify both topic name and topic id."))),
            (Some(name), true) => *names.entry(name.clone()).or_default() += 1,
            (None, false) => *ids.entry(one.id).or_default() += 1,
        }
    }
    for (name, times) in names {
        let mut one = Asked { name: Some(name.clone()), ..Asked::default() };
        let found = match topics.by_name(&name) {
            _ if times > 1 => invalid("Duplicate topic name."),
            None => refused(ResponseError::UnknownTopicOrPartition, NOT_HOSTED),
            Some(topic) => {
                one.id = topic.id.uuid();
                match ids.remove(&one.id) {
                    Some(_) => invalid("The provided topic name maps to an ID that was already supplied."),
                    None => Ok(topic.id),
                }
            }
        };
        judged.push((one, found));
    }
    for (id, times) in ids {
        let mut one = Asked { name: None, id };
        let found = match topics.by_id(TopicId::from_uuid(id)) {
            _ if times > 1 => invalid("Duplicate topic id."),
            None => refused(ResponseError::UnknownTopicId, "This server does not host this topic ID."),
            Some(topic) => {
                one.name = Some(WireTopicName(text(topic.name.as_str())));
                Ok(topic.id)
            }
        };
        judged.push((one, found));
    }
    judged
}

fn refused(error: ResponseError, message: &str) -> Result<TopicId, Refusal> {
    Err((error, message.to_owned()))
}

fn invalid(message: &str) -> Result<TopicId, Refusal> {
    refused(ResponseError::InvalidRequest, message)
}

fn answer(version: i16, asked: Asked, deleted: Result<(), Refusal>) -> DeletableTopicResult {
    let mut response = DeletableTopicResult::default().with_name(asked.name).with_error_message(None);
    if version >= TOPIC_IDS {
        response.topic_id = asked.id;
    }
    if let Err((error, message)) = deleted {
        response.error_code = error.code();
        if version >= MESSAGES {
            response.error_message = Some(text(message));
        }
    }
    response
}
