//! What comes with a request, read whole before anybody works on it: bounded in bytes and in time, so that a body that stops
//! half way holds nothing for long.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::clock::Clock;

use super::guests::Guest;
use super::refused::Refused;

/// Nothing that can be asked is longer.
const BYTES_MAX: usize = 64 * 1024;
/// How long it may take.
const TIME_MAX: Duration = Duration::from_secs(5);

/// Reads it, then goes on.
pub(super) async fn read_whole(State(clock): State<Arc<dyn Clock>>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let whole = tokio::select! {
        read = to_bytes(body, BYTES_MAX) => {
            read.map_err(|_| (StatusCode::PAYLOAD_TOO_LARGE, format!("more than {BYTES_MAX} bytes, or cut off")))
        }
        () = clock.sleep(TIME_MAX) => {
            Err((StatusCode::REQUEST_TIMEOUT, format!("the request was not whole within {} s", TIME_MAX.as_secs())))
        }
    };
    match whole {
        Ok(whole) => {
            let guest = head.extensions.get::<Arc<Guest>>().cloned();
            let _waits = guest.as_ref().map(Guest::waits);
            next.run(Request::from_parts(head, Body::from(whole))).await
        }
        Err((code, text)) => {
            let mut response = Refused::body(code, text).into_response();
            // The rest of it would be taken for the next request.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}
