//! Reading for a fetch: one budget of bytes over all its partitions and both tiers, and a wait at the tail or for the
//! bucket.
//!
//! Invariants: the answer is at most `bytes_max`, but for one batch where the first that is found is larger, once a
//! request; a wait ends at the deadline, when there is enough, or when nobody waits any more; a partition that waits for
//! the bucket never delays one that has something to give.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;
use tokio::sync::Notify;

use super::cold_reads::{Cold, ColdReads};
use super::dispatch::Call;
use super::errors::KafkaError;
use super::fetch_response::{FetchedPartition, FetchedRecords};
use super::fetch_session::{PartitionKey, Wanted};
use super::front_end::{FrontEnd, find_partition, find_topic};
use super::metrics;
use crate::broker::Topics;
use crate::model::{LeaderEpoch, Offset};
use crate::net::FileSlice;
use crate::replication::{Isolation, Partition, Read, ReadBounds};

/// What a fetch may take and wait for.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Whether topics are named by id.
    pub by_id: bool,
    /// Whether another broker asks; there are none that may.
    pub from_a_replica: bool,
    /// Which records the client sees.
    pub isolation: Isolation,
    /// What the whole answer may hold.
    pub bytes_max: usize,
    /// What is enough to answer at once.
    pub bytes_min: usize,
    /// How long to wait for it.
    pub wait_max: Duration,
    /// How long to wait where nothing but the bucket can answer: `remote.fetch.max.wait.ms`.
    pub remote_wait_max: Duration,
}

/// What one partition answers.
#[derive(Debug)]
pub struct ReadOne {
    /// Which.
    pub key: PartitionKey,
    /// What.
    pub answer: FetchedPartition,
}

/// Reads, and waits until there is enough.
pub async fn read_until_enough(
    call: &Call<FrontEnd>,
    wanted: Vec<(PartitionKey, Wanted)>,
    bounds: &Bounds,
) -> Vec<ReadOne> {
    let tiers = call.state().broker.tiers();
    let mut cold = ColdReads::new(tiers.reads_at_once_max());
    let cold_bytes_max = tiers.answer_bytes_max();
    let first = read_all(&call.state().topics(), &wanted, bounds, None, (&mut cold, cold_bytes_max));
    // Whoever does not wait at the tail waits for the bucket all the same, or would never get anything of it.
    let wait = if cold.is_idle() { bounds.wait_max } else { bounds.wait_max.max(bounds.remote_wait_max) };
    if first.is_enough(bounds) || wait.is_zero() || wanted.is_empty() {
        return first.answers;
    }
    drop(first);
    let mut deadline = call.state().clock.sleep(wait);
    loop {
        // Registered before the read, so that nothing which comes between the two is missed.
        let news = Arc::new(Notify::new());
        let read = read_all(&call.state().topics(), &wanted, bounds, Some(&news), (&mut cold, cold_bytes_max));
        if read.is_enough(bounds) {
            return read.answers;
        }
        tokio::select! {
            () = news.notified() => {}
            () = cold.next() => {}
            () = &mut deadline => {
                if !cold.is_idle() {
                    metrics::remote_fetch_expired();
                }
                return read.answers;
            }
            () = call.hurry.cancelled() => return read.answers,
        }
    }
}

/// One pass over all partitions.
struct Pass {
    answers: Vec<ReadOne>,
    bytes: usize,
    must_be_told: bool,
}

impl Pass {
    fn is_enough(&self, bounds: &Bounds) -> bool {
        self.must_be_told || self.bytes >= bounds.bytes_min
    }
}

fn read_all(
    topics: &Topics,
    wanted: &[(PartitionKey, Wanted)],
    bounds: &Bounds,
    news: Option<&Arc<Notify>>,
    (cold, mut cold_bytes): (&mut ColdReads, usize),
) -> Pass {
    let mut pass = Pass { answers: Vec::with_capacity(wanted.len()), bytes: 0, must_be_told: false };
    for (place, (key, wanted)) in wanted.iter().enumerate() {
        let room = Room { bytes: bounds.bytes_max.saturating_sub(pass.bytes), cold_bytes, is_first: pass.bytes == 0 };
        let topic = find_topic(topics, &key.topic, bounds.by_id.then_some(key.topic_id));
        let answer = match find_partition(&topic, key.partition) {
            Ok(partition) => {
                if let Some(news) = news {
                    partition.watch(news);
                }
                read_one(partition, wanted, bounds, room, (place, &mut *cold))
                    .unwrap_or_else(|error| FetchedPartition::failed(key.partition, error))
            }
            Err(error) => {
                FetchedPartition { aborted: Some(Vec::new()), ..FetchedPartition::failed(key.partition, error) }
            }
        };
        pass.bytes += answer.records.length();
        // An error of the bucket can wait for the others: it is no news to be told in a hurry.
        let from_bucket = matches!(answer.records, FetchedRecords::Memory(_));
        if from_bucket {
            cold_bytes = cold_bytes.saturating_sub(answer.records.length());
        }
        pass.must_be_told |= answer.diverging.is_some() || (answer.error.is_some() && !from_bucket);
        // What came from the bucket goes out, however little it is.
        pass.must_be_told |= answer.error.is_none() && from_bucket && answer.records.length() > 0;
        pass.answers.push(ReadOne { key: key.clone(), answer });
    }
    pass
}

