//! What the catalog keeps of a file's row groups, so that a row group is chosen without the bucket.
//!
//! ```text
//! version u8 · footer_bytes u24 · for every row group, big-endian:
//!   base_offset i64 · max_timestamp_ms i64 · offset of the first record that has it i64 · start u64 · bytes u32
//! ```
//!
//! Invariant: at most 40 bytes for each row group.

use bytes::{Buf, BufMut};

use super::footer_mark::FOOTER_BYTES_MAX;
use crate::model::Offset;

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 4;
const ENTRY_BYTES: usize = 8 + 8 + 8 + 8 + 4;

const _: () = assert!(HEAD_BYTES + ENTRY_BYTES <= 40);

/// One row group, as the catalog knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowGroupEntry {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The greatest timestamp of its records.
    pub max_timestamp_ms: i64,
    /// The offset of the first record that has it.
    pub max_timestamp_offset: Offset,
    /// Where the bytes begin that a consumer needs.
    pub start: u64,
    /// How many they are.
    pub bytes: u32,
}

/// A file's row groups, in offset order, and how many bytes from its end hold its footer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowGroupIndex {
    /// One ranged GET of so many bytes from the end brings the footer.
    pub footer_bytes: u32,
    /// The row groups.
    pub entries: Vec<RowGroupEntry>,
}

/// The bytes are not an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRowGroupIndex {
    /// A newer version wrote it.
    #[error("the row-group index has version {0}, this program knows 1")]
    Version(u8),
    /// It is cut, or something is left over.
    #[error("the row-group index cannot have {0} bytes")]
    Length(usize),
}

impl RowGroupIndex {
    /// For the catalog.
    ///
    /// # Panics
    /// Where the footer is longer than any that was written: its object could not be read again.
    pub fn encode(&self) -> Vec<u8> {
        assert!(self.footer_bytes <= FOOTER_BYTES_MAX, "a footer of {} bytes was written", self.footer_bytes);
        let mut to = Vec::with_capacity(HEAD_BYTES + ENTRY_BYTES * self.entries.len());
        to.put_u8(VERSION);
        to.put_uint(u64::from(self.footer_bytes), 3);
        for entry in &self.entries {
            to.put_i64(entry.base_offset.get());
            to.put_i64(entry.max_timestamp_ms);
            to.put_i64(entry.max_timestamp_offset.get());
            to.put_u64(entry.start);
            to.put_u32(entry.bytes);
        }
        to
    }

    /// From the catalog.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadRowGroupIndex> {
        let wrong = BadRowGroupIndex::Length(bytes.len());
        let mut rest = bytes;
        let version = rest.try_get_u8().map_err(|_| wrong)?;
        if version != VERSION {
            return Err(BadRowGroupIndex::Version(version));
        }
        if rest.len() < HEAD_BYTES - 1 || !(rest.len() - (HEAD_BYTES - 1)).is_multiple_of(ENTRY_BYTES) {
            return Err(wrong);
        }
        let footer_bytes = u32::try_from(rest.get_uint(3)).map_err(|_| wrong)?;
        let mut entries = Vec::with_capacity(rest.len() / ENTRY_BYTES);
        while rest.has_remaining() {
            entries.push(RowGroupEntry {
                base_offset: Offset::new(rest.get_i64()),
                max_timestamp_ms: rest.get_i64(),
                max_timestamp_offset: Offset::new(rest.get_i64()),
                start: rest.get_u64(),
                bytes: rest.get_u32(),
            });
        }
        Ok(Self { footer_bytes, entries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index() -> impl Strategy<Value = RowGroupIndex> {
        let entry = (any::<i64>(), any::<i64>(), any::<i64>(), any::<u64>(), any::<u32>()).prop_map(
            |(base, max_timestamp_ms, at, start, bytes)| RowGroupEntry {
                base_offset: Offset::new(base),
                max_timestamp_ms,
                max_timestamp_offset: Offset::new(at),
                start,
                bytes,
            },
        );
        (0..=FOOTER_BYTES_MAX, proptest::collection::vec(entry, 0..20))
            .prop_map(|(footer_bytes, entries)| RowGroupIndex { footer_bytes, entries })
    }

    proptest! {
        #[test]
        fn it_round_trips_in_forty_bytes_a_row_group(index in index()) {
            let bytes = index.encode();
            prop_assert!(bytes.len() <= 40 * index.entries.len().max(1));
            prop_assert_eq!(RowGroupIndex::decode(&bytes).unwrap(), index);
            for cut in 0..bytes.len() {
                if cut < HEAD_BYTES || !(cut - HEAD_BYTES).is_multiple_of(ENTRY_BYTES) {
                    prop_assert!(RowGroupIndex::decode(&bytes[..cut]).is_err());
                }
            }
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = RowGroupIndex::decode(&bytes);
        }
    }

    #[test]
    fn a_newer_version_is_named() {
        assert_eq!(RowGroupIndex::decode(&[9, 0, 0, 0]), Err(BadRowGroupIndex::Version(9)));
    }
}
