//! Batches to append, and batches as they are found in a log.

use std::sync::Arc;

use tidelog::log::PartitionLog;
use tidelog::model::{Codec, LeaderEpoch, Offset, ProducerId, TopicConfig};
use tidelog::record::control::{self, Marker, Outcome};
use tidelog::record::{
    Attributes, BatchBuilder, BatchHeader, BatchSpec, BatchView, Batches, ValidBatch, ValidationRules, validate,
};

/// A batch in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Logged {
    pub header: BatchHeader,
    pub bytes: Vec<u8>,
    /// Offset, timestamp, value.
    pub records: Vec<(Offset, i64, String)>,
    pub marker: Option<Marker>,
}

impl std::fmt::Debug for Logged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values: Vec<_> = self.records.iter().map(|(_, _, value)| value.as_str()).collect();
        write!(f, "{}..{} {values:?}", self.header.base_offset, self.header.next_offset())
    }
}

impl Logged {
    fn parse(view: &BatchView<'_>) -> Self {
        view.verify_crc().expect("a batch that is served has its checksum");
        let marker = control::parse(view).expect("markers parse");
        let records = match marker {
            Some(_) => Vec::new(),
            None => view
                .records()
                .expect("records parse")
                .into_iter()
                .map(|record| {
                    let record = record.expect("a record parses");
                    let value = String::from_utf8(record.value.unwrap_or_default().to_vec()).expect("text");
                    (record.offset, record.timestamp_ms, value)
                })
                .collect(),
        };
        Self { header: *view.header(), bytes: view.bytes().to_vec(), records, marker }
    }

    pub fn base(&self) -> Offset {
        self.header.base_offset
    }

    pub fn next(&self) -> Offset {
        self.header.next_offset()
    }
}

/// Every batch from `from` to the end of the log, as consumers read them.
pub fn read_all(log: &PartitionLog, from: Offset) -> Vec<Arc<Logged>> {
    let mut found: Vec<Arc<Logged>> = Vec::new();
    let mut at = from;
    while let Some(slice) = log.read(at, 400, log.log_end_offset(), true).expect("what is in the log can be read") {
        let mut bytes = vec![0; slice.length];
        slice.file.read_exact_at(&mut bytes, slice.position).expect("the file is long enough");
        let before = at;
        for view in Batches::new(&bytes) {
            let view = view.expect("a batch parses");
            at = view.header().next_offset();
            found.push(Arc::new(Logged::parse(&view)));
        }
        assert!(at > before, "a read at {before} goes on");
    }
    found
}

/// The batch that holds `offset`, as a consumer that asks for it gets it.
pub fn batch_at(log: &PartitionLog, offset: Offset) -> Arc<Logged> {
    let slice = log.read(offset, 1, log.log_end_offset(), true).expect("it can be read").expect("it is there");
    let mut bytes = vec![0; slice.length];
    slice.file.read_exact_at(&mut bytes, slice.position).expect("the file is long enough");
    Arc::new(Logged::parse(&BatchView::parse(&bytes).expect("a batch parses")))
}

/// What a batch is to say.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub name: u64,
    pub count: i64,
    pub timestamp_ms: i64,
    /// Id, epoch, first sequence number.
    pub producer: Option<(ProducerId, i16, i32)>,
    pub transactional: bool,
}

pub fn data(wanted: &Wanted) -> ValidBatch {
    let mut spec = BatchSpec::plain(Offset::ZERO, LeaderEpoch::new(-1), Codec::None);
    spec.producer = wanted.producer;
    if wanted.transactional {
        spec.attributes = Attributes::default().transactional();
    }
    let mut builder = BatchBuilder::new(spec);
    for n in 0..wanted.count {
        let value = format!("{}/{n}", wanted.name);
        let timestamp_ms = wanted.timestamp_ms + n % 2;
        builder.push(Offset::new(n), timestamp_ms, None, Some(value.as_bytes()), std::iter::empty()).expect("it fits");
    }
    builder.build().expect("it builds")
}

pub fn marker(producer: (ProducerId, i16), outcome: Outcome, coordinator_epoch: i32, now_ms: i64) -> ValidBatch {
    let marker = Marker { outcome, coordinator_epoch };
    control::build(Offset::ZERO, LeaderEpoch::new(-1), producer, marker, now_ms).expect("it builds")
}

/// A batch of the log as its producer sends it once more.
pub fn sent_again(batch: &Logged) -> ValidBatch {
    let mut bytes = batch.bytes.clone();
    // The base offset is the broker's, and lies outside the checksum.
    bytes[..8].fill(0);
    let config = TopicConfig::default();
    let rules = ValidationRules::of(&config.message, false, batch.header.max_timestamp_ms);
    validate(bytes.into(), &rules).expect("it was valid before")
}
