//! What is wrong with what a user gave. Each names the place and the remedy.

use std::io;
use std::path::PathBuf;

use crate::model::settings::InvalidSetting;

use super::origin::{Origin, Value};

/// Settings that a broker cannot start with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the settings file {path} cannot be read: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not one of properties.
    #[error("{path}, line {line}: {reason}; write NAME = VALUE, and # before a comment")]
    Syntax {
        /// Which.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// Not `NAME=VALUE`.
    #[error("{origin}: '{given}' is not NAME=VALUE")]
    NotAnAssignment {
        /// Where it was given.
        origin: Origin,
        /// What was given.
        given: String,
    },
    /// Nobody knows the name.
    #[error("{origin}: neither Tidelog nor Kafka knows a broker setting '{name}'; {}", meant(.nearest.as_deref()))]
    Unknown {
        /// Where it was given.
        origin: Origin,
        /// The name.
        name: String,
        /// The most similar one, where one is similar.
        nearest: Option<String>,
    },
    /// A topic's setting where the broker's stand.
    #[error("{origin}: '{name}' is a setting of topics; the broker's default for all topics is '{broker}'")]
    OfTopics {
        /// Where it was given.
        origin: Origin,
        /// The name.
        name: String,
        /// The broker's.
        broker: &'static str,
    },
    /// A topic's setting that has no default at the broker.
    #[error("{origin}: '{name}' is a setting of topics only; set it with tidelog topics create or alter --set")]
    OnlyOfTopics {
        /// Where it was given.
        origin: Origin,
        /// The name.
        name: String,
    },
    /// One place says two things.
    #[error("{} says {name}={}, {} says {}: give one of them", .first.origin, .first.text, .second.origin, .second.text)]
    Contradiction {
        /// The setting.
        name: String,
        /// What one says.
        first: Box<Value>,
        /// What the other says.
        second: Box<Value>,
    },
    /// A value that its setting cannot have.
    #[error("{origin}: {source}")]
    Invalid {
        /// Where it was given.
        origin: Origin,
        /// Why not.
        source: InvalidSetting,
    },
    /// Values that are fine by themselves and not together.
    #[error("{0}")]
    Together(#[from] InvalidSetting),
    /// Not the URL of a bucket or a catalog. The value may hold a password, and the reason shows what may be shown.
    #[error("{origin}: {reason}")]
    Misplaced {
        /// Where it was given.
        origin: Origin,
        /// What is wrong, and what helps.
        reason: String,
    },
    /// Not an address, a listener, a folder.
    #[error("{origin}: {name}={value}: {reason}")]
    Unfit {
        /// Where it was given.
        origin: Origin,
        /// The setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is wrong, and what helps.
        reason: String,
    },
}

impl ConfigError {
    /// The line of the settings file that it is about; none where it is about no single one.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Syntax { line, .. } => Some(*line),
            Self::NotAnAssignment { origin, .. }
            | Self::Unknown { origin, .. }
            | Self::OfTopics { origin, .. }
            | Self::OnlyOfTopics { origin, .. }
            | Self::Invalid { origin, .. }
            | Self::Misplaced { origin, .. }
            | Self::Unfit { origin, .. } => origin.line(),
            Self::Read { .. } | Self::Contradiction { .. } | Self::Together(_) => None,
        }
    }
}

fn meant(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("the nearest is '{nearest}'"),
        None => "tidelog config show lists those that there are, and a line is NAME=VALUE".to_owned(),
    }
}
