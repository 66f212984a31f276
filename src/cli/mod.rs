//! Layer 8: the command line: a file per subcommand.
//!
//! In reading order: what can be typed ([`command`], `environment`), how a run ends ([`outcome`]), where output goes ([`output`],
//! [`table`]), what a command runs on ([`machine`], [`signals`]) and which one runs ([`mod@run`]); the broker ([`serve`]) and its settings
//! ([`config_command`]); then what speaks to any Kafka: [`topics`], [`produce`], [`consume`], [`groups`]; and
//! what asks a broker's admin API and its bucket: [`tier`], [`segments`]; and all of it at once: [`demo`]. [`completions`] is for shells.

pub mod command;
mod environment;
pub mod machine;
pub mod outcome;
pub mod output;
pub mod run;
pub mod signals;
pub mod table;

pub mod completions;
pub mod config_command;
pub mod running;
pub mod serve;
pub mod serve_args;

pub mod connecting;
pub mod keeping;
pub mod topics;

pub mod partitioner;
mod patience;
pub mod progress;
pub mod sending;

pub mod produce;

mod aborted;
pub mod reading;
pub mod start_at;

pub mod consume;

pub mod groups;

pub mod admin_client;
pub mod bucket_args;
pub mod segment_object;

mod inspect;
mod rows;
mod verify;

pub mod segments;
pub mod tier;

pub mod demo;

pub use run::run;
