//! What the requests about settings share: whose settings, and numbers for kinds and sources.

use crate::broker::BrokerScope;
use crate::model::BrokerId;
use crate::model::settings::{Kind, Source};

/// Settings of a topic.
pub const TOPIC: i8 = 2;
/// Settings of a broker, or of all.
pub const BROKER: i8 = 4;
/// Levels of what a broker logs. There are none that a request could name: logs are set up at start.
pub const BROKER_LOGGER: i8 = 8;

/// Where a value came from.
pub fn source_code(source: Source) -> i8 {
    match source {
        Source::Topic => 1,
        Source::DynamicBroker => 2,
        Source::DynamicDefault => 3,
        Source::StaticBroker => 4,
        Source::Default => 5,
    }
}

/// Of what kind it is.
pub fn kind_code(kind: Kind) -> i8 {
    match kind {
        Kind::Boolean => 1,
        Kind::String => 2,
        Kind::Int => 3,
        Kind::Long => 5,
        Kind::Double => 6,
        Kind::List => 7,
    }
}

/// The broker that a resource names: this one or, without a name, every one. Otherwise what is wrong with the name.
pub fn broker_scope(name: &str, this: BrokerId, words: &BrokerWords) -> Result<BrokerScope, String> {
    if name.is_empty() {
        return Ok(BrokerScope::Every);
    }
    match name.parse::<i32>() {
        Ok(id) if id == this.0 => Ok(BrokerScope::This),
        Ok(id) => Err((words.another)(this.0, id)),
        Err(_) => Err(format!("{} must be an integer, but it is: {name}", words.what)),
    }
}

/// How a request speaks of brokers that are not this one.
#[derive(Debug)]
pub struct BrokerWords {
    /// What the name should be.
    pub what: &'static str,
    /// It should be the first and is the second.
    pub another: fn(i32, i32) -> String,
}
