//! Whether a producer's batch may be appended (Kafka's `LogValidator` and `UnifiedLog.analyzeAndValidateRecords`).
//!
//! Invariant: what is accepted can be tiered. Every record was walked, its timestamp fits Parquet's microseconds, its
//! headers are not too many and their names UTF-8, its offsets are dense.

use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::model::limits::TIMESTAMP_MS_MAX;
use crate::model::topic_config::TopicCompression;
use crate::model::{Codec, TimestampType};

use super::builder::{BatchBuilder, BatchSpec, sealed};
use super::error::BatchError;
use super::header::BatchHeader;
use super::rules::{RECORD_ERRORS_MAX, RecordError, RecordFault, RecordsRefused, ValidationError, ValidationRules};
use super::valid::ValidBatch;
use super::view::BatchView;
use super::walk::{Seen, walk};

/// Checks what a producer sent for one partition: exactly one batch. What the topic's rules change (clock, codec, a
/// max timestamp that was wrong) is changed in what is returned.
pub fn validate(bytes: Bytes, rules: &ValidationRules) -> Result<ValidBatch, ValidationError> {
    let view = match BatchView::parse(&bytes) {
        Ok(view) => view,
        Err(BatchError::Magic(magic @ (0 | 1))) => return Err(ValidationError::OldMagic(magic)),
        Err(BatchError::Cut { .. }) => return Err(ValidationError::NotOneBatch),
        Err(error) => return Err(error.into()),
    };
    let rest = bytes.get(view.bytes().len()..).unwrap_or_default();
    if BatchView::parse(rest).is_ok() {
        return Err(ValidationError::NotOneBatch);
    }
    let base_offset = view.header().base_offset.get();
    if base_offset != 0 {
        let text = format!("the base offset of a produced batch should be 0, but it is {base_offset}");
        return Err(ValidationError::Invalid(text));
    }
    if view.bytes().len() > rules.max_bytes {
        return Err(ValidationError::TooLarge { size: view.bytes().len(), max: rules.max_bytes });
    }
    view.verify_crc()?;
    // Kafka drops in silence what is no whole batch.
    if !rest.is_empty() {
        return Err(ValidationError::NotOneBatch);
    }
    check_header(view.header())?;
    let max_timestamp_ms = check_records(&view, rules)?;
    let accepted = rewritten(&view, &bytes, max_timestamp_ms, rules)?;
    if accepted.bytes().len() > rules.max_bytes {
        return Err(ValidationError::TooLarge { size: accepted.bytes().len(), max: rules.max_bytes });
    }
    Ok(accepted)
}

fn check_header(header: &BatchHeader) -> Result<(), ValidationError> {
    let invalid = |text: String| Err(ValidationError::Invalid(text));
    if header.last_offset_delta < 0 {
        return invalid(format!("the batch has an invalid offset range: [0, {}]", header.last_offset_delta));
    }
    if header.record_count <= 0 {
        return invalid(format!("invalid reported count for record batch: {}", header.record_count));
    }
    if i64::from(header.last_offset_delta) + 1 != i64::from(header.record_count) {
        return invalid(format!(
            "inconsistent batch offset range [0, {}] and count of records {}",
            header.last_offset_delta, header.record_count
        ));
    }
    if header.attributes.is_control() {
        return invalid("clients are not allowed to write control records".to_owned());
    }
    if header.producer_id.is_some() && header.producer_epoch < 0 {
        return Err(ValidationError::NoProducerEpoch(header.producer_id.0));
    }
    if header.producer_id.is_some() && header.base_sequence < 0 {
        return invalid(format!(
            "invalid sequence number {} or epoch {} in record batch with producerId {}",
            header.base_sequence, header.producer_epoch, header.producer_id.0
        ));
    }
    if header.attributes.is_transactional() && !header.producer_id.is_some() {
        return invalid("a transactional batch needs a producer id".to_owned());
    }
    header.attributes.codec()?;
    Ok(())
}

