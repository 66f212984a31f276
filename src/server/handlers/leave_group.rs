//! LeaveGroup: members go, or are taken out by an administrator.

use std::sync::Arc;

use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::wire::{code_of_error, text};
use crate::coordinator::group::Leaving;
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::FrontEnd;

/// From this version on several members may go at once, each with an outcome of its own.
const BATCHED: i16 = 3;

/// Takes them out.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let leaving = leaving(call.version, &request);
    let outcomes = match call.state().broker.coordinator().leave(&request.group_id, &leaving).await {
        Ok(outcomes) => outcomes,
        Err(error) => return LeaveGroupResponse::default().with_error_code(error.kafka().code()),
    };
    if call.version < BATCHED {
        let code = outcomes.first().map_or(0, code_of_error);
        return LeaveGroupResponse::default().with_error_code(code);
    }
    let members = leaving.into_iter().zip(outcomes).map(|(member, outcome)| {
        MemberResponse::default()
            .with_member_id(text(member.member_id))
            .with_group_instance_id(member.group_instance_id.map(text))
            .with_error_code(code_of_error(&outcome))
    });
    LeaveGroupResponse::default().with_members(members.collect())
}

fn leaving(version: i16, request: &LeaveGroupRequest) -> Vec<Leaving> {
    if version < BATCHED {
        return vec![Leaving { member_id: request.member_id.to_string(), group_instance_id: None }];
    }
    let members = request.members.iter().map(|member| Leaving {
        member_id: member.member_id.to_string(),
        group_instance_id: member.group_instance_id.as_deref().map(str::to_owned),
    });
    members.collect()
}
