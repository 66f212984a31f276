//! What producers send: batches of every codec, damaged, half of them with a checksum that is right again. What is accepted
//! can be read, is accepted again, and can be tiered.

use bytes::Bytes;
use rand::Rng;
use rand::rngs::StdRng;

use crate::damage::{damage, noise};
use crate::model::topic_config::TopicCompression;
use crate::model::{Codec, LeaderEpoch, Offset, ProducerId, TimestampType};
use crate::objects::{object, read_all};
use crate::record::{
    Attributes, BatchBuilder, BatchHeader, BatchSpec, BatchView, ValidBatch, ValidationRules, validate,
};
use crate::target::{Outcome, Target, refused};

pub const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
/// Where the length stands, the checksum, and what it covers.
const LENGTH_AT: usize = 8;
const LENGTH_COVERS: usize = 12;
const CRC_AT: usize = 17;
const CHECKED_AT: usize = 21;
const HEADER_BYTES: usize = 61;
/// What a bomb unfolds to: more than any batch may.
const BOMB_BYTES: usize = 300 << 20;

/// A producer's batches.
pub struct Batches {
    samples: Vec<Bytes>,
    bombs: Vec<Bytes>,
}

/// A batch of records of every form.
pub fn sample(spec: BatchSpec, records: i64, value_bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new(spec);
    let base = spec.base_offset.get();
    for number in 0..records {
        let key = format!("key-{}", number % 5);
        let key = (number % 4 != 0).then_some(key.as_bytes());
        let value = vec![b'a' + u8::try_from(number % 20).unwrap(); value_bytes];
        let value = (number % 7 != 3).then_some(value.as_slice());
        let headers: &[(&str, Option<&[u8]>)] =
            if number % 3 == 0 { &[("a", None), ("ü", Some(b"")), ("a", Some(b"1"))] } else { &[] };
        let timestamp_ms = if spec.timestamp_type == TimestampType::LogAppendTime { 1_000 } else { 1_000 + number };
        builder.push(Offset::new(base + number), timestamp_ms, key, value, headers.iter().copied()).unwrap();
    }
    builder.build().unwrap().bytes().clone()
}

impl Batches {
    pub fn new() -> Self {
        let mut samples = Vec::new();
        for codec in CODECS {
            let plain = BatchSpec::plain(Offset::ZERO, LeaderEpoch::new(-1), codec);
            let producer = Some((ProducerId(7), 1, 30));
            samples.push(sample(plain, 1, 10));
            samples.push(sample(plain, 40, 100));
            samples.push(sample(BatchSpec { producer, ..plain }, 5, 2_000));
            let attributes = Attributes::default().transactional();
            samples.push(sample(BatchSpec { producer, attributes, ..plain }, 5, 50));
        }
        Self { samples, bombs: [bomb(&zstd_of_zeros(), Codec::Zstd), bomb(&gzip_of_zeros(), Codec::Gzip)].to_vec() }
    }

    fn bytes(&self, chance: &mut StdRng) -> Vec<u8> {
        if chance.random_range(0..1_000) == 0 {
            return self.bombs[chance.random_range(0..self.bombs.len())].to_vec();
        }
        let one = &self.samples[chance.random_range(0..self.samples.len())];
        let other = &self.samples[chance.random_range(0..self.samples.len())];
        if chance.random_range(0..20) == 0 {
            return noise(chance, 300);
        }
        let mut bytes = one.to_vec();
        let from = if chance.random() { HEADER_BYTES.min(one.len()) } else { 0 };
        damage(chance, &mut bytes, from, other);
        if chance.random_range(0..4) > 0 {
            seal(&mut bytes);
        }
        bytes
    }
}

/// Makes length and checksum right again.
fn seal(bytes: &mut [u8]) {
    if bytes.len() < HEADER_BYTES {
        return;
    }
    let length = i32::try_from(bytes.len() - LENGTH_COVERS).unwrap();
    bytes[LENGTH_AT..LENGTH_COVERS].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[CHECKED_AT..]);
    bytes[CRC_AT..CHECKED_AT].copy_from_slice(&crc.to_be_bytes());
}

/// A batch whose records are these bytes.
fn bomb(packed: &[u8], codec: Codec) -> Bytes {
    let mut bytes = sample(BatchSpec::plain(Offset::ZERO, LeaderEpoch::new(-1), codec), 1, 10)[..HEADER_BYTES].to_vec();
    bytes.extend_from_slice(packed);
    seal(&mut bytes);
    bytes.into()
}

fn zstd_of_zeros() -> Vec<u8> {
    zstd::stream::encode_all(std::io::Read::take(std::io::repeat(0), BOMB_BYTES as u64), 1).unwrap()
}

fn gzip_of_zeros() -> Vec<u8> {
    let mut packed = Vec::new();
    let zeros = std::io::Read::take(std::io::repeat(0), BOMB_BYTES as u64);
    let mut packing = flate2::read::GzEncoder::new(zeros, flate2::Compression::fast());
    std::io::Read::read_to_end(&mut packing, &mut packed).unwrap();
    packed
}

/// As it lies in a log.
fn appended(batch: &ValidBatch) -> Bytes {
    let length = i32::try_from(batch.bytes().len() - LENGTH_COVERS).unwrap();
    let prefix = BatchHeader::prefix(Offset::ZERO, length, LeaderEpoch::new(1));
    [&prefix, batch.unchanged()].concat().into()
}

fn rules(chance: &mut StdRng) -> ValidationRules {
    let compression = match chance.random_range(0..3) {
        0 => TopicCompression::Fixed(CODECS[chance.random_range(0..CODECS.len())], None),
        _ => TopicCompression::Producer,
    };
    ValidationRules {
        max_bytes: 1 << 20,
        timestamp_type: if chance.random() { TimestampType::CreateTime } else { TimestampType::LogAppendTime },
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        now_ms: 1_700_000_000_000,
        compression,
        keys_required: chance.random_range(0..8) == 0,
    }
}

impl Target for Batches {
    fn memory_bytes_max(&self) -> u64 {
        64 << 20
    }

    fn run(&mut self, chance: &mut StdRng) -> Result<Outcome, String> {
        let (bytes, rules) = (Bytes::from(self.bytes(chance)), rules(chance));
        let accepted = match validate(bytes, &rules) {
            Ok(accepted) => accepted,
            Err(error) => return refused(&error.to_string(), ""),
        };
        let bytes = accepted.bytes();
        let view = BatchView::parse(bytes).map_err(|error| format!("accepted, and cannot be parsed: {error}"))?;
        let mut count = 0;
        for record in &view.records().map_err(|error| format!("accepted, and cannot be unpacked: {error}"))? {
            record.map_err(|error| format!("accepted, and record {count} cannot be read: {error}"))?;
            count += 1;
        }
        if count != view.header().record_count {
            return Err(format!("{} records were announced, {count} accepted", view.header().record_count));
        }
        // What the broker has stamped no producer may send.
        let may_be_sent = rules.timestamp_type == TimestampType::CreateTime;
        if let Some(error) = may_be_sent.then(|| validate(bytes.clone(), &rules).err()).flatten() {
            return Err(format!("accepted, and then not any more: {error}"));
        }
        if chance.random_range(0..8) == 0 {
            let object = object(&[appended(&accepted)], 1 << 20)?;
            let rows = read_all(&object)?.len();
            if rows != usize::try_from(count).unwrap() {
                return Err(format!("{count} records were accepted, {rows} tiered"));
            }
        }
        Ok(Outcome::Read)
    }
}