/// Walks the records; returns the greatest timestamp.
fn check_records(view: &BatchView<'_>, rules: &ValidationRules) -> Result<i64, ValidationError> {
    let base_timestamp_ms = view.header().base_timestamp_ms;
    // Kafka lets this through where the topic keeps CreateTime, and then gives the records other timestamps than those
    // it has checked.
    let claims_append_time = view.header().attributes.timestamp_type() == TimestampType::LogAppendTime;
    let mut max_timestamp_ms = i64::MIN;
    let mut refused = RecordFaults::default();
    let mut sparse = None;
    walk(view, |index, seen: Seen| {
        let timestamp_ms = base_timestamp_ms.checked_add(seen.timestamp_delta);
        max_timestamp_ms = max_timestamp_ms.max(timestamp_ms.unwrap_or(i64::MAX));
        if seen.offset_delta != index && sparse.is_none() {
            sparse = Some((index, seen.offset_delta));
        }
        // At most one error for a record, the first in Kafka's order.
        if rules.keys_required && !seen.has_key {
            refused.add(RecordsRefused::Record, index, RecordFault::NoKey);
        } else if seen.has_too_many_headers {
            refused.add(RecordsRefused::Record, index, RecordFault::Headers);
        } else if !seen.names_are_utf8 {
            refused.add(RecordsRefused::Record, index, RecordFault::HeaderName);
        } else if rules.timestamp_type == TimestampType::CreateTime && !timestamp_is_allowed(timestamp_ms, rules) {
            refused.add(RecordsRefused::Timestamp, index, timestamp_fault(timestamp_ms, rules));
        } else if claims_append_time {
            refused.add(RecordsRefused::Timestamp, index, RecordFault::TimestampType);
        }
    })?;
    if let Some((index, delta)) = sparse {
        return Err(ValidationError::Invalid(format!("record {index} has offset delta {delta}, expected {index}")));
    }
    refused.into_result()?;
    Ok(max_timestamp_ms)
}

/// Parquet's microseconds must hold it, and the topic's window must contain it; -1 stands for none.
fn timestamp_is_allowed(timestamp_ms: Option<i64>, rules: &ValidationRules) -> bool {
    timestamp_ms.is_some_and(|at| {
        (-TIMESTAMP_MS_MAX..=TIMESTAMP_MS_MAX).contains(&at) && (at == -1 || window_ms(rules).contains(&at))
    })
}

fn window_ms(rules: &ValidationRules) -> RangeInclusive<i64> {
    rules.now_ms.saturating_sub(rules.timestamp_before_max_ms)
        ..=rules.now_ms.saturating_add(rules.timestamp_after_max_ms)
}

fn timestamp_fault(timestamp_ms: Option<i64>, rules: &ValidationRules) -> RecordFault {
    let window = window_ms(rules);
    match timestamp_ms.filter(|at| !window.contains(at)) {
        Some(at_ms) => RecordFault::Timestamp { at_ms, from_ms: *window.start(), to_ms: *window.end() },
        None => RecordFault::Microseconds,
    }
}

#[derive(Default)]
struct RecordFaults {
    kind: Option<RecordsRefused>,
    total: usize,
    errors: Vec<RecordError>,
}

impl RecordFaults {
    fn add(&mut self, kind: RecordsRefused, index: i32, fault: RecordFault) {
        // One timestamp makes the whole an INVALID_TIMESTAMP, whatever else is wrong.
        if kind == RecordsRefused::Timestamp || self.kind.is_none() {
            self.kind = Some(kind);
        }
        self.total += 1;
        if self.errors.len() < RECORD_ERRORS_MAX {
            self.errors.push(RecordError { index, fault });
        }
    }

    fn into_result(self) -> Result<(), ValidationError> {
        let Self { kind, total, errors } = self;
        kind.map_or(Ok(()), |kind| Err(ValidationError::Records { kind, total, errors }))
    }
}

/// The batch with what the rules change. Most batches come out as they went in, without a copy.
fn rewritten(
    view: &BatchView<'_>,
    bytes: &Bytes,
    max_timestamp_ms: i64,
    rules: &ValidationRules,
) -> Result<ValidBatch, ValidationError> {
    let mut header = *view.header();
    header.attributes = header.attributes.with_timestamp_type(rules.timestamp_type);
    header.max_timestamp_ms = match rules.timestamp_type {
        TimestampType::CreateTime => max_timestamp_ms,
        TimestampType::LogAppendTime => rules.now_ms,
    };
    if let TopicCompression::Fixed(codec, level) = rules.compression
        && codec != header.attributes.codec()?
    {
        return repacked(view, &header, codec, level);
    }
    if header == *view.header() {
        return Ok(ValidBatch::new(header, bytes.clone()));
    }
    Ok(sealed(header, view.payload()))
}

/// The same records in the topic's own codec.
fn repacked(
    view: &BatchView<'_>,
    header: &BatchHeader,
    codec: Codec,
    level: Option<i32>,
) -> Result<ValidBatch, ValidationError> {
    let mut builder = BatchBuilder::new(BatchSpec {
        base_offset: header.base_offset,
        leader_epoch: header.leader_epoch,
        codec,
        level,
        timestamp_type: TimestampType::CreateTime,
        producer: header.producer_id.is_some().then_some((
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
        )),
        attributes: header.attributes,
    });
    for record in &view.records()? {
        let record = record?;
        builder
            .push(record.offset, record.timestamp_ms, record.key, record.value, record.headers.iter())
            .map_err(|full| ValidationError::Invalid(full.to_string()))?;
    }
    let built = builder.build()?;
    Ok(match header.attributes.timestamp_type() {
        TimestampType::CreateTime => built,
        TimestampType::LogAppendTime => built.stamped(header.max_timestamp_ms),
    })
}
