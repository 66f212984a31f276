//! One reading of the whole topic from offset 0: digests, offsets without gap or duplicate, and where each came from.
//!
//! The broker does not say where a batch lay, and need not: what comes from local disk is the producer's own batch, with
//! the producer's id in it, and what comes from the bucket was built anew and has none.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use serde::Serialize;

use crate::cli::outcome::{Exit, Failure};
use crate::cli::progress::{Done, Progress};
use crate::cli::reading::{Arrived, Cursor, Reading};
use crate::net::client::fetch::FetchBounds;
use crate::net::client::offsets::OffsetSpec;
use crate::tiering::digest::{Digest, RecordDigest};

use super::stage::Stage;

/// Where records lay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tier {
    /// On the broker's disk.
    Local,
    /// In the bucket.
    Bucket,
}

/// Offsets that lay in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Stretch {
    pub(super) tier: Tier,
    pub(super) offsets: Range<i64>,
    pub(super) bytes: u64,
}

/// What was read of one partition.
#[derive(Debug, Default)]
pub(super) struct PartitionPass {
    pub(super) records: i64,
    pub(super) stretches: Vec<Stretch>,
    digest: RecordDigest,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) partitions: BTreeMap<i32, PartitionPass>,
    pub(super) done: Done,
    /// Batches rebuilt or not, as they came over the wire.
    pub(super) wire_bytes: u64,
}

/// Digest and count of what was sent to a partition, in order.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) records: i64,
    pub(super) digest: RecordDigest,
}

/// Reads all of `topic`.
pub(super) async fn read_all(stage: &Stage, topic: &str, what: &'static str) -> Result<Pass, Failure> {
    let metadata = stage.client.metadata(Some(&[topic])).await?;
    let partitions: BTreeMap<i32, i32> = metadata
        .topics
        .get(topic)
        .map(|topic| topic.partitions.iter().map(|(number, partition)| (*number, partition.leader)).collect())
        .unwrap_or_default();
    let numbers: Vec<i32> = partitions.keys().copied().collect();
    let ends = stage.client.offsets(topic, &numbers, OffsetSpec::Latest).await?;
    let cursor = |number: &i32| Cursor { next: 0, end: ends.get(number).copied().flatten() };
    let cursors = numbers.iter().map(|number| (*number, cursor(number))).collect();
    let bounds = FetchBounds::default();
    let reading = Reading::start(std::sync::Arc::clone(&stage.client), topic, cursors, partitions, bounds);
    let mut progress = Progress::start(what, &stage.clock);
    let mut read: BTreeMap<i32, PartitionPass> = BTreeMap::new();
    let mut wire_bytes = 0;
    reading
        .run(|arrived| {
            wire_bytes += arrived.size_bytes() as u64;
            let (records, bytes) = read.entry(arrived.partition).or_default().take(arrived)?;
            progress.add(records, bytes);
            Ok(ControlFlow::Continue(()))
        })
        .await?;
    Ok(Pass { partitions: read, done: progress.finish(), wire_bytes })
}

impl PartitionPass {
    fn take(&mut self, arrived: &Arrived) -> Result<(u64, u64), Failure> {
        let partition = arrived.partition;
        let wrong = |text: String| Failure::new(Exit::Wrong, format!("partition {partition}: {text}"));
        let (mut records, mut bytes) = (0, 0);
        for batch in arrived.batches() {
            let batch = batch?;
            let tier = if batch.header().producer_id.is_some() { Tier::Local } else { Tier::Bucket };
            for record in &batch.records().map_err(|error| wrong(error.to_string()))? {
                let record = record.map_err(|error| wrong(error.to_string()))?;
                let offset = record.offset.get();
                if offset < arrived.from {
                    continue;
                }
                if offset != self.records {
                    return Err(wrong(format!("offset {offset} came where {} belongs", self.records)));
                }
                let size = (record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len)) as u64;
                let headers: Vec<_> = record.headers.iter().collect();
                self.digest.push(record.offset, record.timestamp_ms, record.key, record.value, headers.into_iter());
                self.records += 1;
                self.extend(tier, offset, size);
                records += 1;
                bytes += size;
            }
        }
        Ok((records, bytes))
    }

    fn extend(&mut self, tier: Tier, offset: i64, bytes: u64) {
        match self.stretches.last_mut().filter(|last| last.tier == tier) {
            Some(last) => {
                last.offsets.end = offset + 1;
                last.bytes += bytes;
            }
            None => self.stretches.push(Stretch { tier, offsets: offset..offset + 1, bytes }),
        }
    }
}

impl Pass {
    /// Compares with what was sent.
    pub(super) fn compare(&mut self, sent: &BTreeMap<i32, (i64, Digest)>) -> Result<(), Failure> {
        for (number, (records, digest)) in sent {
            let read = self.partitions.entry(*number).or_default();
            let (read_records, read_digest) = (read.records, std::mem::take(&mut read.digest).finish());
            if read_records != *records || read_digest != *digest {
                return Err(Failure::new(
                    Exit::Wrong,
                    format!(
                        "partition {number}: {records} records with digest {digest} were sent, {read_records} with \
                         {read_digest} were read"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Records and bytes that lay in a tier.
    pub(super) fn of(&self, tier: Tier) -> (i64, u64) {
        let stretches = self.partitions.values().flat_map(|partition| &partition.stretches);
        stretches.filter(|stretch| stretch.tier == tier).fold((0, 0), |(records, bytes), stretch| {
            (records + stretch.offsets.end - stretch.offsets.start, bytes + stretch.bytes)
        })
    }
}
