//! Our own words in a file's footer: JSON under one key, version 1.
//!
//! Invariant: what was written by version 1 is read for ever; a version that is not known is refused before anything else
//! of it is looked at.

use serde::{Deserialize, Serialize};

use crate::model::{LeaderEpoch, Offset, TimestampType, TopicName};
use crate::tiering::digest::Digest;

use super::error::FooterError;
use super::header::{Lineage, Run, SegmentHeader};

/// The key that they stand under.
pub(super) const KEY: &str = "tidelog";
const VERSION: u64 = 1;

/// What is said of a row group beside what Parquet says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowGroupWords {
    pub(super) base_offset: Offset,
    pub(super) max_timestamp_ms: i64,
    pub(super) max_timestamp_offset: Offset,
    /// Over offsets and timestamps.
    pub(super) times_crc: u32,
    /// Over all that a consumer reads.
    pub(super) crc: u32,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FooterWords {
    pub(super) header: SegmentHeader,
    pub(super) record_count: u64,
    pub(super) log_size_bytes: u64,
    pub(super) min_timestamp_ms: i64,
    pub(super) max_timestamp_ms: i64,
    pub(super) runs: Vec<Run>,
    pub(super) row_groups: Vec<RowGroupWords>,
    pub(super) digest: Digest,
    /// Where the producer snapshot lies: its first byte and its length.
    pub(super) producer_snapshot: Option<(u64, u64)>,
}

#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

#[derive(Serialize, Deserialize)]
struct Version1 {
    version: u64,
    topic: String,
    topic_id: String,
    partition: i32,
    base_offset: i64,
    end_offset: i64,
    generation: i64,
    replaces: Vec<String>,
    siblings: Vec<String>,
    record_count: u64,
    log_size_bytes: u64,
    min_timestamp: i64,
    max_timestamp: i64,
    runs: Vec<(i64, i32, Clock)>,
    /// Base offset, max timestamp, first offset that has it, CRC32C of offsets and timestamps, of the consumer's run.
    row_groups: Vec<(i64, i64, i64, u32, u32)>,
    digest: String,
    predecessor_digest: Option<String>,
    replaced_digests: Vec<String>,
    producer_snapshot: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Clock {
    CreateTime,
    LogAppendTime,
}

impl FooterWords {
    /// As JSON.
    pub(super) fn encode(&self) -> String {
        let SegmentHeader { topic_name, topic_id, partition, base_offset, end_offset, lineage } = &self.header;
        let words = Version1 {
            version: VERSION,
            topic: topic_name.to_string(),
            topic_id: topic_id.to_string(),
            partition: *partition,
            base_offset: base_offset.get(),
            end_offset: end_offset.get(),
            generation: lineage.generation,
            replaces: lineage.replaces.clone(),
            siblings: lineage.siblings.clone(),
            record_count: self.record_count,
            log_size_bytes: self.log_size_bytes,
            min_timestamp: self.min_timestamp_ms,
            max_timestamp: self.max_timestamp_ms,
            runs: self.runs.iter().map(run_words).collect(),
            row_groups: self.row_groups.iter().map(row_group_words).collect(),
            digest: self.digest.to_string(),
            predecessor_digest: lineage.predecessor_digest.map(|digest| digest.to_string()),
            replaced_digests: lineage.replaced_digests.iter().map(Digest::to_string).collect(),
            producer_snapshot: self.producer_snapshot,
        };
        serde_json::to_string(&words).expect("numbers and strings are always JSON")
    }

    /// From JSON.
    pub(super) fn decode(text: &str) -> Result<Self, FooterError> {
        let wrong = |error: serde_json::Error| FooterError::Json(error.to_string());
        match serde_json::from_str::<Versioned>(text).map_err(wrong)?.version {
            VERSION => serde_json::from_str::<Version1>(text).map_err(wrong)?.read(),
            other => Err(FooterError::Version(other)),
        }
    }
}

fn run_words(run: &Run) -> (i64, i32, Clock) {
    let clock = match run.timestamp_type {
        TimestampType::CreateTime => Clock::CreateTime,
        TimestampType::LogAppendTime => Clock::LogAppendTime,
    };
    (run.start_offset.get(), run.leader_epoch.get(), clock)
}

fn row_group_words(group: &RowGroupWords) -> (i64, i64, i64, u32, u32) {
    let RowGroupWords { base_offset, max_timestamp_ms, max_timestamp_offset, times_crc, crc } = *group;
    (base_offset.get(), max_timestamp_ms, max_timestamp_offset.get(), times_crc, crc)
}

impl Version1 {
    fn read(self) -> Result<FooterWords, FooterError> {
        fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, FooterError> {
            text.parse().map_err(|error: T::Err| FooterError::Json(error.to_string()))
        }
        let digests = |texts: &[String]| texts.iter().map(|text| parsed(text)).collect::<Result<Vec<Digest>, _>>();
        Ok(FooterWords {
            header: SegmentHeader {
                topic_name: TopicName::parse(&self.topic).map_err(|error| FooterError::Json(error.to_string()))?,
                topic_id: parsed(&self.topic_id)?,
                partition: self.partition,
                base_offset: Offset::new(self.base_offset),
                end_offset: Offset::new(self.end_offset),
                lineage: Lineage {
                    generation: self.generation,
                    predecessor_digest: self.predecessor_digest.as_deref().map(parsed).transpose()?,
                    replaced_digests: digests(&self.replaced_digests)?,
                    replaces: self.replaces,
                    siblings: self.siblings,
                },
            },
            record_count: self.record_count,
            log_size_bytes: self.log_size_bytes,
            min_timestamp_ms: self.min_timestamp,
            max_timestamp_ms: self.max_timestamp,
            runs: self
                .runs
                .into_iter()
                .map(|(start, epoch, clock)| Run {
                    start_offset: Offset::new(start),
                    leader_epoch: LeaderEpoch::new(epoch),
                    timestamp_type: match clock {
                        Clock::CreateTime => TimestampType::CreateTime,
                        Clock::LogAppendTime => TimestampType::LogAppendTime,
                    },
                })
                .collect(),
            row_groups: self
                .row_groups
                .into_iter()
                .map(|(base, max_timestamp_ms, at, times_crc, crc)| RowGroupWords {
                    base_offset: Offset::new(base),
                    max_timestamp_ms,
                    max_timestamp_offset: Offset::new(at),
                    times_crc,
                    crc,
                })
                .collect(),
            digest: parsed(&self.digest)?,
            producer_snapshot: self.producer_snapshot,
        })
    }
}
