//! The digest of a segment: BLAKE3 over its records, so that it says the same of every file that holds them.
//!
//! ```text
//! for every record, in offset order, integers big-endian:
//!   offset i64 · timestamp in ms i64 · key · value · number of headers i32 · for every header: name · value
//! where key, name and value are: length i32 (-1: null), bytes
//! ```
//!
//! Invariant: neither row groups nor codecs nor batches show in it, only records.

use std::fmt;
use std::str::FromStr;

use crate::model::Offset;

/// Bytes that are collected before they are hashed. The hash is a tree over chunks: given a power of two of them at a time
/// it works on many at once.
const STAGED_BYTES: usize = 64 * 1024;

/// The digest of a run of records.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest with these bytes; `None` unless there are 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its 32 bytes, for the catalog.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a digest (64 hexadecimal digits)")]
pub struct BadDigest(String);

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let bad = || BadDigest(text.chars().take(80).collect());
        let mut bytes = [0; 32];
        if text.len() != 2 * bytes.len() {
            return Err(bad());
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |at: usize| pair.get(at).and_then(|&digit| char::from(digit).to_digit(16));
            let (high, low) = digit(0).zip(digit(1)).ok_or_else(bad)?;
            *byte = u8::try_from(high * 16 + low).map_err(|_| bad())?;
        }
        Ok(Self(bytes))
    }
}

/// Takes records in offset order and gives their digest.
pub struct RecordDigest {
    hasher: blake3::Hasher,
    staged: Vec<u8>,
}

impl Default for RecordDigest {
    fn default() -> Self {
        Self { hasher: blake3::Hasher::new(), staged: Vec::with_capacity(STAGED_BYTES) }
    }
}

impl fmt::Debug for RecordDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordDigest").finish_non_exhaustive()
    }
}

impl RecordDigest {
    /// Takes the next record.
    pub fn push<'h>(
        &mut self,
        offset: Offset,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl ExactSizeIterator<Item = (&'h str, Option<&'h [u8]>)>,
    ) {
        self.take(&offset.get().to_be_bytes());
        self.take(&timestamp_ms.to_be_bytes());
        self.bytes(key);
        self.bytes(value);
        self.length(headers.len());
        for (name, value) in headers {
            self.bytes(Some(name.as_bytes()));
            self.bytes(value);
        }
    }

    /// The digest of what was taken.
    pub fn finish(mut self) -> Digest {
        self.hasher.update(&self.staged);
        Digest(*self.hasher.finalize().as_bytes())
    }

    #[inline]
    fn bytes(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.take(&(-1i32).to_be_bytes()),
            Some(bytes) => {
                self.length(bytes.len());
                self.take(bytes);
            }
        }
    }

    #[inline]
    fn length(&mut self, length: usize) {
        // No record has more than `i32::MAX` bytes: its own length is such a number.
        let length = i32::try_from(length).unwrap_or(i32::MAX);
        self.take(&length.to_be_bytes());
    }

    #[inline]
    fn take(&mut self, bytes: &[u8]) {
        if self.staged.len() + bytes.len() < STAGED_BYTES {
            self.staged.extend_from_slice(bytes);
        } else {
            self.hash(bytes);
        }
    }

    /// Hashes what was collected and the whole stages of `bytes`; collects the rest.
    fn hash(&mut self, bytes: &[u8]) {
        let (fills, rest) = bytes.split_at(STAGED_BYTES - self.staged.len());
        self.staged.extend_from_slice(fills);
        self.hasher.update(&self.staged);
        self.staged.clear();
        let mut stages = rest.chunks_exact(STAGED_BYTES);
        stages.by_ref().for_each(|stage| {
            self.hasher.update(stage);
        });
        self.staged.extend_from_slice(stages.remainder());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Header<'a> = (&'a str, Option<&'a [u8]>);

    struct Plain<'a> {
        offset: i64,
        timestamp_ms: i64,
        key: Option<&'a [u8]>,
        value: Option<&'a [u8]>,
        headers: &'a [Header<'a>],
    }

    fn put(stream: &mut Vec<u8>, bytes: Option<&[u8]>) {
        match bytes {
            None => stream.extend((-1i32).to_be_bytes()),
            Some(bytes) => {
                stream.extend(i32::try_from(bytes.len()).unwrap().to_be_bytes());
                stream.extend(bytes);
            }
        }
    }

    /// The canonical stream, spelled out once more.
    fn by_hand(records: &[Plain<'_>]) -> Digest {
        let mut stream = Vec::new();
        for record in records {
            stream.extend(record.offset.to_be_bytes());
            stream.extend(record.timestamp_ms.to_be_bytes());
            put(&mut stream, record.key);
            put(&mut stream, record.value);
            stream.extend(i32::try_from(record.headers.len()).unwrap().to_be_bytes());
            for (name, value) in record.headers {
                put(&mut stream, Some(name.as_bytes()));
                put(&mut stream, *value);
            }
        }
        Digest(*blake3::hash(&stream).as_bytes())
    }

    #[test]
    fn it_is_the_hash_of_the_canonical_stream() {
        let large = vec![7u8; 3 * STAGED_BYTES];
        let small = vec![9u8; 100];
        let headers: &[Header<'_>] = &[("a", Some(b"1")), ("a", None), ("", Some(b""))];
        let mut records = Vec::new();
        for at in 0..2000 {
            let value = if at % 500 == 3 { large.as_slice() } else { small.as_slice() };
            let (key, value) = (Some(b"key".as_slice()), Some(value));
            records.push(Plain { offset: at * 3, timestamp_ms: -1, key, value, headers: &[] });
        }
        records.push(Plain { offset: 9000, timestamp_ms: 5, key: None, value: None, headers });
        let mut digest = RecordDigest::default();
        for record in &records {
            let headers = record.headers.iter().copied();
            digest.push(Offset::new(record.offset), record.timestamp_ms, record.key, record.value, headers);
        }
        assert_eq!(digest.finish(), by_hand(&records));
    }

    #[test]
    fn null_and_empty_differ() {
        let of = |key: Option<&[u8]>| {
            let mut digest = RecordDigest::default();
            digest.push(Offset::ZERO, 0, key, None, std::iter::empty::<(&str, Option<&[u8]>)>());
            digest.finish()
        };
        assert_ne!(of(None), of(Some(b"")));
    }

    #[test]
    fn the_text_round_trips_and_nothing_else_is_taken() {
        let digest = RecordDigest::default().finish();
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        let text = digest.to_string();
        for bad in ["", "ab", &text[1..], &format!("{text}0"), &text.replace(&text[..1], "g")] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
        assert_eq!(Digest::from_bytes(digest.as_bytes()), Some(digest));
        assert_eq!(Digest::from_bytes(&[0; 31]), None);
    }
}
