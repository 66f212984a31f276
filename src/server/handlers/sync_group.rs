//! SyncGroup: a member asks for its share, and waits for the leader's assignment; the leader brings it.

use std::sync::Arc;

use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::wire::text;
use crate::coordinator::group::{GroupError, SyncReply, SyncRequest};
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::FrontEnd;

/// From this version on kind and protocol are said, by both sides.
const PROTOCOL: i16 = 5;

/// Syncs.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: SyncGroupRequest) -> SyncGroupResponse {
    let says_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    if call.version >= PROTOCOL && !says_protocol {
        return answer(call.version, Err(GroupError::InconsistentGroupProtocol));
    }
    let group_id = request.group_id.clone();
    let syncing = call.state().broker.coordinator().sync(&group_id, asked(request));
    let reply = tokio::select! {
        biased;
        reply = syncing => reply,
        () = call.hurry.cancelled() => Err(GroupError::CoordinatorNotAvailable),
    };
    answer(call.version, reply)
}

fn asked(request: SyncGroupRequest) -> SyncRequest {
    let assignments = request.assignments.into_iter().map(|one| (one.member_id.to_string(), one.assignment));
    SyncRequest {
        member_id: request.member_id.to_string(),
        group_instance_id: request.group_instance_id.as_deref().map(str::to_owned),
        generation: request.generation_id,
        protocol_type: request.protocol_type.as_deref().map(str::to_owned),
        protocol_name: request.protocol_name.as_deref().map(str::to_owned),
        assignments: assignments.collect(),
    }
}

fn answer(version: i16, reply: SyncReply) -> SyncGroupResponse {
    let synced = match reply {
        Ok(synced) => synced,
        Err(error) => return SyncGroupResponse::default().with_error_code(error.kafka().code()),
    };
    let mut response = SyncGroupResponse::default().with_assignment(synced.assignment);
    if version >= PROTOCOL {
        response.protocol_type = synced.protocol_type.map(text);
        response.protocol_name = synced.protocol_name.map(text);
    }
    response
}
