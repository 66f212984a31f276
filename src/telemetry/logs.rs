//! Where log lines go and what they look like: standard error, as text for people or as JSON for programs.
//!
//! Invariant: standard output is never written to by a log line, so that a command's output can be piped.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};
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
    /// A word that would be taken for a target that nobody has, and silence everything.
    #[error(
        "the log filter '{filter}': '{word}' is no level (off, error, warn, info, debug, trace) and no TARGET=LEVEL; write for example info or warn,tidelog::tiering=debug"
    )]
    Word {
        /// What was given.
        filter: String,
        /// Which part of it.
        word: String,
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
        if let Some(word) = stray_word(&self.filter) {
            return Err(LogsError::Word { filter: self.filter.clone(), word: word.to_owned() });
        }
        EnvFilter::try_new(format!("{QUIET},{}", self.filter))
            .map_err(|source| LogsError::Filter { filter: self.filter.clone(), source })
    }
}

/// A part of a filter that is neither a level nor a target of ours, and gives no level. Filters by span are left to
/// `tracing`, commas stand inside them.
fn stray_word(filter: &str) -> Option<&str> {
    if filter.contains(['[', '{']) {
        return None;
    }
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let is_ours = |word: &str| word == "tidelog" || word.starts_with("tidelog::");
    let mut words = filter.split(',').map(str::trim);
    words.find(|word| !word.is_empty() && !word.contains('=') && !is_level(word) && !is_ours(word))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_would_silence_everything_is_refused() {
        let check = |filter: &str| LogOptions { format: LogFormat::Text, filter: filter.to_owned() }.check();
        for fine in ["", "info", "WARN", "off", "warn,tidelog::tiering=debug", "tidelog::log", "hyper=warn, info"] {
            assert!(check(fine).is_ok(), "{fine}");
        }
        for (stray, word) in [("nonsense", "nonsense"), ("inof", "inof"), ("warn,tidelogs", "tidelogs")] {
            let error = check(stray).unwrap_err().to_string();
            assert!(error.contains(&format!("'{word}' is no level")), "{error}");
        }
        assert!(matches!(check("tidelog=blah"), Err(LogsError::Filter { .. })));
    }
}
