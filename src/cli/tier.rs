//! `tidelog tier`: how far tiering is, and giving up what cannot be uploaded.

use clap::{Args, Subcommand};
use indicatif::BinaryBytes;

use crate::admin::shown::{ShownTier, SkipWish, Skipped};

use super::admin_client::{AdminArgs, AdminClient};
use super::machine::on_runtime;
use super::outcome::{Exit, Failure};
use super::output::{print, print_json, print_line};
use super::table::{or_dash, right_align, table, text};

/// What to do with the tiers.
#[derive(Debug, Subcommand)]
pub enum TierCommand {
    /// Show how far each partition is in the bucket, and what holds it up
    Status(StatusArgs),
    /// Give up what a partition cannot upload any more (a bad sector, say), so that what follows can be uploaded. The
    /// given up offsets are gone once their local segments are
    Skip(SkipArgs),
}

/// A look.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Only this topic
    pub topic: Option<String>,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// A loss that is accepted.
#[derive(Debug, Args)]
pub struct SkipArgs {
    /// The topic and its partition
    #[arg(value_name = "TOPIC:PARTITION")]
    pub partition: String,
    /// The first offset that is not given up
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(1..))]
    pub to: i64,
    /// Give up records whose upload has not failed, too
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Runs one of them.
pub fn run(command: &TierCommand) -> Result<(), Failure> {
    on_runtime(async {
        match command {
            TierCommand::Status(args) => status(args).await,
            TierCommand::Skip(args) => skip(args).await,
        }
    })
}

async fn status(args: &StatusArgs) -> Result<(), Failure> {
    let mut partitions: Vec<ShownTier> = AdminClient::new(&args.admin).get("/api/tier").await?;
    if let Some(topic) = &args.topic {
        partitions.retain(|partition| partition.topic == *topic);
        if partitions.is_empty() {
            return Err(Failure::new(Exit::NotFound, format!("there is no topic '{topic}'")));
        }
    }
    if args.json {
        return print_json(&partitions);
    }
    let columns =
        ["TOPIC", "PARTITION", "STATE", "LOG START", "TIERED TO", "LOCAL START", "LOG END", "WAITING", "FAILURES"];
    let mut shown = table(&columns);
    for partition in &partitions {
        let waiting = match partition.lag_segments {
            0 => "-".to_owned(),
            segments => format!("{segments} × {}", BinaryBytes(partition.lag_bytes / segments)),
        };
        shown.add_row([
            partition.topic.clone(),
            partition.partition.to_string(),
            state(partition).to_owned(),
            partition.log_start_offset.to_string(),
            or_dash(partition.tiered_to),
            partition.local_start_offset.to_string(),
            partition.log_end_offset.to_string(),
            waiting,
            partition.failures.to_string(),
        ]);
    }
    right_align(&mut shown, &[1, 3, 4, 5, 6, 8]);
    print(&text(&shown))?;
    for partition in &partitions {
        if let Some(error) = partition.stopped.as_ref().or(partition.last_error.as_ref()) {
            print_line(&format!("{}:{}: {error}", partition.topic, partition.partition))?;
        }
    }
    Ok(())
}

fn state(partition: &ShownTier) -> &'static str {
    match partition {
        ShownTier { stopped: Some(_), .. } => "stopped",
        ShownTier { enabled: false, .. } => "local only",
        ShownTier { paused: true, .. } => "paused",
        ShownTier { tiered_to: None, .. } => "unknown",
        ShownTier { uploading: true, .. } => "uploading",
        ShownTier { lag_segments: 1.., .. } => "waiting",
        _ => "up to date",
    }
}

async fn skip(args: &SkipArgs) -> Result<(), Failure> {
    let wrong = || Failure::usage(format!("'{}' is not TOPIC:PARTITION", args.partition));
    let (topic, partition) = args.partition.rsplit_once(':').ok_or_else(wrong)?;
    let partition: i32 = partition.parse().map_err(|_| wrong())?;
    let wish = SkipWish { topic: topic.to_owned(), partition, to: args.to, force: args.force };
    let skipped: Skipped = AdminClient::new(&args.admin).post("/api/tier/skip", &wish).await?;
    print_line(&format!("{}: gave up {} offsets before {}", args.partition, skipped.offsets, args.to))
}
