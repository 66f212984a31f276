//! Where a value was given: named in every message about it.

use std::fmt;
use std::path::PathBuf;

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Nowhere.
    Default,
    /// In the settings file.
    File {
        /// Which.
        path: PathBuf,
        /// Where in it, from 1.
        line: usize,
    },
    /// In an environment variable.
    Environment(&'static str),
    /// On the command line.
    Flag(&'static str),
}

impl Origin {
    /// The line of the settings file.
    pub const fn line(&self) -> Option<usize> {
        match self {
            Self::File { line, .. } => Some(*line),
            Self::Default | Self::Environment(_) | Self::Flag(_) => None,
        }
    }

    /// One word, for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File { .. } => "file",
            Self::Environment(_) => "environment",
            Self::Flag(_) => "flag",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One value, given somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The setting.
    pub name: String,
    /// What it shall be.
    pub value: String,
    /// Where that stands.
    pub origin: Origin,
}

impl Assignment {
    /// A value; blanks around it do not count, as with Kafka.
    pub fn new(name: &str, value: &str, origin: Origin) -> Self {
        Self { name: name.trim().to_owned(), value: value.trim().to_owned(), origin }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// What was given.
    pub text: String,
    /// Where.
    pub origin: Origin,
}
