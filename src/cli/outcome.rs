//! How a run ends: a code that scripts can act upon, and one clear line.

use std::process::ExitCode;

/// What the exit code says. `tidelog --help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It could not be done.
    Failed = 1,
    /// What was given is wrong; nothing was tried.
    Usage = 2,
    /// What was named is not there.
    NotFound = 3,
    /// Nobody answers.
    Unreachable = 4,
    /// Something is wrong with what was checked.
    Wrong = 5,
    /// A broker may not go on: another may lead.
    Deposed = 6,
}

/// A run that failed.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// What the exit code says.
    pub exit: Exit,
    /// One line: the thing, and what helps.
    pub text: String,
}

impl Failure {
    /// A failure of that kind.
    pub fn new(exit: Exit, text: impl ToString) -> Self {
        Self { exit, text: text.to_string() }
    }

    /// It could not be done.
    pub fn failed(text: impl ToString) -> Self {
        Self::new(Exit::Failed, text)
    }

    /// What was given is wrong.
    pub fn usage(text: impl ToString) -> Self {
        Self::new(Exit::Usage, text)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
