//! A client against a socket that answers by hand.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse, HeartbeatRequest, HeartbeatResponse, MetadataRequest};
use kafka_protocol::protocol::Encodable;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::clock::{Clock, ManualClock, SystemClock};

/// The other side: takes one connection.
struct Peer {
    listener: TcpListener,
}

/// A request as the other side sees it.
struct Asked {
    api: i16,
    version: i16,
    id: i32,
}

impl Peer {
    async fn listen() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    async fn accept(&self) -> Link {
        Link { stream: self.listener.accept().await.unwrap().0 }
    }
}

struct Link {
    stream: TcpStream,
}

impl Link {
    async fn asked(&mut self) -> Asked {
        let length = self.stream.read_i32().await.unwrap();
        let mut frame = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut frame).await.unwrap();
        let mut frame = Bytes::from(frame);
        Asked { api: frame.get_i16(), version: frame.get_i16(), id: frame.get_i32() }
    }

    async fn answer(&mut self, id: i32, flexible: bool, message: &impl Encodable, version: i16) {
        let mut body = BytesMut::new();
        body.put_i32(id);
        if flexible {
            body.put_u8(0);
        }
        message.encode(&mut body, version).unwrap();
        self.stream.write_i32(i32::try_from(body.len()).unwrap()).await.unwrap();
        self.stream.write_all(&body).await.unwrap();
    }

    async fn serve_versions(&mut self, served: &[(ApiKey, i16, i16)]) {
        let asked = self.asked().await;
        assert_eq!((asked.api, asked.version), (ApiKey::ApiVersions as i16, 3));
        self.answer(asked.id, false, &versions(served, 0), 3).await;
    }
}

fn versions(served: &[(ApiKey, i16, i16)], error_code: i16) -> ApiVersionsResponse {
    let rows = served.iter().map(|(key, min, max)| {
        ApiVersion::default().with_api_key(*key as i16).with_min_version(*min).with_max_version(*max)
    });
    ApiVersionsResponse::default().with_error_code(error_code).with_api_keys(rows.collect())
}

async fn open(peer: &Peer, clock: &Arc<dyn Clock>) -> Result<ClientConnection, ClientError> {
    ClientConnection::open(&peer.address(), &ClientOptions::default(), clock).await
}

fn beat(generation: i32) -> HeartbeatRequest {
    HeartbeatRequest::default().with_generation_id(generation)
}

#[tokio::test]
async fn answers_find_who_asked_in_any_order() {
    let peer = Peer::listen().await;
    let serving = async {
        let mut link = peer.accept().await;
        link.serve_versions(&[(ApiKey::Heartbeat, 0, 3)]).await;
        let (first, second) = (link.asked().await, link.asked().await);
        assert_eq!((first.version, second.version), (3, 3));
        for (asked, throttle) in [(second, 2), (first, 1)] {
            let message = HeartbeatResponse::default().with_throttle_time_ms(throttle);
            link.answer(asked.id, false, &message, 3).await;
        }
        link
    };
    let asking = async {
        let connection = open(&peer, &SystemClock::shared()).await.unwrap();
        let version = connection.version::<HeartbeatRequest>(4).unwrap();
        let (first_request, second_request) = (beat(1), beat(2));
        let (first, second) = tokio::join!(
            connection.call(&first_request, version, Duration::ZERO),
            connection.call(&second_request, version, Duration::ZERO)
        );
        assert_eq!((first.unwrap().throttle_time_ms, second.unwrap().throttle_time_ms), (1, 2));
        let refused = connection.version::<MetadataRequest>(12).unwrap_err().to_string();
        assert!(refused.contains("does not serve Metadata"), "{refused}");
    };
    tokio::join!(serving, asking);
}

#[tokio::test]
async fn an_older_broker_is_asked_in_its_own_versions() {
    let peer = Peer::listen().await;
    let serving = async {
        let mut link = peer.accept().await;
        let asked = link.asked().await;
        // 35: it does not know version 3, and says in version 0 what it knows.
        link.answer(asked.id, false, &versions(&[(ApiKey::Heartbeat, 0, 1)], 35), 0).await;
        link
    };
    let clock = SystemClock::shared();
    let (connection, _link) = tokio::join!(open(&peer, &clock), serving);
    let connection = connection.unwrap();
    assert_eq!(connection.version::<HeartbeatRequest>(4), Ok(1));
}

