//! `tidelog segments inspect`: what one remote segment says of itself.

use std::path::Path;

use clap::Args;
use indicatif::BinaryBytes;
use serde::Serialize;

use crate::disk::{Disk as _, Open, RealDisk};
use crate::object_storage::{ObjectKey, key};
use crate::tiering::parquet::{Footer, RowGroupMeta, Run};

use super::admin_client::{AdminArgs, AdminClient};
use super::bucket_args::BucketArgs;
use super::outcome::{Exit, Failure};
use super::output::{print, print_json};
use super::segment_object::{ObjectError, Place, SegmentObject};
use super::table::{right_align, table, text, time};

/// Which segment.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Its key in the bucket or its URL, as `segments list` shows them, or a file
    pub segment: String,
    /// Decode every record and compare the digest
    #[arg(long)]
    pub records: bool,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    admin: AdminArgs,
    #[command(flatten)]
    bucket: BucketArgs,
}

#[derive(Serialize)]
struct Inspected {
    topic: String,
    topic_id: String,
    partition: i32,
    base_offset: i64,
    end_offset: i64,
    records: u64,
    object_bytes: u64,
    log_bytes: u64,
    footer_bytes: usize,
    min_timestamp: i64,
    max_timestamp: i64,
    generation: i64,
    replaces: Vec<String>,
    digest: String,
    predecessor_digest: Option<String>,
    producer_snapshot_bytes: Option<u64>,
    records_checked: bool,
    runs: Vec<InspectedRun>,
    row_groups: Vec<InspectedRowGroup>,
}

#[derive(Serialize)]
struct InspectedRun {
    start_offset: i64,
    leader_epoch: i32,
    timestamp_type: &'static str,
}

#[derive(Serialize)]
struct InspectedRowGroup {
    base_offset: i64,
    records: usize,
    bytes: u64,
    max_timestamp: i64,
}

/// Runs it.
pub(super) async fn run(args: &InspectArgs) -> Result<(), Failure> {
    let object = SegmentObject::open(place(args).await?).await.map_err(|error| failure(args, &error))?;
    if args.records {
        object.check_records().await.map_err(|error| failure(args, &error))?;
    }
    let inspected = inspected(object.footer(), object.size_bytes(), args.records);
    if args.json {
        return print_json(&inspected);
    }
    print(&shown(&inspected))
}

async fn place(args: &InspectArgs) -> Result<Place, Failure> {
    if args.segment.contains("://") {
        let (bucket, key) = parts(&args.segment).ok_or_else(|| {
            Failure::usage(format!("{}: no URL of a segment, as segments list --json shows it", args.segment))
        })?;
        return Ok(Place::Object(args.bucket.open(bucket).await?, key));
    }
    let path = Path::new(&args.segment);
    match path.try_exists() {
        Ok(true) if path.is_dir() => {
            let text = format!("{}: a folder; name one Parquet file of it", args.segment);
            return Err(Failure::usage(text));
        }
        Ok(true) => {
            let file = RealDisk.open(path, Open::Read);
            let file = file.map_err(|error| Failure::failed(format!("{}: {error}", args.segment)))?;
            return Ok(Place::File(file));
        }
        Ok(false) => {}
        Err(error) => return Err(Failure::failed(format!("{}: {error}", args.segment))),
    }
    // Before anybody is asked: whoever means a file need not have a bucket. A key that is not quite one is asked for.
    let key = ObjectKey::parse(&args.segment).ok().filter(|key| key::all_topics().holds(key)).ok_or_else(|| {
        let text = format!("{}: there is no such file here, and it is no segment's key in the bucket", args.segment);
        Failure::new(Exit::NotFound, text)
    })?;
    let says = match &args.bucket.bucket {
        Some(bucket) => bucket.clone(),
        None => AdminClient::new(&args.admin)?.broker().await?.bucket,
    };
    Ok(Place::Object(args.bucket.open(&says).await?, key))
}

/// The bucket's URL and the key in a segment's URL. A bucket's prefix or a topic may be called `topics` too: the key is
/// what reads as one.
fn parts(url: &str) -> Option<(&str, ObjectKey)> {
    url.match_indices("/topics/").find_map(|(at, _)| {
        let (bucket, key) = (url.get(..at)?, ObjectKey::parse(url.get(at + 1..)?).ok()?);
        key::parse_data(&key).map(|_| (bucket, key))
    })
}

