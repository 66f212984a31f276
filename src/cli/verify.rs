//! `tidelog segments verify`: whether catalog and bucket agree, and whether every object holds what it says.
//!
//! # Consistency
//! The bucket is listed first, then the catalog is read: whatever the listing shows had a row before it had a byte, so an
//! object without a row is either nobody's, or gone by the time it is looked for again. The rows on their way are read before
//! the live ones and again behind them, so that none is missed while it goes from one state to the next.
//!
//! All this takes hours, and retention goes on: what looks wrong is asked of the catalog again before it is said.

use std::collections::HashMap;

use clap::Args;
use futures::{StreamExt, TryStreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::admin::shown::{SegmentsPage, ShownSegment, ShownTier};
use crate::object_storage::{Bucket, ObjectKey, key};

use super::bucket_args::BucketArgs;
use super::outcome::{Exit, Failure};
use super::output::{print_json, print_line, tell};
use super::rows::{Rows, RowsArgs};
use super::segment_object::{ObjectError, Place, SegmentObject};
use super::table::counted;

/// Objects that are checked at once.
const AT_ONCE: usize = 4;
/// The kind of a finding that says nothing about the object: the bucket did not answer.
const UNANSWERED: &str = "unanswered";

/// What to verify.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Only this topic
    pub topic: Option<String>,
    /// Only this partition
    #[arg(short, long)]
    pub partition: Option<i32>,
    /// Footers only, not every record
    #[arg(long)]
    pub quick: bool,
    /// JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    rows: RowsArgs,
    #[command(flatten)]
    bucket: BucketArgs,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    /// What kind: missing, damaged, unreadable, unanswered, mismatch, gap, unknown.
    kind: &'static str,
    /// Where.
    place: String,
    /// What, and what it means.
    text: String,
}

#[derive(Debug, Default, Serialize)]
struct Verified {
    partitions: usize,
    segments: usize,
    /// Those whose object is what the catalog says.
    good_segments: usize,
    /// Those that have expired meanwhile.
    gone_segments: usize,
    records: u64,
    object_bytes: u64,
    records_checked: bool,
    findings: Vec<Finding>,
}

/// Runs it.
pub(super) async fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let rows = args.rows.open(args.bucket.bucket.as_deref()).await?;
    let says = match (&args.bucket.bucket, rows.bucket_url().await?) {
        (Some(given), _) => given.clone(),
        (None, Some(says)) => says,
        (None, None) => return Err(Failure::usage("a catalog does not say where its bucket is: give --bucket")),
    };
    let bucket = args.bucket.open(&says).await?;
    let partitions = rows.partitions(args.topic.as_deref(), args.partition).await?;
    // Before the rows: see above.
    let listed = if args.topic.is_none() { Some((listing(&bucket).await?, rows.passing().await?)) } else { None };
    let mut verified = Verified { partitions: partitions.len(), records_checked: !args.quick, ..Verified::default() };
    let mut segments = Vec::new();
    for partition in &partitions {
        let (live, found) = tiling(&rows, partition).await?;
        verified.findings.extend(found);
        segments.extend(live);
    }
    verified.segments = segments.len();
    verified.records = segments.iter().map(|segment| segment.records).sum();
    verified.object_bytes = segments.iter().map(|segment| segment.object_bytes).sum();
    for checked in check_objects(args, &rows, &bucket, &segments).await {
        match checked {
            Checked::Good => verified.good_segments += 1,
            Checked::Gone => verified.gone_segments += 1,
            Checked::Wrong(finding) => verified.findings.push(finding),
        }
    }
    if let Some((listed, passing)) = listed {
        verified.findings.extend(unknown(&rows, &bucket, listed, passing, &segments).await?);
    }
    rows.close().await;
    report(args, &verified)
}

fn report(args: &VerifyArgs, verified: &Verified) -> Result<(), Failure> {
    if args.json {
        print_json(verified)?;
    } else {
        for finding in &verified.findings {
            print_line(&format!("{}: {}: {}", finding.kind, finding.place, finding.text))?;
        }
        let how = if args.quick { "footers read" } else { "every record decoded" };
        print_line(&format!(
            "{}, {}, {} records, {}; as the catalog says, {how}: {}",
            counted(verified.partitions, "partition"),
            counted(verified.segments, "segment"),
            verified.records,
            indicatif::BinaryBytes(verified.object_bytes),
            verified.good_segments
        ))?;
        if verified.gone_segments > 0 {
            print_line(&format!("{} expired meanwhile", counted(verified.gone_segments, "segment")))?;
        }
    }
    outcome(&verified.findings)
}

/// Where all that was found is that the bucket is away, nothing is wrong with what was checked: it was not.
fn outcome(findings: &[Finding]) -> Result<(), Failure> {
    let unanswered = findings.iter().filter(|finding| finding.kind == UNANSWERED).count();
    if unanswered > 0 && unanswered == findings.len() {
        let text = format!(
            "the bucket did not answer, or refused: {unanswered} segments were not checked; nothing was changed"
        );
        return Err(Failure::new(Exit::Unreachable, text));
    }
    match findings.len() {
        0 => Ok(()),
        1 => Err(Failure::new(Exit::Wrong, "1 finding; nothing was changed")),
        count => Err(Failure::new(Exit::Wrong, format!("{count} findings; nothing was changed"))),
    }
}

