//! Objects of the bucket, damaged: whatever is read of them is what was written. With metadata that was made on purpose, its
//! checksum right, nothing is promised but an end and bounded memory.

use bytes::Bytes;
use rand::Rng;
use rand::rngs::StdRng;

use crate::batches::{CODECS, sample};
use crate::damage::{damage, noise};
use crate::model::{Codec, LeaderEpoch, Offset, TimestampType, TopicId, TopicName};
use crate::record::{BatchSpec, BatchView};
use crate::target::{Outcome, Target, refused};
use tidelog::tiering::parquet::{
    Aborted, Footer, FooterError, Lineage, SegmentHeader, SegmentWriter, Wanted, WriterOptions,
};

const FIXTURE: &[u8] = include_bytes!("../fixtures/parquet/version-1.parquet");
/// Checksum, mark, length and magic: what follows and precedes the metadata.
const MARK_BYTES: usize = 8;
const TAIL_BYTES: usize = 8;

/// What a record is: its offset, time and bytes.
pub type Row = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>);

/// An object of these batches, whose row groups are cut at so many bytes.
pub fn object(batches: &[Bytes], row_group_bytes: usize) -> Result<Bytes, String> {
    let views: Vec<_> = batches.iter().map(|bytes| BatchView::parse(bytes).unwrap()).collect();
    let header = SegmentHeader {
        topic_name: TopicName::parse("orders").unwrap(),
        topic_id: TopicId::from_uuid(uuid::Uuid::from_u128(1)),
        partition: 0,
        base_offset: views[0].header().base_offset,
        end_offset: views[views.len() - 1].header().last_offset(),
        lineage: Lineage::default(),
    };
    let options = WriterOptions { row_group_bytes, ..WriterOptions::default() };
    let failed = |error| format!("what was accepted cannot be tiered: {error}");
    let mut writer = SegmentWriter::new(header, Aborted::default(), &options).map_err(failed)?;
    let mut file = Vec::new();
    for view in &views {
        writer.push(view).map_err(failed)?;
        file.extend(writer.take());
    }
    file.extend(writer.finish(b"the producers").map_err(failed)?.rest);
    Ok(file.concat().into())
}

fn log() -> Vec<Bytes> {
    let mut batches = Vec::new();
    let mut base = 100;
    for (number, codec) in (0i64..).zip(CODECS.into_iter().chain(CODECS)) {
        let epoch = LeaderEpoch::new(3 + i32::try_from(number / 4).unwrap());
        let mut spec = BatchSpec::plain(Offset::new(base), epoch, codec);
        if number % 5 == 3 {
            spec.timestamp_type = TimestampType::LogAppendTime;
        }
        batches.push(sample(spec, 20, 60));
        base += 20 + number % 3;
    }
    batches
}

/// Everything that can be asked of an object.
pub fn read_all(bytes: &Bytes) -> Result<Vec<Row>, String> {
    let footer = footer(bytes).map_err(|error| error.to_string())?;
    let wanted = Wanted {
        from: Offset::ZERO,
        upper: Offset::MAX,
        max_bytes: 16 << 20,
        at_least_one: true,
        batch_bytes_max: 1 << 20,
        codec: Codec::None,
        level: None,
    };
    let mut rows = Vec::new();
    for (number, meta) in footer.row_groups().iter().enumerate() {
        let times = footer.decode_times(number, cut(bytes, &meta.times)).map_err(|error| error.to_string())?;
        times.first_at_or_after(1_010, Offset::ZERO, Offset::MAX);
        times.first_with_max(Offset::ZERO, Offset::MAX);
        let group = footer.decode_row_group(number, cut(bytes, &meta.bytes)).map_err(|error| error.to_string())?;
        group.batches(&wanted).map_err(|error| error.to_string())?;
        rows.extend(group.iter().map(|row| {
            (row.offset.get(), row.timestamp_ms, row.key.map(<[u8]>::to_vec), row.value.map(<[u8]>::to_vec))
        }));
    }
    if let Some(range) = footer.producer_snapshot() {
        footer.unpack_producer_snapshot(&cut(bytes, &range)).map_err(|error| error.to_string())?;
    }
    footer.index().encode();
    for offset in [0, 105, 150, i64::MAX] {
        footer.run_at(Offset::new(offset));
        footer.row_group_at(Offset::new(offset));
    }
    let _ = footer.gap(Offset::new(100), Offset::new(200));
    Ok(rows)
}

/// The footer, as a reader comes to it: a little from the end, then as much as is needed.
fn footer(bytes: &Bytes) -> Result<Footer, FooterError> {
    let size = bytes.len() as u64;
    match Footer::parse(size, &bytes[bytes.len().saturating_sub(64)..]) {
        Err(FooterError::NeedMore { need, .. }) if need <= bytes.len() => {
            Footer::parse(size, &bytes[bytes.len() - need..])
        }
        other => other,
    }
}

fn cut(bytes: &Bytes, range: &std::ops::Range<u64>) -> Bytes {
    let at = |position: u64| usize::try_from(position).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(at(range.start).min(at(range.end))..at(range.end))
}

/// The same object with other metadata, whose checksum is right.
fn forged(chance: &mut StdRng, bytes: &Bytes) -> Vec<u8> {
    let end = bytes.len() - TAIL_BYTES;
    let length = u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap()) as usize;
    let mut metadata = bytes[end - length..end].to_vec();
    damage(chance, &mut metadata, 0, &bytes[end - length..end]);
    let mut made = bytes[..end - length - MARK_BYTES].to_vec();
    made.extend(crc32c::crc32c(&metadata).to_le_bytes());
    made.extend(&bytes[end - length - 4..end - length]);
    made.extend(&metadata);
    made.extend(u32::try_from(metadata.len()).unwrap().to_le_bytes());
    made.extend(&bytes[bytes.len() - 4..]);
    made
}

/// Objects, with what is in them.
pub struct Objects {
    samples: Vec<(Bytes, Vec<Row>)>,
}

impl Objects {
    pub fn new() -> Self {
        let log = log();
        let mut objects = vec![Bytes::from_static(FIXTURE)];
        objects.extend([1_000, 8 << 20].map(|row_group_bytes| object(&log, row_group_bytes).unwrap()));
        let samples = objects.into_iter().map(|object| (object.clone(), read_all(&object).unwrap())).collect();
        Self { samples }
    }
}

impl Target for Objects {
    fn memory_bytes_max(&self) -> u64 {
        128 << 20
    }

    /// The Parquet decoder has asserts on what it reads, and is kept from taking the process with it.
    fn may_panic_within(&self) -> bool {
        true
    }

    fn run(&mut self, chance: &mut StdRng) -> Result<Outcome, String> {
        let (one, rows) = &self.samples[chance.random_range(0..self.samples.len())];
        let (other, _) = &self.samples[chance.random_range(0..self.samples.len())];
        let forge = chance.random();
        let bytes = match chance.random_range(0..20) {
            0 => noise(chance, 400),
            _ if forge => forged(chance, one),
            _ => {
                let mut bytes = one.to_vec();
                damage(chance, &mut bytes, 0, other);
                bytes
            }
        };
        match read_all(&bytes.into()) {
            Ok(found) if forge || found == *rows => Ok(Outcome::Read),
            Ok(found) => Err(format!("{} records were read, and not those that were written", found.len())),
            Err(error) => refused(&error, ""),
        }
    }
}