#[tokio::test]
async fn silence_and_a_closed_door_are_told_apart() {
    let peer = Peer::listen().await;
    let clock = ManualClock::new(0);
    let shared: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
    let serving = async {
        let mut link = peer.accept().await;
        link.serve_versions(&[(ApiKey::Heartbeat, 0, 3)]).await;
        link
    };
    let (connection, mut link) = tokio::join!(open(&peer, &shared), serving);
    let connection = connection.unwrap();
    let request = beat(1);
    let asking = connection.call(&request, 3, Duration::ZERO);
    let waiting = async {
        link.asked().await;
        clock.advance(Duration::from_secs(31));
    };
    let (silent, ()) = tokio::join!(asking, waiting);
    assert!(matches!(silent, Err(ClientError::TimedOut { api: "Heartbeat", .. })), "{silent:?}");
    assert!(!connection.is_closed());
    drop(link);
    let closed = connection.call(&request, 3, Duration::ZERO).await;
    assert!(matches!(closed, Err(ClientError::Closed { .. })), "{closed:?}");
    assert!(connection.is_closed());
    let nobody = ClientConnection::open("127.0.0.1:1", &ClientOptions::default(), &shared).await;
    assert!(matches!(nobody, Err(ClientError::Unreachable { .. })), "{nobody:?}");
}

#[tokio::test]
async fn a_frame_over_the_bound_ends_the_connection() {
    let peer = Peer::listen().await;
    let serving = async {
        let mut link = peer.accept().await;
        link.serve_versions(&[(ApiKey::Heartbeat, 0, 3)]).await;
        link.asked().await;
        link.stream.write_i32(i32::MAX).await.unwrap();
        link
    };
    let asking = async {
        let connection = open(&peer, &SystemClock::shared()).await.unwrap();
        connection.call(&beat(1), 3, Duration::ZERO).await
    };
    let (_link, answer) = tokio::join!(serving, asking);
    let error = answer.unwrap_err().to_string();
    assert!(error.contains("over the bound") && !error.contains("Kafka port"), "{error}");
}

#[tokio::test]
async fn whoever_says_something_else_first_is_asked_for_its_port() {
    for first in [b"E\0\0\0".as_slice(), &[0xff; 4]] {
        let peer = Peer::listen().await;
        let serving = async {
            let mut link = peer.accept().await;
            link.asked().await;
            link.stream.write_all(first).await.unwrap();
            link
        };
        let clock = SystemClock::shared();
        let (opened, _link) = tokio::join!(open(&peer, &clock), serving);
        let error = opened.unwrap_err().to_string();
        assert!(error.contains("is that a Kafka port?"), "{error}");
    }
}

#[tokio::test]
async fn a_name_that_nobody_has_is_told_from_a_port_that_nobody_has() {
    let connect = async |bootstrap: &str| {
        KafkaClient::connect(bootstrap, ClientOptions::default(), SystemClock::shared()).await.unwrap_err()
    };
    for no_address in ["http://127.0.0.1:9092", "127.0.0.1:x", "a b:1"] {
        assert!(matches!(connect(no_address).await, ClientError::BadAddress(_)), "{no_address}");
    }
    // Whoever may come is waited for, in whichever order they are named.
    for both in ["nohost.invalid:1,127.0.0.1:1", "127.0.0.1:1,nohost.invalid:1"] {
        assert!(matches!(connect(both).await, ClientError::Unreachable { .. }), "{both}");
    }
}

#[test]
fn refusals_have_kafkas_names() {
    let error = KafkaError::check("topic 'a'", 3, None).unwrap_err();
    assert_eq!(error.to_string(), "topic 'a': UNKNOWN_TOPIC_OR_PARTITION (3)");
    assert!(error.is_retriable() && error.is_unknown_topic());
    let error = KafkaError::check("x", 40, Some("no")).unwrap_err();
    assert_eq!(error.to_string(), "x: INVALID_CONFIG (40): no");
}
