//! FindCoordinator: who coordinates a group. Transactions are refused for good, so that nobody waits for them.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use super::wire::{node_id, text};
use crate::server::dispatch::Call;
use crate::server::front_end::FrontEnd;

/// From this version on many coordinators are asked for at once.
const BATCHED: i16 = 4;
/// From this version on errors come with a text.
const MESSAGES: i16 = 1;
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
/// Kafka's text for a request that makes no sense.
const INVALID: &str = "This most likely occurs because of a request being malformed by the client library or the message \
                       was sent to an incompatible broker. See the broker logs for more details.";

/// Names the coordinator: this broker.
pub fn handle(call: &Call<FrontEnd>, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let refusal = match request.key_type {
        GROUP => None,
        TRANSACTION => Some((ResponseError::TransactionalIdAuthorizationFailed, "transactions are not supported")),
        SHARE if call.version >= BATCHED => Some((ResponseError::InvalidRequest, "")),
        _ => Some((ResponseError::InvalidRequest, INVALID)),
    };
    let node = call.state().node();
    let (id, host, port) = match refusal {
        None => (node_id(&node), text(node.host), i32::from(node.port)),
        Some(_) => (BrokerId(-1), StrBytes::new(), -1),
    };
    let (code, message) = refusal.map_or((0, None), |(error, message)| (error.code(), Some(message)));
    if call.version >= BATCHED {
        let coordinators = request.coordinator_keys.into_iter().map(|key| {
            Coordinator::default()
                .with_key(key)
                .with_node_id(id)
                .with_host(host.clone())
                .with_port(port)
                .with_error_code(code)
                .with_error_message(Some(StrBytes::from_static_str(message.unwrap_or_default())))
        });
        return FindCoordinatorResponse::default().with_coordinators(coordinators.collect());
    }
    let mut response =
        FindCoordinatorResponse::default().with_error_code(code).with_node_id(id).with_host(host).with_port(port);
    if call.version >= MESSAGES {
        response.error_message = Some(StrBytes::from_static_str(message.unwrap_or("NONE")));
    }
    response
}
