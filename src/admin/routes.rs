//! What is answered, one line a path.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::telemetry;

use super::status::{Phase, Status};

/// All paths.
pub(super) fn router(status: Arc<Status>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(status)
}

async fn index() -> &'static str {
    "tidelog\n\n/healthz  200 while the process runs\n/readyz   200 once Kafka clients are served\n/metrics  for Prometheus\n"
}

/// The process runs.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Clients are served.
async fn readyz(State(status): State<Arc<Status>>) -> Response {
    let phase = status.phase();
    let code = if phase == Phase::Ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, format!("{}\n", phase.name())).into_response()
}

async fn metrics() -> Response {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (content_type, telemetry::render_metrics()).into_response()
}
