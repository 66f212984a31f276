//! `GET /api/broker`: who answers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::refused::Refused;
use super::shown::ShownBroker;
use super::status::Status;

/// Who answers.
pub(super) async fn broker(State(status): State<Arc<Status>>) -> Result<Json<ShownBroker>, Refused> {
    let broker = status.serving()?;
    let advertised = broker.advertised();
    Ok(Json(ShownBroker {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        broker_id: broker.id().0,
        cluster_id: broker.cluster_id().to_owned(),
        advertised: format!("{}:{}", advertised.host, advertised.port),
        data_dir: broker.log_dir().display().to_string(),
        bucket: broker.bucket_url().to_owned(),
    }))
}