/// What is left for one partition.
#[derive(Clone, Copy)]
struct Room {
    bytes: usize,
    /// What it may have of the bucket's records, which are in memory until they are sent.
    cold_bytes: usize,
    /// Nothing was found before it: then one batch is, however large.
    is_first: bool,
}

fn read_one(
    partition: &Arc<Partition>,
    wanted: &Wanted,
    bounds: &Bounds,
    room: Room,
    (place, cold): (usize, &mut ColdReads),
) -> Result<FetchedPartition, ResponseError> {
    if bounds.from_a_replica {
        return Err(ResponseError::NotLeaderOrFollower);
    }
    let number = partition.tp().partition;
    let epoch = |number: i32| (number >= 0).then(|| LeaderEpoch::new(number));
    partition.check_epoch(epoch(wanted.current_leader_epoch)).map_err(|error| error.kafka())?;
    if wanted.fetch_offset < 0 {
        return Err(ResponseError::OffsetOutOfRange);
    }
    let from = Offset::new(wanted.fetch_offset);
    let diverging = match epoch(wanted.last_fetched_epoch) {
        Some(last) => diverging(partition, last, from)?,
        None => None,
    };
    if let Some(parted) = diverging {
        // Before the offset is looked at: it may lie beyond what this log has.
        return Ok(told_apart(partition, parted, bounds.isolation));
    }
    let max_bytes = usize::try_from(wanted.max_bytes).map_err(|_| ResponseError::InvalidRequest)?.min(room.bytes);
    let at_least_one = room.is_first;
    let Read { watermarks, slice, remote } =
        partition.read(ReadBounds { from, max_bytes, at_least_one, isolation: bounds.isolation }).map_err(|error| {
            let code = error.kafka();
            if code == ResponseError::KafkaStorageError {
                metrics::partition_failed(ApiKey::Fetch);
                tracing::debug!(%error, topic = %partition.topic(), partition = number, "could not read");
            }
            code
        })?;
    let aborted = match (bounds.isolation, &slice) {
        (Isolation::ReadUncommitted, _) => None,
        // What is in the bucket is committed.
        (Isolation::ReadCommitted, None) => Some(Vec::new()),
        (Isolation::ReadCommitted, Some(slice)) => {
            Some(aborted(partition, from, watermarks.last_stable.min(slice.segment_end))?)
        }
    };
    let (records, error) = match (slice, remote) {
        (Some(slice), _) => {
            let file = FileSlice { file: slice.file, position: slice.position, length: slice.length };
            (FetchedRecords::File(file), None)
        }
        (None, None) => (FetchedRecords::None, None),
        (None, Some(log)) => match cold.get(place, &log, from) {
            Cold::Waiting => (FetchedRecords::None, None),
            Cold::Records(records) => {
                let max_bytes = max_bytes.min(room.cold_bytes);
                let taken = log.take(records, from, max_bytes, at_least_one);
                if taken.is_empty() {
                    cold.let_go(place);
                }
                (FetchedRecords::Memory(taken), None)
            }
            Cold::Failed(error) => (FetchedRecords::Memory(Vec::new()), error),
        },
    };
    Ok(FetchedPartition {
        partition: number,
        error,
        high_watermark: watermarks.high_watermark.get(),
        last_stable_offset: watermarks.last_stable.get(),
        log_start_offset: watermarks.log_start.get(),
        diverging: None,
        aborted,
        records,
    })
}

/// The answer to a client whose records are not this log's: where they part, and nothing else.
fn told_apart(partition: &Partition, parted: (LeaderEpoch, Offset), isolation: Isolation) -> FetchedPartition {
    let watermarks = partition.watermarks();
    FetchedPartition {
        partition: partition.tp().partition,
        error: None,
        high_watermark: watermarks.high_watermark.get(),
        last_stable_offset: watermarks.last_stable.get(),
        log_start_offset: watermarks.log_start.get(),
        diverging: Some(parted),
        aborted: (isolation == Isolation::ReadCommitted).then(Vec::new),
        records: FetchedRecords::None,
    }
}

/// Where the client's records and the leader's part, if they do before `from`.
fn diverging(
    partition: &Partition,
    last: LeaderEpoch,
    from: Offset,
) -> Result<Option<(LeaderEpoch, Offset)>, ResponseError> {
    let log = partition.log();
    let (epoch, end) =
        log.epochs().end_offset_for(last, log.log_end_offset()).ok_or(ResponseError::OffsetOutOfRange)?;
    Ok((epoch < last || end < from).then_some((epoch, end)))
}

fn aborted(
    partition: &Partition,
    from: Offset,
    upto: Offset,
) -> Result<Vec<(crate::model::ProducerId, Offset)>, ResponseError> {
    let aborted = partition.log().aborted_transactions(from, upto).map_err(|error| {
        partition.unreadable(&error);
        error.kafka()
    })?;
    Ok(aborted.into_iter().map(|one| (one.producer_id, one.first_offset)).collect())
}
