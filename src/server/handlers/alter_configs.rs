//! AlterConfigs: replaces all settings of a resource, as clients did before IncrementalAlterConfigs.

use std::sync::Arc;

use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::config_resources::{Alteration, alter, told};
use super::wire::text;
use crate::broker::ConfigChanges;
use crate::server::dispatch::Call;
use crate::server::front_end::FrontEnd;

/// Replaces settings.
pub async fn handle(call: Arc<Call<FrontEnd>>, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let alterations: Vec<Alteration> = request
        .resources
        .into_iter()
        .map(|resource| {
            let values = resource
                .configs
                .into_iter()
                .map(|config| (config.name.to_string(), config.value.map(|value| value.to_string())));
            Alteration {
                resource_type: resource.resource_type,
                name: resource.resource_name.to_string(),
                changes: Ok(ConfigChanges::All(values.collect())),
            }
        })
        .collect();
    let outcomes = alter(call.state(), &alterations, false, request.validate_only).await;
    let responses = alterations.into_iter().zip(outcomes).map(|(alteration, outcome)| {
        let (code, message) = told(outcome);
        AlterConfigsResourceResponse::default()
            .with_resource_type(alteration.resource_type)
            .with_resource_name(text(alteration.name))
            .with_error_code(code)
            .with_error_message(message)
    });
    AlterConfigsResponse::default().with_responses(responses.collect())
}
