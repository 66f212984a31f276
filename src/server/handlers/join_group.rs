//! JoinGroup: a member wants a place in the next generation of its group, and waits until that begins.

use std::sync::Arc;

use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use super::wire::text;
use crate::coordinator::group::{GroupError, JoinRefused, JoinReply, JoinRequest, Joined, Protocol};
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::FrontEnd;

/// Before this version a member may take as long to join again as it may be silent.
const REBALANCE_TIMEOUT: i16 = 1;
/// From this version on a new member is first given its id (KIP-394).
const MEMBER_ID_FIRST: i16 = 4;
/// From this version on the answer says what kind of group it is, and may lack a protocol.
const PROTOCOL_TYPE: i16 = 7;
/// From this version on a leader can be told not to assign anew.
const SKIP_ASSIGNMENT: i16 = 9;

/// Joins. Whoever goes away meanwhile is still a member, until its session ends.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: JoinGroupRequest) -> JoinGroupResponse {
    let member_id = request.member_id.to_string();
    let joining = call.state().broker.coordinator().join(&request.group_id, asked(&call, &request));
    let reply = tokio::select! {
        biased;
        reply = joining => reply,
        () = call.hurry.cancelled() => Err(JoinRefused { member_id, error: GroupError::CoordinatorNotAvailable }),
    };
    answer(call.version, reply)
}

fn asked(call: &Call<FrontEnd>, request: &JoinGroupRequest) -> JoinRequest {
    let rebalance_timeout_ms =
        if call.version >= REBALANCE_TIMEOUT { request.rebalance_timeout_ms } else { request.session_timeout_ms };
    let protocols =
        request.protocols.iter().map(|one| Protocol { name: one.name.to_string(), metadata: one.metadata.clone() });
    JoinRequest {
        member_id: request.member_id.to_string(),
        group_instance_id: request.group_instance_id.as_deref().map(str::to_owned),
        client_id: call.client_id.as_deref().unwrap_or_default().to_owned(),
        client_host: format!("/{}", call.peer.ip()),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms,
        protocol_type: request.protocol_type.to_string(),
        protocols: protocols.collect(),
        requires_member_id: call.version >= MEMBER_ID_FIRST,
        can_skip_assignment: call.version >= SKIP_ASSIGNMENT,
        reason: request.reason.as_deref().unwrap_or_default().to_owned(),
    }
}

fn answer(version: i16, reply: JoinReply) -> JoinGroupResponse {
    match reply {
        Ok(joined) => place(version, joined),
        Err(refused) => JoinGroupResponse::default()
            .with_error_code(refused.error.kafka().code())
            .with_generation_id(-1)
            .with_member_id(text(refused.member_id))
            .with_protocol_name((version < PROTOCOL_TYPE).then(|| text(""))),
    }
}

fn place(version: i16, joined: Joined) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(|member| {
        JoinGroupResponseMember::default()
            .with_member_id(text(member.member_id))
            .with_group_instance_id(member.group_instance_id.map(text))
            .with_metadata(member.metadata)
    });
    let protocol_name = match joined.protocol_name {
        None if version < PROTOCOL_TYPE => Some(String::new()),
        name => name,
    };
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type(joined.protocol_type.filter(|_| version >= PROTOCOL_TYPE).map(text))
        .with_protocol_name(protocol_name.map(text))
        .with_leader(text(joined.leader))
        .with_skip_assignment(joined.skip_assignment && version >= SKIP_ASSIGNMENT)
        .with_member_id(text(joined.member_id))
        .with_members(members.collect())
}
