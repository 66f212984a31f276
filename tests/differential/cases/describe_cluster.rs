//! DescribeCluster.

use serde_json::json;

use crate::peer::Peer;

/// Brokers, controllers, what a client may do.
pub fn all(peer: &mut Peer) {
    for operations in [false, true] {
        peer.step(&format!("operations {operations}"));
        peer.ask_all("DescribeCluster", &json!({ "includeClusterAuthorizedOperations": operations }));
    }
    for kind in [0, 1, 2, 3, -1] {
        peer.step(&format!("endpoints of type {kind}"));
        peer.ask_all("DescribeCluster", &json!({ "endpointType": kind }));
    }
    peer.step("fenced brokers too");
    peer.ask_all("DescribeCluster", &json!({ "includeFencedBrokers": true }));
}
