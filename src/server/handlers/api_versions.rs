//! ApiVersions: which requests are served, in which versions (KIP-35, KIP-511).

use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};

use crate::net::Answer;
use crate::server::dispatch::{Call, Table};
use crate::server::reply;

/// librdkafka turns message format 2 off unless Produce begins at 0 (KAFKA-18659); 0 to 2 are refused all the same.
const PRODUCE_ADVERTISED_MIN: i16 = 0;

/// What the table serves.
pub fn handle<B>(call: &Call<B>, request: ApiVersionsRequest) -> ApiVersionsResponse {
    if call.version >= 3
        && !(is_software_text(&request.client_software_name) && is_software_text(&request.client_software_version))
    {
        return ApiVersionsResponse::default().with_error_code(ResponseError::InvalidRequest.code());
    }
    ApiVersionsResponse::default().with_api_keys(call.shared.table.rows().map(advertised).collect())
}

/// What a client of the future is told: our versions of this very request, in the oldest form.
pub fn unknown_version<B>(table: &Table<B>, correlation_id: i32) -> Answer {
    let own = table.rows().filter(|row| row.key == ApiKey::ApiVersions).map(advertised).collect();
    let response =
        ApiVersionsResponse::default().with_error_code(ResponseError::UnsupportedVersion.code()).with_api_keys(own);
    match reply::encode(correlation_id, &response, 0) {
        Ok(response) => Answer::Now(response),
        Err(_) => Answer::Close,
    }
}

fn advertised<B>(row: &crate::server::dispatch::Api<B>) -> ApiVersion {
    let min = if row.key == ApiKey::Produce { PRODUCE_ADVERTISED_MIN } else { row.min };
    ApiVersion::default().with_api_key(row.key as i16).with_min_version(min).with_max_version(row.max)
}

/// Letters and digits, with dashes and dots between them.
fn is_software_text(text: &str) -> bool {
    let letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    letter(bytes.first())
        && letter(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}
