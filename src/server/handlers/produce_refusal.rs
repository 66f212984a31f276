//! Why a partition's batch was not appended, in the codes, the words and the silences of Kafka's answer.
//!
//! Kafka says why only where it blames single records, and where bytes are no batch at all. What is the disk's is told where
//! it happens; every reason stands in the broker's log for whoever asks for that much.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::messages::produce_response::{BatchIndexAndErrorMessage, PartitionProduceResponse};
use kafka_protocol::protocol::StrBytes;

use crate::model::Offset;
use crate::record::{BATCH_LENGTH_MIN, BatchError, RecordError, RecordFault, RecordsRefused, ValidationError};
use crate::replication::{AppendError, Partition};
use crate::server::errors::KafkaError;
use crate::server::metrics;

/// From this version on single records are blamed.
const RECORD_ERRORS: i16 = 8;
/// Record errors that the text for the whole batch repeats.
const REPEATED_MAX: usize = 3;

/// Why a partition's batch was not appended.
#[derive(Debug)]
pub struct Refusal {
    error: ResponseError,
    message: Option<String>,
    records: Vec<(i32, String)>,
    log_start: Option<Offset>,
}

impl From<ResponseError> for Refusal {
    fn from(error: ResponseError) -> Self {
        Self { error, message: None, records: Vec::new(), log_start: None }
    }
}

impl Refusal {
    /// A batch that is not what it should be.
    pub fn of(error: &ValidationError, partition: &Arc<Partition>) -> Self {
        let code = error.kafka();
        let tp = partition.tp().partition;
        tracing::debug!(%error, topic = %partition.topic(), partition = tp, "refused a batch");
        // Kafka looks whether there is one batch before it looks for the log.
        let tells_log_start = match error {
            ValidationError::NotOneBatch | ValidationError::OldMagic(_) => false,
            _ => !matches!(code, ResponseError::CorruptMessage | ResponseError::MessageTooLarge),
        };
        let place = format!("{}-{tp}", partition.topic());
        let records = match error {
            ValidationError::Records { errors, .. } => {
                errors.iter().map(|record| (record.index, words(record, &place))).collect()
            }
            _ => Vec::new(),
        };
        Self {
            error: code,
            message: message(error, &records),
            records,
            log_start: tells_log_start.then(|| partition.watermarks().log_start),
        }
    }

    /// A batch that the log did not take.
    pub fn of_append(error: &AppendError, partition: &Arc<Partition>) -> Self {
        let code = error.kafka();
        let (topic, number) = (partition.topic(), partition.tp().partition);
        // Told where it happens, and not for every producer that tries again.
        if code == ResponseError::KafkaStorageError {
            metrics::partition_failed(ApiKey::Produce);
        }
        tracing::debug!(%error, %topic, partition = number, "refused an append");
        let tells_log_start = !matches!(code, ResponseError::KafkaStorageError | ResponseError::NotLeaderOrFollower);
        Self { log_start: tells_log_start.then(|| partition.watermarks().log_start), ..code.into() }
    }

    /// The partition's part of the response.
    pub fn answer(self, version: i16, index: i32) -> PartitionProduceResponse {
        let mut response = PartitionProduceResponse::default()
            .with_index(index)
            .with_error_code(self.error.code())
            .with_base_offset(-1)
            .with_log_append_time_ms(-1)
            .with_log_start_offset(self.log_start.map_or(-1, Offset::get));
        if version >= RECORD_ERRORS {
            let records = self.records.into_iter().map(|(index, message)| {
                BatchIndexAndErrorMessage::default()
                    .with_batch_index(index)
                    .with_batch_index_error_message(Some(StrBytes::from_string(message)))
            });
            response = response
                .with_record_errors(records.collect())
                .with_error_message(self.message.map(StrBytes::from_string));
        }
        response
    }
}

/// What is said of the whole batch.
fn message(error: &ValidationError, records: &[(i32, String)]) -> Option<String> {
    match error {
        ValidationError::Records { kind: RecordsRefused::Timestamp, .. } => {
            Some("One or more records have been rejected due to invalid timestamp".to_owned())
        }
        ValidationError::Records { kind: RecordsRefused::Record, total, .. } => {
            let first = records.iter().take(REPEATED_MAX);
            let first = first.map(|(index, words)| format!("RecordError(batchIndex={index}, message='{words}')"));
            Some(format!(
                "One or more records have been rejected due to {total} record errors in total, and only showing the \
                 first three errors at most: [{}]",
                first.collect::<Vec<_>>().join(", ")
            ))
        }
        ValidationError::Malformed(BatchError::BadLength(length)) if *length < BATCH_LENGTH_MIN => {
            Some(format!("Record size {length} is less than the minimum record overhead ({BATCH_LENGTH_MIN})"))
        }
        ValidationError::Malformed(BatchError::Magic(magic)) => Some(format!("Invalid magic found in record: {magic}")),
        _ => None,
    }
}

/// What is said of one record.
fn words(record: &RecordError, place: &str) -> String {
    match record.fault {
        RecordFault::NoKey => format!("Compacted topic cannot accept message without key in topic partition {place}"),
        RecordFault::Timestamp { at_ms, from_ms, to_ms } => format!(
            "Timestamp {at_ms} of message with offset {} is out of range. The timestamp should be within [{from_ms}, \
             {to_ms}]",
            record.index
        ),
        RecordFault::TimestampType => format!(
            "Invalid timestamp type in message with offset {}. Producer should not set timestamp type to LogAppendTime.",
            record.index
        ),
        RecordFault::Headers | RecordFault::HeaderName | RecordFault::Microseconds => {
            format!("Message with offset {}: {}", record.index, record.fault)
        }
    }
}
