//! Snappy in the two ways that clients write it: xerial's framing (Java, librdkafka) and one raw block (Go, C).
//!
//! A raw block that happens to begin with xerial's magic cannot be valid: its first byte would claim a length that its
//! second contradicts.

use std::io::{self, Cursor, Read};

use super::Unbounded;

const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// Magic, version, least compatible version.
const XERIAL_HEADER_BYTES: usize = 16;
/// Plain bytes of a block, as xerial's own default.
const BLOCK_BYTES: usize = 32 * 1024;
/// No element of a block unfolds to more, for each of its bytes: the longest copy makes 64 bytes of 3.
const UNFOLDING_MAX: usize = 22;

pub(super) fn reader<'a>(packed: &'a [u8], bytes_max: usize) -> io::Result<Box<dyn Read + 'a>> {
    if packed.starts_with(&XERIAL_MAGIC) {
        let blocks = packed.get(XERIAL_HEADER_BYTES..).ok_or_else(cut)?;
        return Ok(Box::new(Xerial { blocks, plain: Vec::new(), read: 0, bytes_max, left: bytes_max }));
    }
    let length = unpacked_bytes(packed)?;
    if length > bytes_max {
        return Err(io::Error::other(Unbounded(bytes_max)));
    }
    Ok(Box::new(Cursor::new(unpack_block(packed)?)))
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the stream is cut")
}

/// What a block says in front that it unfolds to, if it can: this much is about to be reserved.
fn unpacked_bytes(block: &[u8]) -> io::Result<usize> {
    let length = snap::raw::decompress_len(block).map_err(io::Error::other)?;
    if length > block.len().saturating_mul(UNFOLDING_MAX) {
        let have = block.len();
        return Err(io::Error::other(format!("a block of {have} bytes cannot unfold to {length}")));
    }
    Ok(length)
}

fn unpack_block(block: &[u8]) -> io::Result<Vec<u8>> {
    snap::raw::Decoder::new().decompress_vec(block).map_err(io::Error::other)
}

struct Xerial<'a> {
    blocks: &'a [u8],
    plain: Vec<u8>,
    read: usize,
    bytes_max: usize,
    left: usize,
}

impl Read for Xerial<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read >= self.plain.len() {
            if self.blocks.is_empty() {
                return Ok(0);
            }
            let length = self.blocks.split_off(..4).and_then(|length| length.try_into().ok()).ok_or_else(cut)?;
            let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
            let block = self.blocks.split_off(..length).ok_or_else(cut)?;
            let length = unpacked_bytes(block)?;
            self.left = self.left.checked_sub(length).ok_or_else(|| io::Error::other(Unbounded(self.bytes_max)))?;
            self.plain = unpack_block(block)?;
            self.read = 0;
        }
        let mut rest = self.plain.get(self.read..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.read += count;
        Ok(count)
    }
}

pub(super) fn pack(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = Vec::with_capacity(plain.len() / 2 + XERIAL_HEADER_BYTES);
    packed.extend_from_slice(&XERIAL_MAGIC);
    packed.extend_from_slice(&1u32.to_be_bytes());
    packed.extend_from_slice(&1u32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for chunk in plain.chunks(BLOCK_BYTES) {
        let block = encoder.compress_vec(chunk).map_err(io::Error::other)?;
        packed.extend_from_slice(&u32::try_from(block.len()).map_err(io::Error::other)?.to_be_bytes());
        packed.extend_from_slice(&block);
    }
    Ok(packed)
}
