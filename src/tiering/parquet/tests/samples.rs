//! Logs to write, files to read, and what should come back.

use bytes::Bytes;
use proptest::prelude::*;

use crate::model::{Codec, LeaderEpoch, Offset, ProducerId, TimestampType, TopicId, TopicName};
use crate::record::control::{self, Marker, Outcome};
use crate::record::{Attributes, BatchBuilder, BatchSpec, BatchView, Batches};
use crate::tiering::digest::{Digest, RecordDigest};
use crate::tiering::parquet::{
    Aborted, FinishedSegment, Footer, Lineage, RowGroup, SegmentHeader, SegmentWriter, Wanted, WriterOptions,
};

pub const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// A record that owns what it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Plain {
    pub offset: i64,
    pub timestamp_ms: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A record at an offset, of a few bytes.
pub fn plain(offset: i64, timestamp_ms: i64) -> Plain {
    let key = Some(format!("key-{offset}").into_bytes());
    let value = Some(format!("the value at offset {offset}").into_bytes());
    Plain { offset, timestamp_ms, key, value, headers: Vec::new() }
}

/// A batch of the log.
#[derive(Clone, Debug)]
pub struct Batch {
    pub records: Vec<Plain>,
    pub codec: Codec,
    pub epoch: i32,
    pub stamped_ms: Option<i64>,
    /// The producer of a transaction, and whether it was aborted.
    pub transaction: Option<(i64, bool)>,
}

impl Batch {
    pub fn of(records: Vec<Plain>, codec: Codec, epoch: i32) -> Self {
        Self { records, codec, epoch, stamped_ms: None, transaction: None }
    }

    /// As a consumer should get them.
    pub fn kept(&self) -> Vec<Plain> {
        let mut kept = self.records.clone();
        if let Some(stamp) = self.stamped_ms {
            kept.iter_mut().for_each(|record| record.timestamp_ms = stamp);
        }
        if self.transaction.is_some_and(|(_, aborted)| aborted) { Vec::new() } else { kept }
    }

    pub fn bytes(&self) -> Bytes {
        let base = Offset::new(self.records[0].offset);
        let mut spec = BatchSpec::plain(base, LeaderEpoch::new(self.epoch), self.codec);
        if let Some((producer, _)) = self.transaction {
            spec.producer = Some((ProducerId(producer), 0, 0));
            spec.attributes = Attributes::default().transactional();
        }
        let mut builder = BatchBuilder::new(spec);
        for record in &self.records {
            let headers = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            builder.push(Offset::new(record.offset), record.timestamp_ms, key, value, headers).unwrap();
        }
        let built = builder.build().unwrap();
        match self.stamped_ms {
            None => built.bytes().clone(),
            Some(stamp) => built.stamped(stamp).bytes().clone(),
        }
    }
}

/// What stands in the log, one behind the other.
#[derive(Clone, Debug)]
pub enum Entry {
    Batch(Batch),
    /// A transaction's end: offset, producer, epoch.
    Marker(i64, i64, i32, Outcome),
}

impl Entry {
    pub fn bytes(&self) -> Bytes {
        match self {
            Self::Batch(batch) => batch.bytes(),
            Self::Marker(offset, producer, epoch, outcome) => {
                let marker = Marker { outcome: *outcome, coordinator_epoch: 3 };
                let producer = (ProducerId(*producer), 0);
                let built = control::build(Offset::new(*offset), LeaderEpoch::new(*epoch), producer, marker, 77);
                built.unwrap().bytes().clone()
            }
        }
    }

    pub fn kept(&self) -> Vec<Plain> {
        match self {
            Self::Batch(batch) => batch.kept(),
            Self::Marker(..) => Vec::new(),
        }
    }
}

