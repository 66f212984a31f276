//! `tidelog tier`: how far tiering is, and giving up what cannot be uploaded.

use clap::{Args, Subcommand};
use indicatif::BinaryBytes;
use serde::Serialize;

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
    #[arg(long, value_name = "OFFSET", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(1..))]
    pub to: i64,
    /// Give up records whose upload has not failed, too
    #[arg(long)]
    pub force: bool,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
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
    let mut partitions: Vec<ShownTier> = AdminClient::new(&args.admin)?.get("/api/tier").await?;
    if let Some(topic) = &args.topic {
        partitions.retain(|partition| partition.topic == *topic);
        if partitions.is_empty() {
            return Err(Failure::new(Exit::NotFound, format!("there is no topic '{topic}'")));
        }
    }
    if args.json {
        return print_json(&partitions);
    }
    let columns = [
        "TOPIC",
        "PARTITION",
        "STATE",
        "DAMAGED",
        "LOG START",
        "TIERED TO",
        "LOCAL START",
        "LOG END",
        "LOCAL ONLY",
        "WAITING",
        "FAILURES",
    ];
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
            or_dash(i64::try_from(partition.damaged.len()).ok().filter(|damages| *damages > 0)),
            partition.log_start_offset.to_string(),
            or_dash(partition.tiered_to.filter(|tiered_to| *tiered_to > 0)),
            partition.local_start_offset.to_string(),
            partition.log_end_offset.to_string(),
            or_dash(local_only(partition)),
            waiting,
            partition.failures.to_string(),
        ]);
    }
    right_align(&mut shown, &[1, 3, 4, 5, 6, 7, 8, 10]);
    print(&text(&shown))?;
    for partition in &partitions {
        if let Some(error) = partition.stopped.as_ref().or(partition.last_error.as_ref()) {
            print_line(&format!("{}:{}: {error}", partition.topic, partition.partition))?;
        }
        for damage in &partition.damaged {
            print_line(&format!("{}:{}: {damage}", partition.topic, partition.partition))?;
        }
    }
    Ok(())
}

/// Offsets that are not in the bucket: waiting, being uploaded, or in the open segment, which is not for uploading yet.
fn local_only(partition: &ShownTier) -> Option<i64> {
    let from = partition.tiered_to?.max(partition.log_start_offset);
    partition.enabled.then_some((partition.log_end_offset - from).max(0))
}

/// How its uploads are; what of it cannot be read has a column of its own.
fn state(partition: &ShownTier) -> &'static str {
    match partition {
        ShownTier { stopped: Some(_), .. } => "stopped",
        ShownTier { enabled: false, .. } => "local only",
        ShownTier { paused: true, .. } => "paused",
        ShownTier { tiered_to: None, .. } => "unknown",
        ShownTier { uploading: true, .. } => "uploading",
        ShownTier { lag_segments: 1.., .. } => "waiting",
        _ if local_only(partition).is_some_and(|offsets| offsets > 0) => "open segment",
        _ => "up to date",
    }
}

#[derive(Serialize)]
struct Done<'a> {
    topic: &'a str,
    partition: i32,
    /// How many were given up.
    offsets: u64,
    /// The first that was not.
    to: i64,
}

async fn skip(args: &SkipArgs) -> Result<(), Failure> {
    let wrong = || Failure::usage(format!("'{}' is not TOPIC:PARTITION", args.partition));
    let (topic, partition) = args.partition.rsplit_once(':').ok_or_else(wrong)?;
    let partition: i32 = partition.parse().map_err(|_| wrong())?;
    let wish = SkipWish { topic: topic.to_owned(), partition, to: args.to, force: args.force };
    let skipped: Skipped = AdminClient::new(&args.admin)?.post("/api/tier/skip", &wish).await?;
    if args.json {
        return print_json(&Done { topic, partition, offsets: skipped.offsets, to: args.to });
    }
    print_line(&format!("{}: gave up {} offsets before {}", args.partition, skipped.offsets, args.to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_segment_is_neither_up_to_date_nor_waiting() {
        let partition = |tiered_to, log_end_offset, lag_segments| ShownTier {
            enabled: true,
            log_start_offset: 5,
            tiered_to,
            log_end_offset,
            lag_segments,
            ..ShownTier::default()
        };
        for (tiered_to, end, lag, said, offsets) in [
            (Some(10), 10, 0, "up to date", Some(0)),
            (Some(10), 14, 0, "open segment", Some(4)),
            (Some(0), 14, 0, "open segment", Some(9)),
            (Some(10), 14, 1, "waiting", Some(4)),
            (None, 14, 0, "unknown", None),
        ] {
            let shown = partition(tiered_to, end, lag);
            assert_eq!((state(&shown), local_only(&shown)), (said, offsets));
            let damaged = ShownTier { damaged: vec!["an object".to_owned()], ..shown };
            assert_eq!(state(&damaged), said, "what cannot be read says nothing of the uploads");
        }
    }
}
