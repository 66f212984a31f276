//! DescribeCluster: the brokers of the cluster, for admin clients.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};

use super::wire::{CLUSTER_OPERATIONS, node_id, text};
use crate::server::dispatch::Call;
use crate::server::front_end::FrontEnd;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Describes this broker.
pub fn handle(call: &Call<FrontEnd>, request: DescribeClusterRequest) -> DescribeClusterResponse {
    let refused = |error: ResponseError, message: String| {
        DescribeClusterResponse::default().with_error_code(error.code()).with_error_message(Some(text(message)))
    };
    match request.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            return refused(
                ResponseError::MismatchedEndpointType,
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
                    .to_owned(),
            );
        }
        other => {
            return refused(ResponseError::UnsupportedEndpointType, format!("Unsupported endpoint type {other}"));
        }
    }
    let node = call.state().node();
    let mut response = DescribeClusterResponse::default()
        .with_error_message(None)
        .with_cluster_id(text(node.cluster_id.clone()))
        .with_controller_id(node_id(&node))
        .with_brokers(vec![
            DescribeClusterBroker::default()
                .with_broker_id(node_id(&node))
                .with_host(text(node.host.clone()))
                .with_port(i32::from(node.port))
                .with_rack(node.rack.clone().map(text)),
        ]);
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    response
}
