//! What a broker answered, request by request.

use serde_json::Value;

/// One answer, with what may differ by nature already replaced.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The case and its step.
    pub place: String,
    pub api: String,
    pub version: i16,
    /// What was sent, for reports.
    pub request: String,
    pub outcome: Outcome,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Answer(Value),
    /// Anything else, in words.
    Other(String),
    /// The case ended here, by a fault of its own: what it would have asked is not known.
    BrokeOff,
}