fn failure(args: &InspectArgs, error: &ObjectError) -> Failure {
    let exit = match error {
        ObjectError::Missing => Exit::NotFound,
        ObjectError::Unanswered(_) | ObjectError::Unreadable(_) => Exit::Unreachable,
        ObjectError::Damaged(_) => Exit::Wrong,
    };
    let no_file = if matches!(error, ObjectError::Missing) { "there is no such file here, and as a key " } else { "" };
    Failure::new(exit, format!("{}: {no_file}{error}", args.segment))
}

fn inspected(footer: &Footer, object_bytes: u64, records_checked: bool) -> Inspected {
    let header = footer.header();
    let (min_timestamp, max_timestamp) = footer.timestamps_ms();
    let run = |run: &Run| InspectedRun {
        start_offset: run.start_offset.get(),
        leader_epoch: run.leader_epoch.get(),
        timestamp_type: run.timestamp_type.name(),
    };
    let row_group = |group: &RowGroupMeta| InspectedRowGroup {
        base_offset: group.base_offset.get(),
        records: group.rows,
        bytes: group.bytes.end - group.bytes.start,
        max_timestamp: group.max_timestamp_ms,
    };
    Inspected {
        topic: header.topic_name.as_str().to_owned(),
        topic_id: header.topic_id.to_string(),
        partition: header.partition,
        base_offset: header.base_offset.get(),
        end_offset: header.end_offset.get(),
        records: footer.record_count(),
        object_bytes,
        log_bytes: footer.log_size_bytes(),
        footer_bytes: footer.footer_bytes(),
        min_timestamp,
        max_timestamp,
        generation: header.lineage.generation,
        replaces: header.lineage.replaces.clone(),
        digest: footer.digest().to_string(),
        predecessor_digest: header.lineage.predecessor_digest.map(|digest| digest.to_string()),
        producer_snapshot_bytes: footer.producer_snapshot().map(|range| range.end - range.start),
        records_checked,
        runs: footer.runs().iter().map(run).collect(),
        row_groups: footer.row_groups().iter().map(row_group).collect(),
    }
}

fn shown(segment: &Inspected) -> String {
    let mut facts = table(&["", ""]);
    facts.set_header(Vec::<String>::new());
    let mut fact = |name: &str, value: String| {
        facts.add_row([name.to_owned(), value]);
    };
    fact("topic", format!("{} ({})", segment.topic, segment.topic_id));
    fact("partition", segment.partition.to_string());
    fact("offsets", format!("{} to {}", segment.base_offset, segment.end_offset));
    fact("records", segment.records.to_string());
    fact("timestamps", format!("{} to {}", time(segment.min_timestamp), time(segment.max_timestamp)));
    let packed = format!("{} for {} of log", BinaryBytes(segment.object_bytes), BinaryBytes(segment.log_bytes));
    fact("object", packed);
    fact("footer", BinaryBytes(segment.footer_bytes as u64).to_string());
    let snapshot =
        segment.producer_snapshot_bytes.map_or_else(|| "-".to_owned(), |bytes| BinaryBytes(bytes).to_string());
    fact("producer snapshot", snapshot);
    fact("generation", segment.generation.to_string());
    fact("digest", segment.digest.clone());
    fact("digest before", segment.predecessor_digest.clone().unwrap_or_else(|| "-".to_owned()));
    if segment.records_checked {
        fact("checked", "every record was decoded; the digest is right".to_owned());
    }
    let mut runs = table(&["RUN FROM", "LEADER EPOCH", "TIMESTAMPS"]);
    for run in &segment.runs {
        runs.add_row([run.start_offset.to_string(), run.leader_epoch.to_string(), run.timestamp_type.to_owned()]);
    }
    right_align(&mut runs, &[0, 1]);
    let mut groups = table(&["ROW GROUP", "BASE", "RECORDS", "BYTES", "MAX TIMESTAMP"]);
    for (number, group) in segment.row_groups.iter().enumerate() {
        groups.add_row([
            number.to_string(),
            group.base_offset.to_string(),
            group.records.to_string(),
            group.bytes.to_string(),
            time(group.max_timestamp),
        ]);
    }
    right_align(&mut groups, &[0, 1, 2, 3, 4]);
    format!("{}\n{}\n{}", text(&facts), text(&runs), text(&groups))
}
