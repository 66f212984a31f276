//! One connection's requests: from a frame to the row of the table that answers it.
//!
//! A kind or version that is not in the table closes the connection, as Kafka does, but for ApiVersions, whose unknown
//! versions are told which are known (KIP-511). So does a request that cannot be decoded: nobody could say where in it
//! an answer would go.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures::FutureExt as _;
use kafka_protocol::messages::{ApiKey, RequestHeader};
use kafka_protocol::protocol::Decodable;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::dispatch::{Call, Malformed, Shared};
use super::handlers::api_versions;
use super::metrics;
use crate::clock::Clock;
use crate::net::{Answer, Service};

/// What every request begins with: kind, version, correlation id.
const FIXED_BYTES: usize = 8;
/// Requests whose payload may be as large as `socket.request.max.bytes` says.
const LARGE: [ApiKey; 1] = [ApiKey::Produce];
/// Requests that carry what others made: metadata and assignments of group members, configs, offsets.
const MIDDLING: [ApiKey; 7] = [
    ApiKey::JoinGroup,
    ApiKey::SyncGroup,
    ApiKey::OffsetCommit,
    ApiKey::CreateTopics,
    ApiKey::AlterConfigs,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::TxnOffsetCommit,
];
/// What those may be: a decoded request takes up to forty times its bytes.
const MIDDLING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What all others may be: ten thousand topics of the longest name.
const SMALL_BYTES_MAX: usize = 3 * 1024 * 1024;

/// The largest frame that begins with `head`.
pub fn frame_bound(mut head: &[u8], bytes_max: usize) -> usize {
    let Ok(key) = head.try_get_i16() else { return bytes_max };
    if LARGE.iter().any(|large| *large as i16 == key) {
        bytes_max
    } else if MIDDLING.iter().any(|middling| *middling as i16 == key) {
        bytes_max.min(MIDDLING_BYTES_MAX)
    } else {
        bytes_max.min(SMALL_BYTES_MAX)
    }
}

/// Why a request closes its connection.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("a request of {0} bytes is too short for its header")]
    Short(usize),
    #[error("request kind {0} is not served")]
    UnknownKind(i16),
    #[error("{0:?} is not served in version {1}")]
    UnknownVersion(ApiKey, i16),
    #[error("the header of {0:?} cannot be decoded: {1}")]
    Header(ApiKey, String),
    #[error("{0:?} in version {1}: {2}")]
    Body(ApiKey, i16, Malformed),
}

/// The requests of one connection.
#[derive(Debug)]
pub struct Session<B> {
    shared: Arc<Shared<B>>,
    peer: SocketAddr,
    hurry: CancellationToken,
    clock: Arc<dyn Clock>,
}

impl<B> Session<B> {
    /// Serves `peer`.
    pub fn new(shared: Arc<Shared<B>>, peer: SocketAddr, hurry: CancellationToken, clock: Arc<dyn Clock>) -> Self {
        Self { shared, peer, hurry, clock }
    }

    fn start(&self, frame: Bytes) -> Result<Answer, Refused> {
        let mut fixed = frame.get(..FIXED_BYTES).ok_or(Refused::Short(frame.len()))?;
        let began = self.clock.monotonic();
        let (key, version, correlation_id) = (fixed.get_i16(), fixed.get_i16(), fixed.get_i32());
        let row = self.shared.table.find(key).ok_or(Refused::UnknownKind(key))?;
        metrics::request_received(row.key);
        if version < row.min || version > row.max {
            if row.key == ApiKey::ApiVersions {
                return Ok(api_versions::unknown_version(&self.shared.table, correlation_id));
            }
            return Err(Refused::UnknownVersion(row.key, version));
        }
        let mut body = with_text_as_client_id(frame);
        let header = RequestHeader::decode(&mut body, row.key.request_header_version(version))
            .map_err(|error| Refused::Header(row.key, error.to_string()))?;
        let span = tracing::debug_span!(
            "request",
            api = ?row.key,
            version,
            correlation_id,
            client = header.client_id.as_deref(),
            peer = %self.peer,
        );
        let call = Call {
            shared: Arc::clone(&self.shared),
            api_key: row.key,
            version,
            correlation_id,
            client_id: header.client_id,
            peer: self.peer,
            hurry: self.hurry.clone(),
        };
        let answer = span.in_scope(|| (row.start)(call, body));
        let answer = answer.map_err(|malformed| Refused::Body(row.key, version, malformed))?;
        let watch = Stopwatch { api: row.key, began, clock: Arc::clone(&self.clock) };
        Ok(watch.time(within(span, answer)))
    }
}

/// Reports how long a request took: now, or when its wait ends.
#[derive(Debug)]
struct Stopwatch {
    api: ApiKey,
    began: Duration,
    clock: Arc<dyn Clock>,
}

impl Stopwatch {
    fn stop(&self) {
        metrics::request_answered(self.api, self.clock.monotonic().saturating_sub(self.began));
    }

    fn time(self, answer: Answer) -> Answer {
        match answer {
            Answer::Now(_) | Answer::Silent => {
                self.stop();
                answer
            }
            Answer::Later(reply) => Answer::Later(Box::pin(reply.inspect(move |_| self.stop()))),
            Answer::Alone(reply) => Answer::Alone(Box::pin(reply.inspect(move |_| self.stop()))),
            Answer::Begun(work) => Answer::Begun(Box::pin(work.map(|answer| self.time(answer)))),
            Answer::Close => answer,
        }
    }
}

/// The frame with a question mark for every byte of its client id that is no UTF-8: what a client calls itself is no
/// reason to turn it away.
fn with_text_as_client_id(frame: Bytes) -> Bytes {
    let Some((length, rest)) = frame.get(FIXED_BYTES..).and_then(<[u8]>::split_first_chunk) else { return frame };
    let id = usize::try_from(i16::from_be_bytes(*length)).ok().and_then(|length| rest.get(..length));
    let Some(id) = id.filter(|id| std::str::from_utf8(id).is_err()) else { return frame };
    let from = FIXED_BYTES + length.len();
    let mut mended = frame.to_vec();
    let mut at = from;
    for chunk in id.utf8_chunks() {
        at += chunk.valid().len();
        let invalid = at..at + chunk.invalid().len();
        at = invalid.end;
        mended.get_mut(invalid).into_iter().flatten().for_each(|byte| *byte = b'?');
    }
    mended.into()
}

/// An answer that is worked out within a span; where nobody looks at spans, it is left as it is.
fn within(span: Span, answer: Answer) -> Answer {
    if span.is_disabled() {
        return answer;
    }
    match answer {
        Answer::Later(reply) => Answer::Later(Box::pin(reply.instrument(span))),
        Answer::Alone(reply) => Answer::Alone(Box::pin(reply.instrument(span))),
        Answer::Begun(work) => {
            let after = span.clone();
            Answer::Begun(Box::pin(work.map(|answer| within(after, answer)).instrument(span)))
        }
        done => done,
    }
}

impl<B: Send + Sync> Service for Session<B> {
    fn answer(&mut self, frame: Bytes) -> Answer {
        self.start(frame).unwrap_or_else(|refused| {
            metrics::request_refused();
            tracing::info!(peer = %self.peer, reason = %refused, "closing a connection over its request");
            Answer::Close
        })
    }
}
