//! Zstandard (RFC 8878).

use std::io::{self, Read};

/// The largest window that a frame may ask for, as a power of two: the decoder reserves it before the first byte.
const WINDOW_LOG_MAX: u32 = 27;

pub(super) fn reader(packed: &[u8]) -> io::Result<impl Read + '_> {
    let mut decoder = ::zstd::stream::read::Decoder::with_buffer(packed)?;
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    Ok(decoder)
}

pub(super) fn pack(plain: &[u8], level: Option<i32>) -> io::Result<Vec<u8>> {
    ::zstd::bulk::compress(plain, level.unwrap_or(::zstd::DEFAULT_COMPRESSION_LEVEL))
}
