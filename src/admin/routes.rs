//! What is answered, one line a path.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::clock::Clock;
use crate::telemetry;

use super::bodies::read_whole;
use super::metric_help::with_help;
use super::refused::Refused;
use super::status::{Phase, Status};
use super::{broker_info, process, segments, tier};

const INDEX: &str = "\
tidelog

GET  /healthz               200 while the process runs
GET  /readyz                200 while Kafka clients are served; 503 before, and while they are let go
GET  /metrics               for Prometheus
GET  /api/broker            who answers
GET  /api/tier              how far tiering is
POST /api/tier/skip         gives up what cannot be uploaded
GET  /api/segments          ?topic=T&partition=P[&from=OFFSET]: the live remote segments
GET  /api/segments/passing  remote segments on their way in or out
";

/// All paths.
pub(super) fn router(status: Arc<Status>, clock: Arc<dyn Clock>) -> Router {
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
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(clock, read_whole))
        .with_state(status)
}

async fn no_such_path(uri: Uri) -> Refused {
    Refused::not_found(format!("there is no {}; GET / says what there is", uri.path()))
}

async fn no_such_method(method: Method, uri: Uri) -> Refused {
    Refused::no_method(format!("{} does not take {method}; GET / says what does", uri.path()))
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
    (content_type, with_help(&text)).into_response()
}
