//! Which versions the other side serves: asked once, when a connection is made (KIP-511).

use std::collections::HashMap;
use std::time::Duration;

use bytes::{Buf, Bytes};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::{Decodable, StrBytes, VersionRange};

use super::connection::{ClientConnection, api_name};
use super::error::{ClientError, KafkaError};

/// The version that is tried. Whoever does not know it answers in version 0 with what it knows, or closes.
const VERSION: i16 = 3;

/// What the broker serves.
pub(super) async fn ask(connection: &ClientConnection) -> Result<HashMap<i16, VersionRange>, ClientError> {
    let request = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("tidelog"))
        .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
    let mut answer = decode(connection, connection.call_raw(&request, VERSION, Duration::ZERO).await?)?;
    if answer.error_code == ResponseError::UnsupportedVersion.code() && answer.api_keys.is_empty() {
        answer = decode(connection, connection.call_raw(&ApiVersionsRequest::default(), 0, Duration::ZERO).await?)?;
    }
    if answer.error_code != ResponseError::UnsupportedVersion.code() {
        KafkaError::check(connection.address(), answer.error_code, None)?;
    }
    let range = |min, max| VersionRange { min, max };
    Ok(answer.api_keys.iter().map(|api| (api.api_key, range(api.min_version, api.max_version))).collect())
}

/// An answer in the version that was asked for, or, where that is not served, in version 0.
fn decode(connection: &ClientConnection, mut frame: Bytes) -> Result<ApiVersionsResponse, ClientError> {
    let undecodable = |reason: String| ClientError::Undecodable {
        address: connection.address().to_owned(),
        api: api_name::<ApiVersionsRequest>(),
        reason,
    };
    // The header has a correlation id and, in every version, no more.
    frame.try_get_i32().map_err(|error| undecodable(error.to_string()))?;
    let code = frame.clone().try_get_i16().map_err(|error| undecodable(error.to_string()))?;
    let refused = code == ResponseError::UnsupportedVersion.code();
    let mut rest = frame.clone();
    if !refused
        && let Ok(answer) = ApiVersionsResponse::decode(&mut rest, VERSION)
        && rest.is_empty()
    {
        return Ok(answer);
    }
    ApiVersionsResponse::decode(&mut frame, 0).map_err(|error| undecodable(error.to_string()))
}
