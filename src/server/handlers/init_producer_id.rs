//! InitProducerId: an id for an idempotent producer. Transactions are refused for good, so that nobody waits for them.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId as WireProducerId};

use crate::model::ProducerId;
use crate::server::dispatch::Call;
use crate::server::front_end::FrontEnd;

/// From this version on a producer may tell the id that it has.
const KNOWN_PRODUCERS: i16 = 3;
/// No producer, no epoch.
const NONE: i64 = -1;

/// Gives an id that nobody has, in epoch 0.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: InitProducerIdRequest) -> InitProducerIdResponse {
    match new_id(&call, &request).await {
        Ok(ProducerId(id)) => {
            InitProducerIdResponse::default().with_producer_id(WireProducerId(id)).with_producer_epoch(0)
        }
        Err(error) => InitProducerIdResponse::default()
            .with_error_code(error.code())
            .with_producer_id(WireProducerId(NONE))
            .with_producer_epoch(-1),
    }
}

async fn new_id(call: &Call<FrontEnd>, request: &InitProducerIdRequest) -> Result<ProducerId, ResponseError> {
    let has_id = request.producer_id.0 != NONE;
    let has_epoch = i64::from(request.producer_epoch) != NONE;
    if call.version >= KNOWN_PRODUCERS && has_id != has_epoch {
        return Err(ResponseError::InvalidRequest);
    }
    match request.transactional_id.as_deref() {
        None => {}
        Some(id) if id.is_empty() => return Err(ResponseError::InvalidRequest),
        Some(_) => return Err(ResponseError::TransactionalIdAuthorizationFailed),
    }
    call.state().broker.new_producer_id().await.map_err(|error| {
        tracing::warn!(%error, "no producer id can be given now");
        // What clients try again after.
        ResponseError::CoordinatorLoadInProgress
    })
}
