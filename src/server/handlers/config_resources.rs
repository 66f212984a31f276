//! Altering settings, resource by resource: what AlterConfigs and IncrementalAlterConfigs share.

use std::collections::HashMap;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::config_values::{BROKER, BROKER_LOGGER, BrokerWords, TOPIC, broker_scope};
use super::wire::text;
use crate::broker::{BrokerScope, ConfigChanges};
use crate::server::errors::KafkaError;
use crate::server::front_end::FrontEnd;

const WORDS: BrokerWords = BrokerWords {
    what: "Node id",
    another: |this, asked| format!("Unexpected broker id, expected {this}, but received {asked}"),
};
const LOGGER_WORDS: BrokerWords = BrokerWords {
    what: "Node id",
    another: |this, asked| format!("Unexpected node id. Expected {this}, but received {asked}"),
};

/// An error and what is said about it.
pub type Refusal = (ResponseError, String);

/// A resource and how it is to change; or what is wrong with that already.
#[derive(Debug)]
pub struct Alteration {
    /// What kind of resource.
    pub resource_type: i8,
    /// Its name.
    pub name: String,
    /// How.
    pub changes: Result<ConfigChanges, Refusal>,
}

/// Alters resources one by one; one outcome for each, in order.
pub async fn alter(
    state: &FrontEnd,
    alterations: &[Alteration],
    may_name_loggers: bool,
    validate_only: bool,
) -> Vec<Result<(), Refusal>> {
    let mut times: HashMap<(i8, &str), usize> = HashMap::new();
    for one in alterations {
        *times.entry((one.resource_type, one.name.as_str())).or_default() += 1;
    }
    let mut outcomes = Vec::with_capacity(alterations.len());
    for one in alterations {
        let repeated = times.get(&(one.resource_type, one.name.as_str())).is_some_and(|times| *times > 1);
        outcomes.push(if repeated {
            Err(invalid("Each resource must appear at most once."))
        } else {
            alter_one(state, one, may_name_loggers, validate_only).await
        });
    }
    outcomes
}

/// An outcome in the words of both responses: code and message.
pub fn told(outcome: Result<(), Refusal>) -> (i16, Option<StrBytes>) {
    match outcome {
        Ok(()) => (0, None),
        Err((error, message)) => (error.code(), Some(text(message))),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    (ResponseError::InvalidRequest, message.into())
}

async fn alter_one(
    state: &FrontEnd,
    alteration: &Alteration,
    may_name_loggers: bool,
    validate_only: bool,
) -> Result<(), Refusal> {
    let changes = alteration.changes.as_ref().map_err(Clone::clone)?;
    changes.check().map_err(|bad| invalid(bad.to_string()))?;
    let (broker, name) = (&state.broker, alteration.name.as_str());
    let altered = match alteration.resource_type {
        TOPIC => broker.alter_topic_configs(name, changes, validate_only).await,
        BROKER => {
            let scope = broker_scope(name, broker.id(), &WORDS).map_err(invalid)?;
            broker.alter_broker_configs(scope, changes, validate_only).await
        }
        BROKER_LOGGER if may_name_loggers => return alter_logger(state, name, changes),
        other => return Err(invalid(format!("Unknown resource type {other}"))),
    };
    altered.map_err(|error| (error.kafka(), error.to_string()))
}

/// No logger has a level of its own here.
fn alter_logger(state: &FrontEnd, name: &str, changes: &ConfigChanges) -> Result<(), Refusal> {
    if broker_scope(name, state.broker.id(), &LOGGER_WORDS).map_err(invalid)? == BrokerScope::Every {
        return Err(invalid("Node id must be an integer, but it is: "));
    }
    match changes {
        ConfigChanges::Some(changes) => match changes.first() {
            Some(change) => Err((ResponseError::InvalidConfig, format!("Logger {} does not exist!", change.name))),
            None => Ok(()),
        },
        ConfigChanges::All(_) => Err(invalid("the levels of loggers can only be changed one by one")),
    }
}
