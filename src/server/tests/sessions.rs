//! Headers, versions, order and bad frames, with handlers that belong to no broker.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, HeartbeatRequest, HeartbeatResponse, MetadataRequest,
    MetadataResponse,
};
use kafka_protocol::protocol::{Decodable, StrBytes};
use proptest::prelude::*;
use tokio::sync::Semaphore;

use super::wire::{Wire, frame_of};
use crate::clock::SystemClock;
use crate::server::dispatch::{Api, Call, Shared, Table, alone, at_once};
use crate::server::handlers::api_versions;
use crate::server::{Server, ServerOptions};

/// What the handlers work on: Heartbeat waits for a permit, Metadata says its throttle time at once.
struct Fake {
    permits: Arc<Semaphore>,
}

async fn heartbeat(call: Arc<Call<Fake>>, request: HeartbeatRequest) -> HeartbeatResponse {
    tokio::select! {
        permit = call.state().permits.acquire() => permit.unwrap().forget(),
        () = call.hurry.cancelled() => {}
    }
    HeartbeatResponse::default().with_throttle_time_ms(request.generation_id)
}

fn metadata(_call: &Call<Fake>, request: MetadataRequest) -> MetadataResponse {
    let topics = request.topics.map_or(-1, |topics| i32::try_from(topics.len()).unwrap());
    MetadataResponse::default().with_throttle_time_ms(topics)
}

fn fake() -> Arc<Shared<Fake>> {
    Arc::new(Shared {
        state: Arc::new(Fake { permits: Arc::new(Semaphore::new(0)) }),
        table: Table::new(vec![
            Api { key: ApiKey::Metadata, min: 3, max: 13, start: |call, body| at_once(call, body, metadata) },
            Api { key: ApiKey::Heartbeat, min: 0, max: 4, start: |call, body| alone(call, body, heartbeat) },
            Api {
                key: ApiKey::ApiVersions,
                min: 0,
                max: 4,
                start: |call, body| at_once(call, body, api_versions::handle),
            },
        ]),
    })
}

async fn serve(shared: &Arc<Shared<Fake>>) -> Server {
    let options = ServerOptions { listen: "127.0.0.1:0".to_owned(), ..ServerOptions::default() };
    Server::serve(options, Arc::clone(shared), SystemClock::shared()).await.unwrap()
}

#[tokio::test]
async fn the_table_is_what_api_versions_answers() {
    let server = serve(&fake()).await;
    let mut wire = Wire::connect(server.address()).await;
    for version in 0..=4 {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("a.b-c"))
            .with_client_software_version(StrBytes::from_static_str("1.0"));
        let response = wire.call(&request, version).await;
        let rows: Vec<_> =
            response.api_keys.iter().map(|row| (row.api_key, row.min_version, row.max_version)).collect();
        assert_eq!(rows, [(3, 3, 13), (12, 0, 4), (18, 0, 4)]);
    }
    let nameless = wire.call(&ApiVersionsRequest::default(), 3).await;
    assert_eq!(nameless.error_code, ResponseError::InvalidRequest.code());
}

#[tokio::test]
async fn a_version_of_the_future_is_told_the_present() {
    let server = serve(&fake()).await;
    let mut wire = Wire::connect(server.address()).await;
    wire.send_raw(&[0, 18, 0, 99, 0, 0, 0, 5, 0xff, 0xff, 7, 7, 7]).await;
    let mut frame = wire.receive_frame().await.unwrap();
    assert_eq!(&frame.split_to(4)[..], [0, 0, 0, 5]);
    let response = ApiVersionsResponse::decode(&mut frame, 0).unwrap();
    assert!(frame.is_empty());
    assert_eq!(response.error_code, ResponseError::UnsupportedVersion.code());
    assert_eq!((response.api_keys[0].api_key, response.api_keys[0].max_version), (18, 4));
    assert_eq!(wire.call(&ApiVersionsRequest::default(), 0).await.error_code, 0, "and may ask again");
}

