//! The arguments of `tidelog serve`, and which source each came from.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ValueEnum};

use crate::config::places::{BUCKET, CATALOG, HTTP};
use crate::config::{Assignment, ConfigError, Layers, Merged, Origin, ServeOptions, file};
use crate::telemetry::{LogFormat, LogOptions};

use super::machine::hostname;
use super::outcome::Failure;

/// Settings in the environment.
pub(super) const SET_VARIABLE: &str = "TIDELOG_SET";

/// Where a broker listens, where its data lies, and its settings.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Folder of the local tier [default: ./tidelog-data]
    #[arg(long, value_name = "DIR", env = "TIDELOG_DATA_DIR", hide_env_values = true)]
    pub data_dir: Option<String>,

    /// Where to listen for Kafka clients [default: 127.0.0.1:9092]
    #[arg(long, value_name = "HOST:PORT", env = "TIDELOG_LISTEN", hide_env_values = true)]
    pub listen: Option<String>,

    /// Where clients are told to connect [default: the listen address]
    #[arg(long, value_name = "HOST:PORT", env = "TIDELOG_ADVERTISE", hide_env_values = true)]
    pub advertise: Option<String>,

    /// Where to serve health, metrics and admin over HTTP [default: 127.0.0.1:9600]
    #[arg(long, value_name = "HOST:PORT", env = "TIDELOG_HTTP", hide_env_values = true)]
    pub http: Option<String>,

    /// The bucket that holds the history: file:///folder, s3://name/prefix, gs://…, az://… [default: a folder under the
    /// data dir]
    ///
    /// S3 is configured as for every AWS tool: AWS_ENDPOINT_URL, AWS_REGION, and credentials from the chain.
    #[arg(long, value_name = "URL", env = "TIDELOG_BUCKET", hide_env_values = true)]
    pub bucket: Option<String>,

    /// The catalog: sqlite://PATH or postgres://USER@HOST/DATABASE [default: a file under the data dir]
    #[arg(long, value_name = "URL", env = "TIDELOG_CATALOG", hide_env_values = true)]
    pub catalog: Option<String>,

    /// Settings as in Kafka's server.properties
    #[arg(long, value_name = "FILE", env = "TIDELOG_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,

    /// A setting, by Kafka's name or one that begins with tidelog.; may be repeated [env: TIDELOG_SET, several with ';'
    /// between]
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,

    /// Log lines for people or for programs
    #[arg(long, value_enum, default_value_t, env = "TIDELOG_LOG_FORMAT", hide_env_values = true)]
    pub log_format: LogFormatArg,

    /// Which log lines: info, warn,tidelog::tiering=debug, …
    #[arg(long, value_name = "FILTER", default_value = "info", env = "TIDELOG_LOG", hide_env_values = true)]
    pub log: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormatArg {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl ServeArgs {
    /// What the process logs.
    pub fn logs(&self) -> LogOptions {
        let format = match self.log_format {
            LogFormatArg::Text => LogFormat::Text,
            LogFormatArg::Json => LogFormat::Json,
        };
        LogOptions { format, filter: self.log.clone() }
    }

    /// What a broker would run with; a failure where it would not. `matches` are those that these arguments were made of.
    pub(super) fn assemble(&self, matches: &ArgMatches) -> Result<(Merged, ServeOptions), Failure> {
        let layers = self.layers(matches, Self::set_variable().as_deref()).map_err(Failure::usage)?;
        self.logs().check().map_err(Failure::usage)?;
        let told = |error: ConfigError| match (error.line(), &self.config) {
            // It is the first that was found: there may be more.
            (Some(_), Some(path)) => {
                Failure::usage(format!("{error} (all mistakes at once: tidelog config check {})", path.display()))
            }
            _ => Failure::usage(error),
        };
        let merged = layers.merge().map_err(told)?;
        let options = ServeOptions::assemble(&merged, hostname).map_err(told)?;
        Ok((merged, options))
    }

    /// What each source says. `matches` are those that these arguments were made of; `set_variable` is what the
    /// environment has under `TIDELOG_SET`.
    pub fn layers(&self, matches: &ArgMatches, set_variable: Option<&str>) -> Result<Layers, ConfigError> {
        let mut layers = Layers::default();
        if let Some(path) = &self.config {
            layers.file = file::read(path)?;
        }
        for (id, setting, flag, variable) in [
            ("data_dir", "log.dirs", "--data-dir", "TIDELOG_DATA_DIR"),
            ("listen", "listeners", "--listen", "TIDELOG_LISTEN"),
            ("advertise", "advertised.listeners", "--advertise", "TIDELOG_ADVERTISE"),
            ("http", HTTP, "--http", "TIDELOG_HTTP"),
            ("bucket", BUCKET, "--bucket", "TIDELOG_BUCKET"),
            ("catalog", CATALOG, "--catalog", "TIDELOG_CATALOG"),
        ] {
            let Some(value) = matches.get_one::<String>(id) else { continue };
            match matches.value_source(id) {
                Some(ValueSource::EnvVariable) => {
                    layers.environment.push(Assignment::new(setting, value, Origin::Environment(variable)));
                }
                _ => layers.flags.push(Assignment::new(setting, value, Origin::Flag(flag))),
            }
        }
        for given in set_variable.unwrap_or_default().split(';').map(str::trim).filter(|given| !given.is_empty()) {
            layers.environment.push(assignment(given, Origin::Environment(SET_VARIABLE))?);
        }
        for given in &self.set {
            layers.flags.push(assignment(given, Origin::Flag("--set"))?);
        }
        Ok(layers)
    }

    /// What the environment has under `TIDELOG_SET`.
    pub fn set_variable() -> Option<String> {
        std::env::var(SET_VARIABLE).ok()
    }
}

fn assignment(given: &str, origin: Origin) -> Result<Assignment, ConfigError> {
    match given.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok(Assignment::new(name, value, origin)),
        _ => Err(ConfigError::NotAnAssignment { origin, given: given.to_owned() }),
    }
}
