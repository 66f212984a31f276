//! Record batches: built with whatever lies a case wants to tell, and taken apart for comparison.

use std::io::Write as _;
use std::sync::LazyLock;

use serde_json::{Value, json};
use tidelog::clock::{Clock as _, SystemClock};
use tidelog::record::{self, BatchError, BatchView};

use super::encode::to_hex;

/// The time of the first record of every batch that says nothing else: one for the whole run, far enough from now not
/// to be taken for the broker's own clock, and near enough to outlive the run under the usual retention.
pub static BASE_TIMESTAMP: LazyLock<i64> = LazyLock::new(|| SystemClock::new().now_ms() - 3_600_000);

/// One record.
#[derive(Debug, Clone)]
pub struct Record {
    pub timestamp_delta: i64,
    pub offset_delta: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub attributes: u8,
}

/// A batch to be: what is not set is what an honest producer would write.
#[derive(Debug, Clone)]
pub struct Batch {
    pub base_offset: i64,
    pub leader_epoch: i32,
    pub magic: u8,
    pub attributes: i16,
    pub base_timestamp: i64,
    pub max_timestamp: Option<i64>,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub records: Vec<Record>,
    pub last_offset_delta: Option<i32>,
    pub count: Option<i32>,
    pub crc: Option<u32>,
    pub length: Option<i32>,
    /// Bytes behind the last record, under the checksum.
    pub trailing: Vec<u8>,
    /// Instead of the records.
    pub payload: Option<Vec<u8>>,
}

/// A batch of these values, with keys `k0`, `k1`, …
pub fn batch(values: &[&str]) -> Batch {
    let records = values
        .iter()
        .enumerate()
        .map(|(at, value)| Record {
            timestamp_delta: at as i64,
            offset_delta: at as i64,
            key: Some(format!("k{at}").into_bytes()),
            value: Some(value.as_bytes().to_vec()),
            headers: Vec::new(),
            attributes: 0,
        })
        .collect();
    Batch {
        base_offset: 0,
        leader_epoch: -1,
        magic: 2,
        attributes: 0,
        base_timestamp: *BASE_TIMESTAMP,
        max_timestamp: None,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        records,
        last_offset_delta: None,
        count: None,
        crc: None,
        length: None,
        trailing: Vec::new(),
        payload: None,
    }
}

impl Batch {
    /// From a producer that counts.
    pub fn from(mut self, producer: &Value, epoch: i16, sequence: i32) -> Self {
        self.producer_id = producer.as_i64().unwrap_or(-1);
        self.producer_epoch = epoch;
        self.base_sequence = sequence;
        self
    }

    /// Beginning at this time.
    pub fn at(mut self, timestamp: i64) -> Self {
        self.base_timestamp = timestamp;
        self
    }

    /// Whatever else.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// As the wire has it.
    pub fn bytes(&self) -> Vec<u8> {
        let count = i32::try_from(self.records.len()).expect("few records");
        let last_delta = self.records.last().map_or(0, |record| record.timestamp_delta);
        let mut sealed = Vec::new();
        sealed.extend(self.attributes.to_be_bytes());
        sealed.extend(self.last_offset_delta.unwrap_or(count - 1).to_be_bytes());
        sealed.extend(self.base_timestamp.to_be_bytes());
        sealed.extend(self.max_timestamp.unwrap_or(self.base_timestamp.saturating_add(last_delta)).to_be_bytes());
        sealed.extend(self.producer_id.to_be_bytes());
        sealed.extend(self.producer_epoch.to_be_bytes());
        sealed.extend(self.base_sequence.to_be_bytes());
        sealed.extend(self.count.unwrap_or(count).to_be_bytes());
        sealed.extend(self.payload());
        let mut out = Vec::new();
        out.extend(self.base_offset.to_be_bytes());
        let length = i32::try_from(sealed.len() + 9).expect("a small batch");
        out.extend(self.length.unwrap_or(length).to_be_bytes());
        out.extend(self.leader_epoch.to_be_bytes());
        out.push(self.magic);
        out.extend(self.crc.unwrap_or_else(|| crc32c::crc32c(&sealed)).to_be_bytes());
        out.extend(sealed);
        out
    }

    /// As a request's tree has it.
    pub fn hex(&self) -> Value {
        json!(to_hex(&self.bytes()))
    }

