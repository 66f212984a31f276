//! The producer snapshot inside a file: Kafka's format, packed as one zstd frame with a checksum.

use std::io::{Read, Write};

use super::error::DecodeError;

/// What it may unfold to: some 60 bytes for each of a few million producers.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The largest window that a frame may ask for, as a power of two.
const WINDOW_LOG_MAX: u32 = 27;

/// Packs it.
pub(super) fn pack(snapshot: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), zstd::DEFAULT_COMPRESSION_LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.write_all(snapshot)?;
    encoder.finish()
}

/// Unpacks it.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let refused = |error: std::io::Error| DecodeError::Snapshot(error.to_string());
    let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(refused)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(refused)?;
    let mut snapshot = Vec::new();
    decoder.take(BYTES_MAX + 1).read_to_end(&mut snapshot).map_err(refused)?;
    if snapshot.len() as u64 > BYTES_MAX {
        return Err(DecodeError::Snapshot(format!("it unfolds to more than {BYTES_MAX} bytes")));
    }
    Ok(snapshot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_round_trips_and_damage_is_seen() {
        for snapshot in [Vec::new(), (0..100_000u32).flat_map(u32::to_be_bytes).collect::<Vec<u8>>()] {
            let packed = pack(&snapshot).unwrap();
            assert_eq!(unpack(&packed).unwrap(), snapshot);
            for at in 0..packed.len().min(200) {
                assert!(unpack(&packed[..at]).is_err() || at == 0, "cut at {at}");
                let mut damaged = packed.clone();
                damaged[at] ^= 0x10;
                // Some bits of a frame's head only say how large a window to reserve.
                assert!(unpack(&damaged).is_ok_and(|same| same == snapshot) || unpack(&damaged).is_err(), "byte {at}");
            }
        }
    }
}
