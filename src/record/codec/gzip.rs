//! gzip (RFC 1952); members that follow one another are one stream, as Java reads them.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

pub(super) fn reader(packed: &[u8]) -> impl Read + '_ {
    MultiGzDecoder::new(packed)
}

pub(super) fn pack(plain: &[u8], level: Option<i32>) -> io::Result<Vec<u8>> {
    let level = level.and_then(|level| u32::try_from(level).ok()).map_or_else(Compression::default, Compression::new);
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 2), level);
    encoder.write_all(plain)?;
    encoder.finish()
}
