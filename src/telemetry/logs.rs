//! Where log lines go and what they look like: standard error, as text for people or as JSON for programs.
//!
//! Invariant: standard output is never written to by a log line, so that a command's output can be piped.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How a process logs.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The form of a line.
    pub format: LogFormat,
    /// Which lines: `info`, `warn,tidelog::tiering=debug`, and whatever else `tracing`'s filters can say.
    pub filter: String,
}

/// Logs could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The filter is not one.
    #[error("the log filter '{filter}': {source}; write for example info or warn,tidelog::tiering=debug")]
    Filter {
        /// What was given.
        filter: String,
        /// Why not.
        source: ParseError,
    },
    /// The process logs already.
    #[error("logs were started twice: {0}")]
    Twice(#[from] TryInitError),
}

/// Said before what the user says, which counts: libraries that warn about what is tried in vain and not needed.
const QUIET: &str = "aws_config=error";

impl LogOptions {
    /// Whether logs could be started so.
    pub fn check(&self) -> Result<(), LogsError> {
        self.lines().map(drop)
    }

    fn lines(&self) -> Result<EnvFilter, LogsError> {
        EnvFilter::try_new(format!("{QUIET},{}", self.filter))
            .map_err(|source| LogsError::Filter { filter: self.filter.clone(), source })
    }
}

/// Starts logging, for the rest of the process. A panic becomes a log line too.
pub fn start_logs(options: &LogOptions) -> Result<(), LogsError> {
    let registry = tracing_subscriber::registry().with(options.lines()?);
    match options.format {
        LogFormat::Text => {
            let colours = io::stderr().is_terminal();
            let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(colours);
            registry.with(lines).try_init()?;
        }
        LogFormat::Json => {
            let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(io::stderr);
            registry.with(lines).try_init()?;
        }
    }
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(%panic, %backtrace, "a thread panicked");
    }));
    Ok(())
}
