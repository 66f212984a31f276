//! The records of a batch as a stream: unpacked a stretch at a time into the caller's buffer, parsed where they lie.
//!
//! Invariant: what is unpacked is bounded, and a packed batch is never unfolded whole unless its caller wants it so.

use std::io::{self, Read};

use crate::model::Codec;
use crate::model::limits::BATCH_DECOMPRESSED_BYTES_MAX;

use super::codec;
use super::error::BatchError;
use super::header::BatchHeader;
use super::records::{Record, parse_record};
use super::varint::read_varint;
use super::view::BatchView;

/// Bytes that a length may take.
const LENGTH_BYTES_MAX: usize = 5;

/// A batch's records on their way out of its codec.
pub struct Unpacking<'a> {
    codec: Codec,
    from: Origin<'a>,
    left: usize,
}

enum Origin<'a> {
    Plain(&'a [u8]),
    Packed(Box<dyn Read + 'a>),
}

impl std::fmt::Debug for Unpacking<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacking").field("codec", &self.codec).field("left", &self.left).finish_non_exhaustive()
    }
}

impl<'a> BatchView<'a> {
    /// Begins to unpack.
    pub fn unpacking(&self) -> Result<Unpacking<'a>, BatchError> {
        let codec = self.header().attributes.codec()?;
        let from = match codec {
            Codec::None => Origin::Plain(self.payload()),
            codec => Origin::Packed(codec::reader(codec, self.payload(), BATCH_DECOMPRESSED_BYTES_MAX)?),
        };
        Ok(Unpacking { codec, from, left: BATCH_DECOMPRESSED_BYTES_MAX })
    }
}

impl Unpacking<'_> {
    /// Appends up to `bytes_max` bytes to `to`; says how many. 0 at the end.
    pub fn read_into(&mut self, to: &mut Vec<u8>, bytes_max: usize) -> Result<usize, BatchError> {
        let count = match &mut self.from {
            Origin::Plain(rest) => {
                let here = rest.split_off(..bytes_max.min(rest.len())).unwrap_or_default();
                to.extend_from_slice(here);
                return Ok(here.len());
            }
            Origin::Packed(reader) => {
                to.reserve(bytes_max);
                let bound = u64::try_from(bytes_max).unwrap_or(u64::MAX);
                let read: io::Result<usize> = reader.by_ref().take(bound).read_to_end(to);
                read.map_err(|error| codec::refused(self.codec, &error))?
            }
        };
        self.left = self.left.checked_sub(count).ok_or(BatchError::Bomb(BATCH_DECOMPRESSED_BYTES_MAX))?;
        Ok(count)
    }
}

/// What bytes begin with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Begins<'r> {
    /// A record, and how many bytes it takes.
    Record(Record<'r>, usize),
    /// A record of which at least so many bytes are missing.
    Cut(usize),
}

impl BatchHeader {
    /// Parses the record of this batch that `bytes` begin with; `index` names it in errors.
    #[inline]
    pub fn record<'r>(&self, index: i32, bytes: &'r [u8]) -> Result<Begins<'r>, BatchError> {
        let bad = |reason| BatchError::Record { index, reason };
        let mut rest = bytes;
        let Ok(length) = read_varint(&mut rest);
        let length = match length {
            Some(length) => usize::try_from(length).map_err(|_| bad("a length is negative"))?,
            None if bytes.len() < LENGTH_BYTES_MAX => return Ok(Begins::Cut(1)),
            None => return Err(bad("a length is not a varint")),
        };
        if rest.len() < length {
            return Ok(Begins::Cut(length - rest.len()));
        }
        let size = bytes.len() - rest.len() + length;
        let mut rest = bytes;
        let record = parse_record(&mut rest, self).map_err(bad)?;
        Ok(Begins::Record(record, size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LeaderEpoch, Offset};
    use crate::record::{BatchBuilder, BatchSpec};

    const ALL: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    #[test]
    fn records_come_out_of_every_codec_in_any_stretch() {
        for codec in ALL {
            for stretch in [1, 7, 1000, 1 << 20] {
                let mut builder = BatchBuilder::new(BatchSpec::plain(Offset::new(7), LeaderEpoch::new(1), codec));
                let value = vec![b'v'; 300];
                for n in 0..50u8 {
                    let value = (n % 3 > 0).then_some(&value[..usize::from(n) * 5]);
                    let n = i64::from(n);
                    let headers = [("a", Some(b"1".as_slice())), ("b", None)];
                    builder.push(Offset::new(7 + n), n, None, value, headers.iter().copied()).unwrap();
                }
                let built = builder.build().unwrap();
                let view = BatchView::parse(built.bytes()).unwrap();
                let records = view.records().unwrap();
                let mut unpacking = view.unpacking().unwrap();
                let (mut bytes, mut at) = (Vec::new(), 0);
                for (index, expected) in (0..).zip(&records) {
                    loop {
                        match view.header().record(index, &bytes[at..]).unwrap() {
                            Begins::Record(record, size) => {
                                assert_eq!(record, expected.unwrap(), "{codec:?} {stretch} {index}");
                                at += size;
                                break;
                            }
                            Begins::Cut(missing) => {
                                assert!(unpacking.read_into(&mut bytes, stretch.min(missing)).unwrap() > 0);
                            }
                        }
                    }
                }
                assert_eq!(unpacking.read_into(&mut bytes, 1).unwrap(), 0);
                assert_eq!(at, bytes.len());
            }
        }
    }
}
