//! A client that speaks frames, for tests: it knows nothing but the wire.

use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection.
pub struct Wire {
    pub stream: TcpStream,
    correlation_id: i32,
}

impl Wire {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), correlation_id: 100 }
    }

    /// Sends a request without waiting for its reply.
    pub async fn send<R: Request>(&mut self, request: &R, version: i16) {
        self.correlation_id += 1;
        self.stream.write_all(&frame_of(request, version, self.correlation_id)).await.unwrap();
    }

    /// The next reply, whose correlation id must be `behind` the last request's.
    pub async fn receive<R: Request>(&mut self, version: i16, behind: i32) -> R::Response {
        let mut frame = self.receive_frame().await.expect("a reply");
        assert_eq!(frame.get_i32(), self.correlation_id - behind);
        if R::Response::header_version(version) >= 1 {
            assert_eq!(frame.get_u8(), 0, "no tagged fields in the header");
        }
        let response = R::Response::decode(&mut frame, version).unwrap();
        assert!(frame.is_empty(), "{} bytes behind the reply", frame.len());
        response
    }

    pub async fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.send(request, version).await;
        self.receive::<R>(version, 0).await
    }

    /// The next frame; none once the connection is closed.
    pub async fn receive_frame(&mut self) -> Option<Bytes> {
        let length = self.stream.read_i32().await.ok()?;
        let mut frame = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut frame).await.ok()?;
        Some(Bytes::from(frame))
    }

    pub async fn send_raw(&mut self, frame: &[u8]) {
        let mut bytes = BytesMut::new();
        bytes.put_i32(i32::try_from(frame.len()).unwrap());
        bytes.put_slice(frame);
        // The broker may have closed already, over what came before.
        let _ = self.stream.write_all(&bytes).await;
    }
}

/// A request with its header and length.
pub fn frame_of<R: Request>(request: &R, version: i16, correlation_id: i32) -> Bytes {
    let mut body = BytesMut::new();
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(StrBytes::from_static_str("wire-test")));
    header.encode(&mut body, ApiKey::try_from(R::KEY).unwrap().request_header_version(version)).unwrap();
    request.encode(&mut body, version).unwrap();
    let mut frame = BytesMut::with_capacity(body.len() + 4);
    frame.put_i32(i32::try_from(body.len()).unwrap());
    frame.put(body);
    frame.freeze()
}