/// The transactions of these entries that were aborted.
pub fn aborted(entries: &[Entry]) -> Aborted {
    let marker_behind = |producer: i64, first: i64| {
        entries.iter().find_map(|entry| match entry {
            Entry::Marker(at, other, _, _) if *other == producer && *at > first => Some(*at),
            _ => None,
        })
    };
    let ranges = entries.iter().filter_map(|entry| match entry {
        Entry::Batch(Batch { transaction: Some((producer, true)), records, .. }) => {
            let first = records[0].offset;
            Some((ProducerId(*producer), Offset::new(first), Offset::new(marker_behind(*producer, first)?)))
        }
        _ => None,
    });
    ranges.collect()
}

pub fn header(base: i64, end: i64) -> SegmentHeader {
    SegmentHeader {
        topic_name: TopicName::parse("orders").unwrap(),
        topic_id: TopicId::from_uuid(uuid::Uuid::from_u128(7)),
        partition: 3,
        base_offset: Offset::new(base),
        end_offset: Offset::new(end),
        lineage: Lineage::default(),
    }
}

/// A whole file.
#[derive(Debug)]
pub struct File {
    pub bytes: Bytes,
    pub finished: FinishedSegment,
}

pub fn small() -> WriterOptions {
    WriterOptions { row_group_bytes: 2000, ..WriterOptions::default() }
}

/// Writes `[base, end]` of the log.
pub fn write(entries: &[Entry], base: i64, end: i64, options: &WriterOptions) -> File {
    let mut writer = SegmentWriter::new(header(base, end), aborted(entries), options).unwrap();
    let mut bytes = Vec::new();
    for entry in entries {
        writer.push(&BatchView::parse(&entry.bytes()).unwrap()).unwrap();
        writer.take().iter().for_each(|ready| bytes.extend_from_slice(ready));
    }
    let finished = writer.finish(b"the producers").unwrap();
    finished.rest.iter().for_each(|rest| bytes.extend_from_slice(rest));
    assert_eq!(bytes.len() as u64, finished.object_size_bytes);
    File { bytes: bytes.into(), finished }
}

impl File {
    pub fn footer(&self) -> Footer {
        Footer::parse(self.bytes.len() as u64, &self.bytes).unwrap()
    }

    pub fn range(&self, range: std::ops::Range<u64>) -> Bytes {
        self.bytes.slice(usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap())
    }

    pub fn row_groups(&self) -> Vec<RowGroup> {
        let footer = self.footer();
        let decode = |(number, meta): (usize, &super::super::RowGroupMeta)| {
            footer.decode_row_group(number, self.range(meta.bytes.clone())).unwrap()
        };
        footer.row_groups().iter().enumerate().map(decode).collect()
    }

    /// All rows.
    pub fn rows(&self) -> Vec<Plain> {
        self.row_groups().iter().flat_map(|group| group.iter().map(row).collect::<Vec<_>>()).collect()
    }
}

fn row(row: super::super::Row<'_>) -> Plain {
    Plain {
        offset: row.offset.get(),
        timestamp_ms: row.timestamp_ms,
        key: row.key.map(<[u8]>::to_vec),
        value: row.value.map(<[u8]>::to_vec),
        headers: row.headers.map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec))).collect(),
    }
}

pub fn digest_of(records: &[Plain]) -> Digest {
    let mut digest = RecordDigest::default();
    for record in records {
        let headers = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        digest.push(Offset::new(record.offset), record.timestamp_ms, key, value, headers);
    }
    digest.finish()
}

/// Everything from an offset on, in large batches.
pub fn all_from(from: i64) -> Wanted {
    Wanted {
        from: Offset::new(from),
        upper: Offset::MAX,
        max_bytes: usize::MAX,
        at_least_one: true,
        batch_bytes_max: 1 << 20,
        codec: Codec::None,
        level: None,
    }
}

