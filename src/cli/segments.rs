//! `tidelog segments`: which remote segments there are, what is in one, and whether catalog and bucket agree.

use clap::{Args, Subcommand};
use indicatif::{BinaryBytes, HumanCount};

use crate::admin::shown::{SegmentsPage, ShownSegment, ShownTier};

use super::admin_client::{AdminArgs, AdminClient, query};
use super::inspect::{self, InspectArgs};
use super::outcome::{Exit, Failure};
use super::output::{print, print_json, print_line};
use super::run::on_runtime;
use super::table::{right_align, table, text};
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
    /// Those on their way in or out too
    #[arg(long)]
    pub all: bool,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    admin: AdminArgs,
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
    let admin = AdminClient::new(&args.admin);
    let wanted = wanted(&admin, args.topic.as_deref(), args.partition).await?;
    let mut segments = Vec::new();
    for partition in &wanted {
        segments.extend(live(&admin, &partition.topic, partition.partition).await?);
    }
    if args.all {
        let passing: SegmentsPage = admin.get("/api/segments/passing").await?;
        let is_wanted = |segment: &ShownSegment| {
            let of_topic = args.topic.is_none() || segment.topic == args.topic;
            of_topic && args.partition.is_none_or(|partition| partition == segment.partition)
        };
        segments.extend(passing.segments.into_iter().filter(is_wanted));
    }
    if args.json {
        return print_json(&segments);
    }
    if segments.is_empty() {
        return print_line("no remote segments yet");
    }
    let mut shown = table(&["TOPIC", "PARTITION", "STATE", "BASE", "END", "RECORDS", "OBJECT", "LOG", "KEY"]);
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
        "\n{} segments: {} records, {} in the bucket for {} of log",
        segments.len(),
        HumanCount(records),
        BinaryBytes(object),
        BinaryBytes(log)
    ))
}

/// The partitions that a topic and a number name; all of them where nothing is named.
pub(super) async fn wanted(
    admin: &AdminClient,
    topic: Option<&str>,
    partition: Option<i32>,
) -> Result<Vec<ShownTier>, Failure> {
    let mut partitions: Vec<ShownTier> = admin.get("/api/tier").await?;
    partitions.retain(|tier| topic.is_none_or(|topic| topic == tier.topic));
    if let Some(topic) = topic.filter(|_| partitions.is_empty()) {
        return Err(Failure::new(Exit::NotFound, format!("there is no topic '{topic}'")));
    }
    partitions.retain(|tier| partition.is_none_or(|partition| partition == tier.partition));
    match (partitions.is_empty(), topic, partition) {
        (true, Some(topic), Some(partition)) => {
            Err(Failure::new(Exit::NotFound, format!("topic '{topic}' has no partition {partition}")))
        }
        _ => Ok(partitions),
    }
}

/// All live segments of a partition, in order.
pub(super) async fn live(admin: &AdminClient, topic: &str, partition: i32) -> Result<Vec<ShownSegment>, Failure> {
    let mut segments = Vec::new();
    let mut from = 0;
    loop {
        let path = format!("/api/segments?topic={}&partition={partition}&from={from}", query(topic));
        let page: SegmentsPage = admin.get(&path).await?;
        segments.extend(page.segments);
        match page.next {
            Some(next) => from = next,
            None => return Ok(segments),
        }
    }
}
