//! What is answered, one line a path.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::telemetry;

use super::status::{Phase, Status};
use super::{broker_info, process, segments, tier};

const INDEX: &str = "\
tidelog

GET  /healthz               200 while the process runs
GET  /readyz                200 while Kafka clients are served
GET  /metrics               for Prometheus
GET  /api/broker            who answers
GET  /api/tier              how far tiering is
POST /api/tier/skip         gives up what cannot be uploaded
GET  /api/segments          ?topic=T&partition=P[&from=OFFSET]: the live remote segments
GET  /api/segments/passing  remote segments on their way in or out
";

/// All paths.
pub(super) fn router(status: Arc<Status>) -> Router {
    Router::new()
        .route("/", get(|| async { INDEX }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/api/broker", get(broker_info::broker))
        .route("/api/tier", get(tier::status))
        .route("/api/tier/skip", post(tier::skip))
        .route("/api/segments", get(segments::live))
        .route("/api/segments/passing", get(segments::passing))
        .with_state(status)
}

/// Clients are served.
async fn readyz(State(status): State<Arc<Status>>) -> Response {
    let phase = status.phase();
    let code = if phase == Phase::Ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let why = status.failure().filter(|_| phase == Phase::Failed).map_or_else(String::new, |why| format!(": {why}"));
    (code, format!("{}{why}\n", phase.name())).into_response()
}

async fn metrics() -> Response {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    let text = format!("{}{}", telemetry::render_metrics(), process::metrics());
    (content_type, text).into_response()
}
