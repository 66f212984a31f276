//! IncrementalAlterConfigs: changes single settings of a resource.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::incremental_alter_configs_request::AlterableConfig;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::config_resources::{Alteration, Refusal, alter, told};
use super::wire::text;
use crate::broker::{ConfigChange, ConfigChanges, ConfigOperation};
use crate::server::dispatch::Call;
use crate::server::front_end::FrontEnd;

/// Changes settings.
pub async fn handle(
    call: Arc<Call<FrontEnd>>,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let alterations: Vec<Alteration> = request
        .resources
        .into_iter()
        .map(|resource| Alteration {
            resource_type: resource.resource_type,
            name: resource.resource_name.to_string(),
            changes: resource.configs.into_iter().map(change_of).collect::<Result<_, _>>().map(ConfigChanges::Some),
        })
        .collect();
    let outcomes = alter(call.state(), &alterations, true, request.validate_only).await;
    let responses = alterations.into_iter().zip(outcomes).map(|(alteration, outcome)| {
        let (code, message) = told(outcome);
        AlterConfigsResourceResponse::default()
            .with_resource_type(alteration.resource_type)
            .with_resource_name(text(alteration.name))
            .with_error_code(code)
            .with_error_message(message)
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

fn change_of(config: AlterableConfig) -> Result<ConfigChange, Refusal> {
    let operation = match config.config_operation {
        0 => ConfigOperation::Set,
        1 => ConfigOperation::Delete,
        2 => ConfigOperation::Append,
        3 => ConfigOperation::Subtract,
        other => return Err((ResponseError::InvalidRequest, format!("Unknown operation type {other}"))),
    };
    let value = config.value.map(|value| value.to_string());
    Ok(ConfigChange { name: config.name.to_string(), operation, value })
}
