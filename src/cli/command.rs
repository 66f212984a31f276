//! What can be typed.

use clap::{Parser, Subcommand};

use super::completions::CompletionsArgs;
use super::config_command::ConfigCommand;
use super::consume::ConsumeArgs;
use super::demo::DemoArgs;
use super::groups::GroupsCommand;
use super::produce::ProduceArgs;
use super::segments::SegmentsCommand;
use super::serve_args::ServeArgs;
use super::tier::TierCommand;
use super::topics::TopicsCommand;

const AFTER: &str = "\
Exit codes:
  0  done
  1  it could not be done
  2  what was given is wrong (flags, environment, settings file); nothing was tried
  3  what was named is not there (topic, partition, group, segment)
  4  nobody answers (broker, bucket, catalog)
  5  something is wrong with what was checked
  6  a broker lost the catalog's lock: another may lead, and a new start finds out

Every flag of serve can also be given in the environment: --data-dir as TIDELOG_DATA_DIR.";

/// A Kafka-compatible log that keeps recent segments on local disk and its whole history, as Parquet, in your own bucket.
#[derive(Debug, Parser)]
#[command(name = "tidelog", version, about, after_help = AFTER, subcommand_required = true, arg_required_else_help = true)]
pub struct Tidelog {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a broker
    Serve(ServeArgs),
    /// See the whole job in under a minute: produce, tier, drop local segments, read all back
    Demo(DemoArgs),
    /// Make, list, describe, alter and delete topics, of any Kafka
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// Send lines from standard input to a topic, of any Kafka
    Produce(ProduceArgs),
    /// Read a topic, of any Kafka
    Consume(ConsumeArgs),
    /// List consumer groups, show how far they are behind, say where they go on, of any Kafka
    #[command(subcommand)]
    Groups(GroupsCommand),
    /// List, inspect and verify the remote segments in the bucket
    #[command(subcommand)]
    Segments(SegmentsCommand),
    /// Show how far tiering is; give up what cannot be uploaded
    #[command(subcommand)]
    Tier(TierCommand),
    /// Check a settings file, show settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print what a shell needs to complete all this
    Completions(CompletionsArgs),
}
