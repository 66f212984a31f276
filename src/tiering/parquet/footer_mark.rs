//! The end of a file, as bytes.
//!
//! ```text
//! … │ crc32c of the metadata u32 · "TLF1" │ metadata │ its length u32 · "PAR1"        (little-endian)
//! ```
//!
//! A Parquet reader finds the metadata from the end and never looks at what stands before it. Parquet's own format has no
//! checksum for its footer, and a flipped bit in it may well parse.
//!
//! Invariant: not a byte of the metadata is parsed before the checksum agrees.

use super::error::FooterError;

/// Length and magic at the very end.
const END_BYTES: usize = 8;
/// Checksum and magic before the metadata.
const MARK_BYTES: usize = 8;
const PARQUET_MAGIC: &[u8; 4] = b"PAR1";
const MARK_MAGIC: &[u8; 4] = b"TLF1";
/// The catalog keeps the length in 24 bits. Some kilobytes a row group: enough for thousands of them.
pub(super) const FOOTER_BYTES_MAX: u32 = (1 << 24) - 1;

/// Puts the mark before the metadata of a file that ends with `end`.
pub(super) fn insert(end: &mut Vec<u8>) -> Result<(), FooterError> {
    let (metadata_at, metadata) = metadata(end)?;
    let mut mark = [0; MARK_BYTES];
    let (crc, magic) = mark.split_at_mut(4);
    crc.copy_from_slice(&crc32c::crc32c(metadata).to_le_bytes());
    magic.copy_from_slice(MARK_MAGIC);
    end.splice(metadata_at..metadata_at, mark);
    Ok(())
}

/// The metadata of a file that ends with `tail`, checked; and how many bytes the whole footer has, mark included.
pub(super) fn checked(tail: &[u8]) -> Result<(&[u8], usize), FooterError> {
    let (metadata_at, metadata) = metadata(tail)?;
    let footer_bytes = MARK_BYTES + metadata.len() + END_BYTES;
    let need = FooterError::NeedMore { need: footer_bytes, have: tail.len() };
    let mark = metadata_at.checked_sub(MARK_BYTES).and_then(|at| tail.get(at..metadata_at)).ok_or(need)?;
    let computed = crc32c::crc32c(metadata);
    let Some((crc, magic)) = mark.split_first_chunk::<4>() else { return Err(FooterError::NotParquet) };
    if magic != MARK_MAGIC {
        return Err(FooterError::NotOurs);
    }
    let stored = u32::from_le_bytes(*crc);
    if stored != computed {
        return Err(FooterError::Crc { stored, computed });
    }
    Ok((metadata, footer_bytes))
}

/// Where the metadata begins in `tail`, and it.
fn metadata(tail: &[u8]) -> Result<(usize, &[u8]), FooterError> {
    let (rest, end) = tail.split_last_chunk::<END_BYTES>().ok_or(FooterError::NotParquet)?;
    let Some((length, magic)) = end.split_first_chunk::<4>() else { return Err(FooterError::NotParquet) };
    if magic != PARQUET_MAGIC {
        return Err(FooterError::NotParquet);
    }
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let footer_bytes = length.saturating_add(MARK_BYTES + END_BYTES);
    if !u32::try_from(footer_bytes).is_ok_and(|bytes| bytes <= FOOTER_BYTES_MAX) {
        return Err(FooterError::TooLarge(footer_bytes));
    }
    let need = FooterError::NeedMore { need: footer_bytes, have: tail.len() };
    let at = rest.len().checked_sub(length).ok_or(need)?;
    Ok((at, rest.get(at..).unwrap_or_default()))
}
