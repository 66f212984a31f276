//! Which requests are answered, in which versions, and by whom: one table, from which ApiVersions answers too.
//!
//! A row's function decodes its request and does what must be done in order; waits are left to the session. The table
//! is generic over what the handlers work on, so that sessions are tested without a broker.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use tokio_util::sync::CancellationToken;

use super::reply::{self, NotEncoded};
use crate::net::{Answer, Reply};

/// What all sessions share.
#[derive(Debug)]
pub struct Shared<B> {
    /// What the handlers work on.
    pub state: Arc<B>,
    /// Who answers what.
    pub table: Table<B>,
}

/// One request, but for its body.
#[derive(Debug)]
pub struct Call<B> {
    /// What all sessions share.
    pub shared: Arc<Shared<B>>,
    /// The request's kind.
    pub api_key: ApiKey,
    /// The version that the client speaks.
    pub version: i16,
    /// Goes back with the reply.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<StrBytes>,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Cancelled when a wait should end early: the client is gone, or the broker stops.
    pub hurry: CancellationToken,
}

impl<B> Call<B> {
    /// What the handlers work on.
    pub fn state(&self) -> &Arc<B> {
        &self.shared.state
    }

    /// The reply, as a frame.
    pub fn encode<M: Encodable + HeaderVersion>(&self, message: &M) -> Result<crate::net::Response, NotEncoded> {
        reply::encode(self.correlation_id, message, self.version)
    }
}

/// The bytes are not the request that their header says.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Bytes that cannot be decoded.
    #[error("cannot be decoded: {0}")]
    Undecodable(String),
}

/// Begins to answer a request.
pub type Start<B> = fn(Call<B>, Bytes) -> Result<Answer, Malformed>;

/// A row of the table.
#[derive(Debug)]
pub struct Api<B> {
    /// The request's kind.
    pub key: ApiKey,
    /// The oldest version that is answered.
    pub min: i16,
    /// The newest.
    pub max: i16,
    /// Who answers.
    pub start: Start<B>,
}

/// Which requests are answered.
#[derive(Debug)]
pub struct Table<B> {
    by_key: Vec<Option<Api<B>>>,
}

impl<B> Table<B> {
    /// A table of these rows, one for each kind.
    pub fn new(rows: Vec<Api<B>>) -> Self {
        let mut by_key = Vec::new();
        for row in rows {
            let at = usize::try_from(row.key as i16).expect("kinds are numbered from 0");
            if by_key.len() <= at {
                by_key.resize_with(at + 1, || None);
            }
            if let Some(place) = by_key.get_mut(at) {
                *place = Some(row);
            }
        }
        Self { by_key }
    }

    /// The row of a kind.
    pub fn find(&self, api_key: i16) -> Option<&Api<B>> {
        self.by_key.get(usize::try_from(api_key).ok()?)?.as_ref()
    }

    /// All rows, by kind.
    pub fn rows(&self) -> impl Iterator<Item = &Api<B>> {
        self.by_key.iter().flatten()
    }
}

/// Decodes a request. Bytes behind its end are left alone, as Kafka leaves them.
pub fn decode<R: Request>(mut body: Bytes, version: i16) -> Result<R, Malformed> {
    <R as Decodable>::decode(&mut body, version).map_err(|error| Malformed::Undecodable(error.to_string()))
}

/// A row whose handler answers without waiting.
pub fn at_once<B, R: Request>(
    call: Call<B>,
    body: Bytes,
    handle: impl FnOnce(&Call<B>, R) -> R::Response,
) -> Result<Answer, Malformed> {
    let request = decode::<R>(body, call.version)?;
    let response = handle(&call, request);
    Ok(match call.encode(&response) {
        Ok(response) => Answer::Now(response),
        Err(error) => {
            error.report(&call);
            Answer::Close
        }
    })
}

/// A row whose handler may wait. What follows on the connection waits for it.
pub fn alone<B, R, F>(
    call: Call<B>,
    body: Bytes,
    handle: impl FnOnce(Arc<Call<B>>, R) -> F,
) -> Result<Answer, Malformed>
where
    B: Send + Sync + 'static,
    R: Request<Response: Send>,
    F: Future<Output = R::Response> + Send + 'static,
{
    let request = decode::<R>(body, call.version)?;
    let call = Arc::new(call);
    let handling = handle(Arc::clone(&call), request);
    Ok(Answer::Alone(Box::pin(async move {
        match call.encode(&handling.await) {
            Ok(response) => Reply::Response(response),
            Err(error) => {
                error.report(&call);
                Reply::Close
            }
        }
    })))
}
