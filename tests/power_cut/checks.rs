//! What a recovered log is held against.

use std::sync::Arc;

use tidelog::log::PartitionLog;
use tidelog::model::Offset;

use crate::batches::{Logged, batch_at, read_all};
use crate::history::Note;
use crate::model::{self, Model};

/// Checks everything; returns what the log is a beginning of.
pub fn check(log: &PartitionLog, before: &Note, after: &Note) -> Model {
    let (before, after) = (&before.model, &after.model);
    let (local_start, end) = (log.local_start_offset(), log.log_end_offset());
    let log_start = log.log_start_offset();
    assert!(end >= before.durable_end, "the log ends at {end}, {} was durable", before.durable_end);
    assert_eq!(log.stable_end(), end, "what is served after recovery is stable");
    assert!(
        (before.log_start..=after.log_start.max(before.log_start)).contains(&log_start),
        "log start {log_start}, promised {}, asked for {}",
        before.log_start,
        after.log_start
    );
    assert!(
        local_start <= after.removable.max(log_start),
        "local start {local_start}: nothing from {} on was to be removed",
        after.removable.max(log_start)
    );
    let found = read_all(log, local_start);
    let mut of = [before, after].into_iter().find(|model| is_part(&found, model)).cloned().unwrap_or_else(|| {
        panic!("not what was appended: {found:?}\nbefore {:?}\nafter {:?}", before.batches, after.batches)
    });
    of.truncate(end);
    of.log_start = log_start;
    of.removable = after.removable.max(log_start);
    of.durable_end = before.durable_end;
    if let (Some(first), Some(last)) = (found.first(), found.last()) {
        assert!(first.base() <= local_start && last.next() == end);
        for offset in local_start.get()..end.get() {
            let offset = Offset::new(offset);
            let batch = batch_at(log, offset);
            assert!(batch.base() <= offset && offset < batch.next(), "index at {offset}: {batch:?}");
        }
    }
    check_times(log, &found, log_start, end);
    check_producers(log, &of);
    check_aborted(log, &of);
    check_epochs(log, &of, log_start, end);
    of
}

/// Whether the batches are, one by one, those of the model.
fn is_part(found: &[Arc<Logged>], model: &Model) -> bool {
    let Some(first) = found.first() else { return true };
    let from = model.batches.partition_point(|batch| batch.base() < first.base());
    model.batches.get(from..from + found.len()).is_some_and(|expected| expected == found)
}

fn check_times(log: &PartitionLog, found: &[Arc<Logged>], log_start: Offset, end: Offset) {
    let records: Vec<_> = found.iter().flat_map(|batch| &batch.records).filter(|(at, _, _)| *at >= log_start).collect();
    for wanted in [0, 950, 1_000, 1_050, 1_099, 1_100, 2_000] {
        let expected = records.iter().find(|(_, at, _)| *at >= wanted).map(|(offset, at, _)| (*offset, *at));
        let got = log.offset_for_timestamp(wanted, end).expect("times can be looked up");
        assert_eq!(got.map(|(offset, at, _)| (offset, at)), expected, "the first record at or after {wanted}");
    }
    let latest = records.iter().map(|(_, at, _)| *at).max();
    let expected = records.iter().find(|(_, at, _)| Some(*at) == latest).map(|(offset, at, _)| (*offset, *at));
    let got = log.max_timestamp(end).expect("times can be looked up");
    assert_eq!(got.map(|(offset, at, _)| (offset, at)), expected, "the latest record of {records:?}");
}

fn check_producers(log: &PartitionLog, of: &Model) {
    let expected = model::producers(&of.batches);
    let found: Vec<_> = log.producers().iter().map(|producer| producer.producer_id).collect();
    assert_eq!(found, expected.keys().copied().collect::<Vec<_>>(), "who has written");
    for producer in log.producers() {
        let expected = &expected[&producer.producer_id];
        let last_sequence = expected.last.last().map_or(-1, |last| last.header.last_sequence());
        assert_eq!(
            (producer.epoch, producer.last_sequence, producer.transaction_start, producer.coordinator_epoch),
            (expected.epoch, last_sequence, expected.transaction_start, expected.coordinator_epoch),
            "producer {:?}",
            producer.producer_id
        );
        for batch in &expected.last {
            let again = crate::batches::sent_again(batch);
            let epoch = log.epochs().latest().expect("there are batches").epoch;
            let appended = log.append(&again, epoch, crate::history::NOW_MS).expect("a duplicate is no error");
            assert!(appended.duplicate, "{batch:?} is known");
            assert_eq!((appended.base_offset, appended.last_offset.next()), (batch.base(), batch.next()));
        }
    }
    assert_eq!(log.log_end_offset(), of.end().max(log.local_start_offset()), "no duplicate was appended");
}

fn check_aborted(log: &PartitionLog, of: &Model) {
    let first_local = log.segments().first().expect("a log has a segment").base;
    let key = |aborted: &tidelog::log::AbortedTransaction| (aborted.last_offset, aborted.producer_id);
    let mut expected = model::aborted(&of.batches, first_local);
    let mut found = log.aborted_transactions(Offset::ZERO, Offset::MAX).expect("they can be read");
    expected.sort_by_key(key);
    found.sort_by_key(key);
    assert_eq!(found, expected, "aborted transactions");
}

/// Also of what only the bucket would have: the log answers for its epochs.
fn check_epochs(log: &PartitionLog, of: &Model, log_start: Offset, end: Offset) {
    let epochs = log.epochs();
    for offset in log_start.get()..end.get() {
        let offset = Offset::new(offset);
        assert_eq!(epochs.epoch_at(offset), model::epoch_at(&of.batches, offset), "epoch at {offset}: {epochs:?}");
    }
}

/// Says what led to a state, if its check panics.
pub struct Told(pub String);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.0);
        }
    }
}