    fn payload(&self) -> Vec<u8> {
        if let Some(payload) = &self.payload {
            return payload.clone();
        }
        let mut plain = Vec::new();
        for record in &self.records {
            record.write(&mut plain);
        }
        plain.extend(&self.trailing);
        compressed(self.attributes & 7, &plain)
    }
}

impl Record {
    fn write(&self, out: &mut Vec<u8>) {
        let mut body = vec![self.attributes];
        zigzag(self.timestamp_delta, &mut body);
        zigzag(self.offset_delta, &mut body);
        for part in [&self.key, &self.value] {
            sized(part.as_deref(), &mut body);
        }
        zigzag(self.headers.len() as i64, &mut body);
        for (name, value) in &self.headers {
            sized(Some(name), &mut body);
            sized(value.as_deref(), &mut body);
        }
        zigzag(body.len() as i64, out);
        out.extend(body);
    }
}

fn sized(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    zigzag(bytes.map_or(-1, |bytes| bytes.len() as i64), out);
    out.extend(bytes.unwrap_or_default());
}

fn zigzag(number: i64, out: &mut Vec<u8>) {
    super::encode::varint(((number << 1) ^ (number >> 63)).cast_unsigned(), out);
}

/// By the codec of these attributes; one that does not exist leaves the bytes as they are.
fn compressed(codec: i16, plain: &[u8]) -> Vec<u8> {
    match codec {
        1 => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            writer.write_all(plain).expect("memory takes it");
            writer.finish().expect("memory takes it")
        }
        2 => snap::raw::Encoder::new().compress_vec(plain).expect("memory takes it"),
        3 => {
            let mut writer = lz4_flex::frame::FrameEncoder::new(Vec::new());
            writer.write_all(plain).expect("memory takes it");
            writer.finish().expect("memory takes it")
        }
        4 => zstd::bulk::compress(plain, 1).expect("memory takes it"),
        _ => plain.to_vec(),
    }
}

/// Batches as a tree: the fields of each header, the bytes behind it, and what is cut off at the end.
pub fn tree(mut bytes: &[u8]) -> Value {
    let mut out = Vec::new();
    while let Some((one, rest)) = split(bytes) {
        out.push(fields(one));
        bytes = rest;
    }
    json!({ "batches": out, "cut": bytes.len() })
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = i32::from_be_bytes(bytes.get(8..12)?.try_into().expect("four bytes"));
    let end = usize::try_from(length).ok().filter(|length| *length >= 49)? + 12;
    (end <= bytes.len()).then(|| bytes.split_at(end))
}

fn fields(batch: &[u8]) -> Value {
    let number = |from: usize, width: usize| {
        let mut wide = if batch[from] >= 0x80 { [0xff; 8] } else { [0; 8] };
        wide[8 - width..].copy_from_slice(&batch[from..from + width]);
        i64::from_be_bytes(wide)
    };
    let mut tree = json!({
        "baseOffset": number(0, 8),
        "length": number(8, 4),
        "partitionLeaderEpoch": number(12, 4),
        "magic": number(16, 1),
        "crc": number(17, 4),
        "crcIsRight": u32::try_from(number(17, 4) & 0xffff_ffff) == Ok(crc32c::crc32c(&batch[21..])),
        "attributes": number(21, 2),
        "lastOffsetDelta": number(23, 4),
        "baseTimestamp": number(27, 8),
        "maxTimestamp": number(35, 8),
        "producerId": number(43, 8),
        "producerEpoch": number(51, 2),
        "baseSequence": number(53, 4),
        "count": number(57, 4),
        "records": to_hex(&batch[61..]),
    });
    if number(21, 2) & 7 != 0 {
        tree["unfolded"] = unfolded(batch);
    }
    tree
}

/// The records of a packed batch: two compressors may make other bytes of the same.
fn unfolded(batch: &[u8]) -> Value {
    let Ok(records) = BatchView::parse(batch).and_then(|batch| batch.records()) else { return json!("unreadable") };
    let text = |bytes: Option<&[u8]>| bytes.map(to_hex);
    let tree = |one: Result<record::Record<'_>, BatchError>| match one {
        Ok(record) => {
            let headers = record.headers.iter().map(|(name, value)| json!([name, text(value)])).collect::<Vec<_>>();
            json!({
                "offset": record.offset.get(),
                "timestamp": record.timestamp_ms,
                "keyBytes": text(record.key),
                "valueBytes": text(record.value),
                "headers": headers,
            })
        }
        Err(error) => json!(error.to_string()),
    };
    records.into_iter().map(tree).collect()
}