/// What lies in the bucket and is a segment, or would be read as one by a glob, with its size.
async fn listing(bucket: &Bucket) -> Result<HashMap<String, u64>, Failure> {
    let mut listed = HashMap::new();
    let mut objects = bucket.list(&key::all_topics());
    let unreachable = |error| Failure::new(Exit::Unreachable, error);
    while let Some(object) = objects.try_next().await.map_err(unreachable)? {
        if key::parse_data(&object.key).is_some() || object.key.as_str().ends_with(".parquet") {
            listed.insert(object.key.as_str().to_owned(), object.size_bytes);
        }
    }
    Ok(listed)
}

/// How often a partition's rows are read anew while they look wrong.
const LOOKS: usize = 3;

/// The live segments of a partition, and what is wrong with how they follow each other.
async fn tiling(rows: &Rows, partition: &ShownTier) -> Result<(Vec<ShownSegment>, Vec<Finding>), Failure> {
    let mut before = partition.clone();
    let mut seen = (Vec::new(), Vec::new());
    for _ in 0..LOOKS {
        let live = rows.live(&before).await?;
        let found = gaps(&before, &live);
        let clean = found.is_empty();
        seen = (live, found);
        if clean {
            break;
        }
        // What has expired since lies below the log start of now, and what was tiered since is not missed.
        let Some(now) = rows.partition_now(&before).await? else { return Ok((Vec::new(), Vec::new())) };
        let between = ShownTier { log_start_offset: now.log_start_offset, ..before };
        seen.1 = gaps(&between, &seen.0);
        before = now;
    }
    Ok(seen)
}

/// Offsets that no live segment stands for, and those that two do.
fn gaps(partition: &ShownTier, rows: &[ShownSegment]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let place = format!("{}:{}", partition.topic, partition.partition);
    let mut finding = |text: String| findings.push(Finding { kind: "gap", place: place.clone(), text });
    let mut next = partition.log_start_offset;
    for row in rows {
        if row.base_offset > next {
            finding(format!("no segment holds the offsets from {next} to {}", row.base_offset - 1));
        } else if row.base_offset < next && next > partition.log_start_offset {
            finding(format!("two segments hold the offsets from {} to {}", row.base_offset, next - 1));
        }
        next = next.max(row.end_offset + 1);
    }
    if let Some(tiered_to) = partition.tiered_to.filter(|tiered_to| *tiered_to > next) {
        finding(format!("no segment holds the offsets from {next} to {}", tiered_to - 1));
    }
    findings
}

/// What became of one segment's check.
enum Checked {
    Good,
    /// It is no live one any more: nothing is to be said of its object.
    Gone,
    Wrong(Finding),
}

async fn check_objects(args: &VerifyArgs, rows: &Rows, bucket: &Bucket, segments: &[ShownSegment]) -> Vec<Checked> {
    let bar = progress(segments);
    let checks = futures::stream::iter(segments).map(|segment| {
        let bar = bar.clone();
        async move {
            let checked = check_object(args, bucket, segment).await;
            bar.inc(segment.object_bytes);
            let Err((kind, text)) = checked else { return Checked::Good };
            let finding = |kind, text| Checked::Wrong(Finding { kind, place: segment.key.clone(), text });
            if kind == UNANSWERED {
                return finding(kind, text);
            }
            match rows.is_live(segment).await {
                Ok(true) => finding(kind, text),
                Ok(false) => Checked::Gone,
                Err(error) => {
                    finding(UNANSWERED, format!("{text}, and whether it is still to be there is not known: {error}"))
                }
            }
        }
    });
    let checked: Vec<Checked> = checks.buffered(AT_ONCE).collect().await;
    bar.finish_and_clear();
    checked
}

fn progress(segments: &[ShownSegment]) -> ProgressBar {
    use std::io::IsTerminal as _;
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(segments.iter().map(|segment| segment.object_bytes).sum());
    if let Ok(style) = ProgressStyle::with_template("checked {bar:40} {bytes} of {total_bytes} ({bytes_per_sec})") {
        bar.set_style(style);
    }
    bar
}