#[tokio::test]
async fn a_request_that_waits_holds_back_those_behind_it() {
    let shared = fake();
    let server = serve(&shared).await;
    let mut wire = Wire::connect(server.address()).await;
    wire.send(&HeartbeatRequest::default().with_generation_id(7), 4).await;
    wire.send(&MetadataRequest::default().with_topics(None), 9).await;
    let mut byte = [0];
    assert!(futures::poll!(Box::pin(wire.stream.peek(&mut byte))).is_pending());
    shared.state.permits.add_permits(1);
    assert_eq!(wire.receive::<HeartbeatRequest>(4, 1).await.throttle_time_ms, 7);
    assert_eq!(wire.receive::<MetadataRequest>(9, 0).await.throttle_time_ms, -1);
}

#[tokio::test]
async fn what_is_not_served_closes_the_connection() {
    let shared = fake();
    let server = serve(&shared).await;
    let unknown_kind: &[u8] = &[0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
    let unserved_kind: &[u8] = &[0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff];
    let unknown_version: &[u8] = &[0, 3, 0, 2, 0, 0, 0, 1, 0xff, 0xff];
    let short: &[u8] = &[0, 3, 0, 9];
    let cut_header: &[u8] = &[0, 3, 0, 9, 0, 0, 0, 1, 0, 9, 1];
    let hostile_array: &[u8] = &[0, 3, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff];
    for bad in [unknown_kind, unserved_kind, unknown_version, short, cut_header, hostile_array] {
        let mut wire = Wire::connect(server.address()).await;
        wire.send_raw(bad).await;
        assert!(wire.receive_frame().await.is_none(), "{bad:?}");
    }
    let mut trailing = frame_of(&MetadataRequest::default(), 9, 1)[4..].to_vec();
    trailing.push(0);
    let mut wire = Wire::connect(server.address()).await;
    wire.send_raw(&trailing).await;
    assert!(wire.receive_frame().await.is_some(), "as Kafka, which reads no further than the request goes");
}

#[tokio::test]
async fn stopping_ends_waits_early_and_answers_them() {
    let shared = fake();
    let server = serve(&shared).await;
    let mut wire = Wire::connect(server.address()).await;
    wire.call(&MetadataRequest::default(), 9).await;
    wire.send(&HeartbeatRequest::default(), 4).await;
    server.stop(Duration::from_secs(60)).await;
    assert_eq!(shared.state.permits.available_permits(), 0);
}

/// A valid frame with a few bytes changed, or nothing but noise.
fn bad_frame() -> impl Strategy<Value = Vec<u8>> {
    let valid = prop_oneof![
        (3i16..=13).prop_map(|version| frame_of(&MetadataRequest::default(), version, 1)),
        (0i16..=4).prop_map(|version| frame_of(&HeartbeatRequest::default(), version, 1)),
        (0i16..=4).prop_map(|version| frame_of(&ApiVersionsRequest::default(), version, 1)),
    ];
    let changed = (valid, prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)).prop_map(
        |(frame, changes)| {
            let mut body = frame[4..].to_vec();
            for (at, byte) in changes {
                let at = at.index(body.len());
                body[at] = byte;
            }
            body
        },
    );
    prop_oneof![changed, prop::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn no_frame_stops_the_server(frames in prop::collection::vec(bad_frame(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let shared = fake();
            shared.state.permits.add_permits(1000);
            let server = serve(&shared).await;
            for frame in frames {
                let mut wire = Wire::connect(server.address()).await;
                wire.send_raw(&frame).await;
                wire.send_raw(&frame_of(&MetadataRequest::default(), 9, 1)[4..]).await;
                while wire.receive_frame().await.is_some_and(|reply| !reply.starts_with(&[0, 0, 0, 1])) {}
            }
            let mut honest = Wire::connect(server.address()).await;
            prop_assert_eq!(honest.call(&ApiVersionsRequest::default(), 0).await.error_code, 0);
            server.stop(Duration::from_secs(10)).await;
            Ok(())
        })?;
    }
}
