//! DescribeGroups: what groups look like, member by member.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};
use kafka_protocol::protocol::StrBytes;

use super::wire::{GROUP_OPERATIONS, NOT_ASKED, text};
use crate::coordinator::group::{GroupDescription, GroupState, MemberDescription};
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::FrontEnd;

/// From this version on a group that does not exist is an error.
const NOT_FOUND: i16 = 6;

/// Describes each of them.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    let mut groups = Vec::with_capacity(request.groups.len());
    for group_id in request.groups {
        let mut group = match call.state().broker.coordinator().describe(&group_id).await {
            Ok(Some(found)) => described(found),
            Ok(None) => missing(call.version, &group_id),
            Err(error) => DescribedGroup::default().with_error_code(error.kafka().code()),
        };
        group.authorized_operations =
            if request.include_authorized_operations && group.error_code == 0 { GROUP_OPERATIONS } else { NOT_ASKED };
        groups.push(group.with_group_id(group_id));
    }
    DescribeGroupsResponse::default().with_groups(groups)
}

fn missing(version: i16, group_id: &GroupId) -> DescribedGroup {
    let group = DescribedGroup::default().with_group_state(StrBytes::from_static_str(GroupState::Dead.name()));
    if version < NOT_FOUND {
        return group;
    }
    group
        .with_error_code(ResponseError::GroupIdNotFound.code())
        .with_error_message(Some(text(format!("Group {} not found.", group_id.as_str()))))
}

fn described(group: GroupDescription) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_state(StrBytes::from_static_str(group.state.name()))
        .with_protocol_type(text(group.protocol_type))
        .with_protocol_data(text(group.protocol_name))
        .with_members(group.members.into_iter().map(member).collect())
}

fn member(member: MemberDescription) -> DescribedGroupMember {
    DescribedGroupMember::default()
        .with_member_id(text(member.member_id))
        .with_group_instance_id(member.group_instance_id.map(text))
        .with_client_id(text(member.client_id))
        .with_client_host(text(member.client_host))
        .with_member_metadata(member.metadata)
        .with_member_assignment(member.assignment)
}