async fn check_object(
    args: &VerifyArgs,
    bucket: &Bucket,
    segment: &ShownSegment,
) -> Result<(), (&'static str, String)> {
    let wrong = |error: ObjectError| match error {
        ObjectError::Missing => ("missing", error.to_string()),
        ObjectError::Unanswered(_) => (UNANSWERED, error.to_string()),
        ObjectError::Unreadable(_) => ("unreadable", error.to_string()),
        ObjectError::Damaged(_) => ("damaged", error.to_string()),
    };
    let key = ObjectKey::parse(&segment.key).map_err(|error| ("damaged", error.to_string()))?;
    let object = SegmentObject::open(Place::Object(bucket.clone(), key)).await.map_err(wrong)?;
    let header = object.footer().header();
    let differs = |what: &str, object: String, catalog: String| {
        Err(("mismatch", format!("its {what} is {object}, the catalog says {catalog}")))
    };
    if object.size_bytes() != segment.object_bytes {
        return differs("size", object.size_bytes().to_string(), segment.object_bytes.to_string());
    }
    let whose = (header.topic_id.to_string(), header.partition);
    if whose != (segment.topic_id.clone(), segment.partition) {
        return differs("partition", format!("{whose:?}"), format!("({}, {})", segment.topic_id, segment.partition));
    }
    // A row may stand for less than its object.
    if header.base_offset.get() > segment.base_offset || header.end_offset.get() < segment.end_offset {
        let range = |base: i64, end: i64| format!("{base} to {end}");
        let own = range(header.base_offset.get(), header.end_offset.get());
        return differs("range", own, range(segment.base_offset, segment.end_offset));
    }
    let digest = object.footer().digest().to_string();
    if digest != segment.digest {
        return differs("digest", digest, segment.digest.clone());
    }
    if !args.quick {
        object.check_records().await.map_err(wrong)?;
    }
    Ok(())
}

/// Objects that no row of the catalog names.
async fn unknown(
    rows: &Rows,
    bucket: &Bucket,
    mut listed: HashMap<String, u64>,
    passed: SegmentsPage,
    live: &[ShownSegment],
) -> Result<Vec<Finding>, Failure> {
    let passing = rows.passing().await?;
    if passing.truncated || passed.truncated {
        tell("too many segments are on their way to tell which objects are nobody's; ask again later");
        return Ok(Vec::new());
    }
    for segment in live.iter().chain(&passed.segments).chain(&passing.segments) {
        listed.remove(&segment.key);
    }
    let mut nobodys: Vec<(String, u64)> = listed.into_iter().collect();
    nobodys.sort();
    let mut findings = Vec::new();
    for (place, size) in nobodys {
        let Ok(key) = ObjectKey::parse(&place) else { continue };
        // What was live when it was listed may be gone by now.
        let still_there = bucket.size(&key).await.map_err(|error| Failure::new(Exit::Unreachable, error))?;
        if still_there.is_some() {
            let text = format!("{size} bytes that no row of the catalog names; nothing deletes it by itself");
            findings.push(Finding { kind: "unknown", place, text });
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object_storage::{BucketError, ErrorKind, Operation};

    fn row(base_offset: i64, end_offset: i64) -> ShownSegment {
        ShownSegment { base_offset, end_offset, ..ShownSegment::default() }
    }

    fn found(log_start_offset: i64, tiered_to: i64, rows: &[ShownSegment]) -> Vec<String> {
        let tier = ShownTier { log_start_offset, tiered_to: Some(tiered_to), ..ShownTier::default() };
        gaps(&tier, rows).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn a_bucket_that_is_away_is_not_a_damaged_one() {
        let finding = |kind| Finding { kind, place: "x".to_owned(), text: "y".to_owned() };
        let exit = |kinds: &[&'static str]| {
            let findings: Vec<Finding> = kinds.iter().copied().map(finding).collect();
            outcome(&findings).err().map(|failure| failure.exit)
        };
        assert_eq!(exit(&[]), None);
        assert_eq!(exit(&[UNANSWERED, UNANSWERED]), Some(Exit::Unreachable));
        assert_eq!(exit(&[UNANSWERED, "damaged"]), Some(Exit::Wrong));
        let error = |kind| ObjectError::from(BucketError::new(kind, Operation::Size, "k", "so it says"));
        for kind in
            [ErrorKind::Unavailable, ErrorKind::TimedOut, ErrorKind::Throttled, ErrorKind::Denied, ErrorKind::NoBucket]
        {
            assert!(matches!(error(kind), ObjectError::Unanswered(_)), "{kind}");
        }
        assert!(matches!(error(ErrorKind::NotFound), ObjectError::Missing));
        assert!(matches!(error(ErrorKind::Corrupt), ObjectError::Unreadable(_)));
    }

    #[test]
    fn live_segments_tile_what_is_tiered() {
        assert!(found(0, 20, &[row(0, 9), row(10, 19)]).is_empty());
        assert!(found(5, 20, &[row(0, 9), row(10, 19)]).is_empty(), "log start may cut the first");
        assert!(found(0, 0, &[]).is_empty());
        assert_eq!(found(0, 20, &[row(0, 9)]), ["no segment holds the offsets from 10 to 19"]);
        assert_eq!(found(0, 20, &[row(0, 9), row(12, 19)]), ["no segment holds the offsets from 10 to 11"]);
        assert_eq!(found(0, 20, &[row(0, 9), row(8, 19)]), ["two segments hold the offsets from 8 to 9"]);
    }
}
