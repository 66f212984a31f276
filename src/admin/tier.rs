//! `GET /api/tier`: how far every partition's tiering is; `POST /api/tier/skip`: gives up what cannot be uploaded.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;

use crate::model::Offset;
use crate::tiering::{SkipError, TierStatus};

use super::refused::Refused;
use super::shown::{ShownTier, SkipWish, Skipped};
use super::status::Status;

/// How far every partition is.
pub(super) async fn status(State(status): State<Arc<Status>>) -> Result<Json<Vec<ShownTier>>, Refused> {
    let broker = status.serving()?;
    Ok(Json(broker.tiers().status().into_iter().map(shown).collect()))
}

/// Gives up what lies before an offset and is not in the bucket. JSON only: no web page can send that unasked.
pub(super) async fn skip(
    State(status): State<Arc<Status>>,
    wish: Result<Json<SkipWish>, JsonRejection>,
) -> Result<Json<Skipped>, Refused> {
    let Json(wish) = wish.map_err(|error| Refused::body(error.status(), error.body_text()))?;
    let broker = status.serving()?;
    let missing = || Refused::not_found(format!("there is no partition {}-{}", wish.topic, wish.partition));
    let partition = broker.partition(&wish.topic, wish.partition).ok_or_else(missing)?;
    let tier = partition.tier().ok_or_else(|| Refused::conflict("the broker has no bucket"))?;
    let TierStatus { failures, stopped, .. } = tier.status();
    if failures == 0 && stopped.is_none() && !wish.force {
        return Err(Refused::conflict(format!(
            "no upload of {}-{} has failed: its records can be uploaded. To give them up all the same, say --force",
            wish.topic, wish.partition
        )));
    }
    let skipped = tier.skip(Offset::new(wish.to)).await.map_err(|error| match error {
        SkipError::NotTiered | SkipError::OutOfRange { .. } | SkipError::Unnamed(_) => Refused::conflict(error),
        SkipError::Failed(_) => Refused::unavailable(error),
    })?;
    Ok(Json(Skipped { offsets: skipped }))
}

fn shown(status: TierStatus) -> ShownTier {
    ShownTier {
        topic: status.topic.as_str().to_owned(),
        topic_id: status.tp.topic_id.to_string(),
        partition: status.tp.partition,
        enabled: status.enabled,
        paused: status.paused,
        log_start_offset: status.log_start.get(),
        local_start_offset: status.local_start.get(),
        log_end_offset: status.log_end.get(),
        tiered_to: status.tiered_to.map(Offset::get),
        lag_segments: status.lag_segments,
        lag_bytes: status.lag_bytes,
        uploading: status.uploading,
        failures: status.failures,
        last_error: status.last_error,
        stopped: status.stopped,
        damaged: status.damaged,
    }
}
