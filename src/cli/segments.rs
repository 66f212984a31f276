//! `tidelog segments`: which remote segments there are, what is in one, and whether catalog and bucket agree.

use clap::{Args, Subcommand};
use indicatif::{BinaryBytes, HumanCount};

use crate::admin::shown::ShownSegment;

use super::inspect::{self, InspectArgs};
use super::machine::on_runtime;
use super::outcome::Failure;
use super::output::{print, print_json, print_line};
use super::rows::RowsArgs;
use super::table::{counted, right_align, table, text};
use super::verify::{self, VerifyArgs};

/// What to do with remote segments.
#[derive(Debug, Subcommand)]
pub enum SegmentsCommand {
    /// List the live remote segments: exactly what is in the log, while a look into the bucket may for a while show
    /// objects on their way in or out
    List(ListArgs),
    /// Show what one remote segment says of itself
    Inspect(InspectArgs),
    /// Compare catalog and bucket, and check every object's records; repairs and deletes nothing
    Verify(VerifyArgs),
}

/// A list.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this topic
    pub topic: Option<String>,
    /// Only this partition
    #[arg(short, long)]
    pub partition: Option<i32>,
    /// With --catalog: where the bucket is, which the catalog does not say; the URL of each object begins with it
    #[arg(long, value_name = "URL", requires = "catalog")]
    pub bucket: Option<String>,
    /// Those on their way in or out too
    #[arg(long)]
    pub all: bool,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    rows: RowsArgs,
}

/// Runs one of them.
pub fn run(command: &SegmentsCommand) -> Result<(), Failure> {
    on_runtime(async {
        match command {
            SegmentsCommand::List(args) => list(args).await,
            SegmentsCommand::Inspect(args) => inspect::run(args).await,
            SegmentsCommand::Verify(args) => verify::run(args).await,
        }
    })
}

async fn list(args: &ListArgs) -> Result<(), Failure> {
    let rows = args.rows.open(args.bucket.as_deref()).await?;
    let mut segments = Vec::new();
    for partition in &rows.partitions(args.topic.as_deref(), args.partition).await? {
        segments.extend(rows.live(partition).await?);
    }
    if args.all {
        let passing = rows.passing().await?;
        let is_wanted = |segment: &ShownSegment| {
            let of_topic = args.topic.is_none() || segment.topic == args.topic;
            of_topic && args.partition.is_none_or(|partition| partition == segment.partition)
        };
        segments.extend(passing.segments.into_iter().filter(is_wanted));
    }
    rows.close().await;
    if args.json {
        return print_json(&segments);
    }
    if segments.is_empty() {
        return print_line("no remote segments yet");
    }
    let mut shown = table(&["TOPIC", "PARTITION", "STATE", "FIRST", "LAST", "RECORDS", "OBJECT", "LOG", "KEY"]);
    for segment in &segments {
        shown.add_row([
            segment.topic.clone().unwrap_or_else(|| "(deleted)".to_owned()),
            segment.partition.to_string(),
            segment.state.clone(),
            segment.base_offset.to_string(),
            segment.end_offset.to_string(),
            segment.records.to_string(),
            BinaryBytes(segment.object_bytes).to_string(),
            BinaryBytes(segment.log_bytes).to_string(),
            segment.key.clone(),
        ]);
    }
    right_align(&mut shown, &[1, 3, 4, 5, 6, 7]);
    print(&text(&shown))?;
    let (records, object, log) = segments.iter().fold((0, 0, 0), |(records, object, log), segment| {
        (records + segment.records, object + segment.object_bytes, log + segment.log_bytes)
    });
    print_line(&format!(
        "\n{}: {} records, {} in the bucket for {} of log",
        counted(segments.len(), "segment"),
        HumanCount(records),
        BinaryBytes(object),
        BinaryBytes(log)
    ))
}
