//! DeleteGroups: groups without members go, with all their offsets.

use std::collections::HashSet;
use std::sync::Arc;

use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use super::wire::code_of_error;
use crate::server::dispatch::Call;
use crate::server::front_end::FrontEnd;

/// Deletes each of them, once.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut seen = HashSet::new();
    let mut results = Vec::new();
    for group_id in request.groups_names {
        if seen.insert(group_id.clone()) {
            let deleted = call.state().broker.coordinator().delete_group(&group_id).await;
            let result = DeletableGroupResult::default().with_error_code(code_of_error(&deleted));
            results.push(result.with_group_id(group_id));
        }
    }
    DeleteGroupsResponse::default().with_results(results)
}