/// The records of batches, as any consumer reads them; checks what every batch must keep.
pub fn consumed(batches: &[Bytes]) -> Vec<Plain> {
    let mut records = Vec::new();
    let mut reached = i64::MIN;
    for bytes in batches {
        for batch in Batches::new(bytes) {
            let batch = batch.unwrap();
            batch.verify_crc().unwrap();
            let header = *batch.header();
            assert!(header.base_offset.get() > reached, "batches overlap");
            reached = header.last_offset().get();
            if header.attributes.is_control() {
                continue;
            }
            assert_eq!(header.producer_id, ProducerId::NONE);
            let (mut max, mut count) = (i64::MIN, 0);
            for record in &batch.records().unwrap() {
                let record = record.unwrap();
                if header.attributes.timestamp_type() == TimestampType::CreateTime {
                    max = max.max(record.timestamp_ms);
                } else {
                    max = record.timestamp_ms;
                }
                count += 1;
                records.push(Plain {
                    offset: record.offset.get(),
                    timestamp_ms: record.timestamp_ms,
                    key: record.key.map(<[u8]>::to_vec),
                    value: record.value.map(<[u8]>::to_vec),
                    headers: record.headers.iter().map(|(n, v)| (n.to_owned(), v.map(<[u8]>::to_vec))).collect(),
                });
            }
            assert_eq!((max, count), (header.max_timestamp_ms, header.record_count));
            assert_eq!(records[records.len() - count as usize].offset, header.base_offset.get());
        }
    }
    records
}

/// A log of transactions and of none, of every codec, clock and epoch, with gaps.
pub fn log() -> impl Strategy<Value = Vec<Entry>> {
    let bytes = || {
        prop_oneof![
            4 => proptest::collection::vec(any::<u8>(), 0..40),
            1 => proptest::collection::vec(any::<u8>(), 0..3000),
        ]
    };
    let field = move || proptest::option::weighted(0.8, bytes());
    let headers = proptest::collection::vec(("[a-c]{0,2}|ключ", proptest::option::weighted(0.7, bytes())), 0..4);
    let headers = prop_oneof![3 => Just(Vec::new()), 1 => headers];
    let timestamp = prop_oneof![Just(-1i64), 0..5i64, Just(1_700_000_000_000), any::<i64>().prop_map(|n| n / 1000)];
    let record = (field(), field(), headers, timestamp, 1..4i64);
    let stamp = proptest::option::weighted(0.3, prop_oneof![Just(-1i64), 1000..1003i64]);
    let transaction = proptest::option::weighted(0.4, (1..4i64, any::<bool>()));
    let batch = (
        proptest::collection::vec(record, 1..12),
        proptest::sample::select(CODECS.to_vec()),
        0..2i32,
        stamp,
        transaction,
        0..3i64,
    );
    (proptest::collection::vec(batch, 0..12), 0..1000i64).prop_map(|(batches, base)| {
        let (mut at, mut epoch, mut entries) = (base, 5, Vec::new());
        for (records, codec, rise, stamped_ms, transaction, gap) in batches {
            epoch += rise;
            at += gap;
            let mut plain = Vec::new();
            for (key, value, headers, timestamp_ms, step) in records {
                plain.push(Plain { offset: at, timestamp_ms, key, value, headers });
                at += step;
            }
            let (outcome, producer) = transaction.map_or((Outcome::Commit, 0), |(producer, aborted)| {
                (if aborted { Outcome::Abort } else { Outcome::Commit }, producer)
            });
            entries.push(Entry::Batch(Batch { records: plain, codec, epoch, stamped_ms, transaction }));
            if transaction.is_some() {
                entries.push(Entry::Marker(at, producer, epoch, outcome));
                at += 1;
            }
        }
        entries
    })
}

/// The last offset of a log.
pub fn end_of(entries: &[Entry]) -> i64 {
    entries.last().map_or(0, |entry| {
        let bytes = entry.bytes();
        BatchView::parse(&bytes).unwrap().header().last_offset().get()
    })
}

/// The first offset of a log.
pub fn base_of(entries: &[Entry]) -> i64 {
    entries.first().map_or(0, |entry| {
        let bytes = entry.bytes();
        BatchView::parse(&bytes).unwrap().header().base_offset.get()
    })
}
