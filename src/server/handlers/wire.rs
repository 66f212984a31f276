//! The wire's numbers as the broker's values: where several requests spell a thing in the same way.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::BrokerId as WireBrokerId;
use kafka_protocol::protocol::StrBytes;

use crate::model::LeaderEpoch;
use crate::replication::Isolation;
use crate::server::errors::KafkaError;
use crate::server::front_end::Node;

/// What a client may do with a topic where nobody is refused anything, as Kafka spells it: read, write, create, delete,
/// alter, describe, describe configs, alter configs.
pub const TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
/// The same for the cluster: create, alter, describe, cluster action, describe configs, alter configs, idempotent write.
pub const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;

/// The same for a group: read, delete, describe, describe configs, alter configs.
pub const GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;
/// Where nobody asked what a client may do.
pub const NOT_ASKED: i32 = i32::MIN;

/// Kafka's words for a request that it cannot have been meant to answer.
pub const MALFORMED: &str = "This most likely occurs because of a request being malformed by the client library or the \
                             message was sent to an incompatible broker. See the broker logs for more details.";

/// Kafka's words for a topic or partition that is not there.
pub const NOT_HOSTED: &str = "This server does not host this topic-partition.";

/// An epoch, where a client has one. Only -1 stands for none: what is less is an epoch before all others.
pub fn epoch_of(number: i32) -> Option<LeaderEpoch> {
    (number != -1).then(|| LeaderEpoch::new(number))
}

/// `isolation.level`, if there is one of that number.
pub fn isolation_of(level: i8) -> Option<Isolation> {
    match level {
        0 => Some(Isolation::ReadUncommitted),
        1 => Some(Isolation::ReadCommitted),
        _ => None,
    }
}

/// A text on the wire.
pub fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

/// A broker's number on the wire.
pub fn node_id(node: &Node) -> WireBrokerId {
    WireBrokerId(node.id.0)
}

/// The code of an outcome.
pub fn code_of<T>(outcome: &Result<T, ResponseError>) -> i16 {
    outcome.as_ref().err().map_or(0, ResponseError::code)
}

/// The code of an outcome whose error is one of the rooms below.
pub fn code_of_error<T, E: KafkaError>(outcome: &Result<T, E>) -> i16 {
    outcome.as_ref().err().map_or(0, |error| error.kafka().code())
}
