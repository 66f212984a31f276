//! ListGroups: which groups there are.

use std::sync::Arc;

use kafka_protocol::messages::list_groups_response::ListedGroup as WireListedGroup;
use kafka_protocol::messages::{GroupId, ListGroupsRequest, ListGroupsResponse};
use kafka_protocol::protocol::StrBytes;

use super::wire::text;
use crate::coordinator::group::ListedGroup;
use crate::server::dispatch::Call;
use crate::server::errors::KafkaError;
use crate::server::front_end::FrontEnd;

/// From this version on the answer says in which state a group is.
const STATES: i16 = 4;
/// From this version on it says by which protocol a group works.
const TYPES: i16 = 5;

/// Lists those that are in one of the states and of one of the types that are asked for, if any are.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: ListGroupsRequest) -> ListGroupsResponse {
    let groups = match call.state().broker.coordinator().list().await {
        Ok(groups) => groups,
        Err(error) => return ListGroupsResponse::default().with_error_code(error.kafka().code()),
    };
    let wanted = groups.into_iter().filter(|group| {
        passes(&request.states_filter, group.state.name()) && passes(&request.types_filter, group.group_type)
    });
    ListGroupsResponse::default().with_groups(wanted.map(|group| listed(call.version, group)).collect())
}

fn passes(filter: &[StrBytes], word: &str) -> bool {
    filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(word))
}

fn listed(version: i16, group: ListedGroup) -> WireListedGroup {
    let mut listed = WireListedGroup::default()
        .with_group_id(GroupId(text(group.group_id)))
        .with_protocol_type(text(group.protocol_type));
    if version >= STATES {
        listed.group_state = StrBytes::from_static_str(group.state.name());
    }
    if version >= TYPES {
        listed.group_type = StrBytes::from_static_str(group.group_type);
    }
    listed
}
