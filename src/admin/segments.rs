//! `GET /api/segments`: which remote segments a partition has; `GET /api/segments/passing`: which are on their way in or
//! out.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;

use crate::broker::Broker;
use crate::model::Offset;
use crate::tiering::SegmentListing;

use super::refused::Refused;
use super::shown::{SegmentsPage, ShownSegment};
use super::status::Status;

/// Segments in one answer.
const PAGE: i64 = 1_000;
/// Segments on their way that one answer names.
const PASSING_MAX: i64 = 10_000;

/// Which are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    topic: String,
    partition: i32,
    #[serde(default)]
    from: i64,
}

/// The live segments of a partition, in order.
pub(super) async fn live(
    State(status): State<Arc<Status>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<SegmentsPage>, Refused> {
    let Query(wanted) = wanted.map_err(|error| {
        Refused::bad(format!("{}; write /api/segments?topic=T&partition=P[&from=OFFSET]", error.body_text()))
    })?;
    let broker = status.serving()?;
    let topics = broker.topics();
    let missing = || Refused::not_found(format!("there is no partition {}-{}", wanted.topic, wanted.partition));
    let topic = topics.by_name(&wanted.topic).ok_or_else(missing)?;
    let partition = topic.partition(wanted.partition).ok_or_else(missing)?;
    let from = Offset::new(wanted.from.max(0));
    let listed = broker.tiers().live_segments(partition.tp(), from, PAGE).await.map_err(Refused::unavailable)?;
    let full = i64::try_from(listed.len()).unwrap_or(PAGE) >= PAGE;
    let next = listed.last().filter(|_| full).map(|last| last.end_offset.next().get());
    let segments = listed.into_iter().map(|segment| shown(broker, segment)).collect();
    Ok(Json(SegmentsPage { segments, next, truncated: false }))
}

/// Segments of any partition that are not live, or not any more.
pub(super) async fn passing(State(status): State<Arc<Status>>) -> Result<Json<SegmentsPage>, Refused> {
    let broker = status.serving()?;
    let listed = broker.tiers().passing_segments(PASSING_MAX).await.map_err(Refused::unavailable)?;
    let truncated = i64::try_from(listed.len()).unwrap_or(PASSING_MAX) >= PASSING_MAX;
    let segments = listed.into_iter().map(|segment| shown(broker, segment)).collect();
    Ok(Json(SegmentsPage { segments, next: None, truncated }))
}

fn shown(broker: &Broker, segment: SegmentListing) -> ShownSegment {
    let topics = broker.topics();
    let topic = topics.by_id(segment.tp.topic_id).map(|topic| topic.name.as_str());
    ShownSegment::of(segment, topic, broker.bucket_url())
}
