//! Heartbeat: a member lives, and learns whether its group goes on without it.

use std::sync::Arc;

use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::wire::code_of_error;
use crate::coordinator::group::Heartbeat;
use crate::server::dispatch::Call;
use crate::server::front_end::FrontEnd;

/// Notes it.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: HeartbeatRequest) -> HeartbeatResponse {
    let beat = Heartbeat {
        member_id: request.member_id.to_string(),
        group_instance_id: request.group_instance_id.as_deref().map(str::to_owned),
        generation: request.generation_id,
    };
    let alive = call.state().broker.coordinator().heartbeat(&request.group_id, &beat).await;
    HeartbeatResponse::default().with_error_code(code_of_error(&alive))
}
