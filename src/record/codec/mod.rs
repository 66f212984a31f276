//! The five codecs of a batch, each in its own file: a reader that unfolds and a function that packs.
//!
//! Invariant: whoever unfolds gives a bound, and no more than it is ever allocated, whatever the bytes claim.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use std::io::{self, Read};

use crate::model::Codec;

use super::error::BatchError;

/// What a decompressor is given at once, at most, before it is asked whether more is wanted.
const FIRST_ALLOCATION_BYTES: usize = 64 * 1024;

/// A reader of the unpacked bytes; `packed` is all of them.
pub(super) fn reader<'a>(codec: Codec, packed: &'a [u8], bytes_max: usize) -> Result<Box<dyn Read + 'a>, BatchError> {
    let refused = |error: io::Error| refused(codec, &error);
    Ok(match codec {
        Codec::None => Box::new(packed),
        Codec::Gzip => Box::new(gzip::reader(packed)),
        Codec::Snappy => snappy::reader(packed, bytes_max).map_err(refused)?,
        Codec::Lz4 => Box::new(lz4::reader(packed).map_err(refused)?),
        Codec::Zstd => Box::new(zstd::reader(packed).map_err(refused)?),
    })
}

/// Unfolds all of `packed`, to at most `bytes_max`.
pub(super) fn decompress(codec: Codec, packed: &[u8], bytes_max: usize) -> Result<Vec<u8>, BatchError> {
    let mut unpacked =
        Vec::with_capacity(packed.len().saturating_mul(2).clamp(0, FIRST_ALLOCATION_BYTES.max(packed.len())));
    let bound = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    reader(codec, packed, bytes_max)?.take(bound).read_to_end(&mut unpacked).map_err(|error| refused(codec, &error))?;
    if unpacked.len() > bytes_max { Err(BatchError::Bomb(bytes_max)) } else { Ok(unpacked) }
}

/// Packs `plain`, at the codec's own default level where none is given.
pub(super) fn compress(codec: Codec, level: Option<i32>, plain: &[u8]) -> Result<Vec<u8>, BatchError> {
    match codec {
        Codec::None => Ok(plain.to_vec()),
        Codec::Gzip => gzip::pack(plain, level),
        Codec::Snappy => snappy::pack(plain),
        Codec::Lz4 => lz4::pack(plain),
        Codec::Zstd => zstd::pack(plain, level),
    }
    .map_err(|error| refused(codec, &error))
}

/// A codec that knows beforehand that the bound will not do.
#[derive(Debug, thiserror::Error)]
#[error("it unfolds to more than {0} bytes")]
struct Unbounded(usize);

pub(super) fn refused(codec: Codec, error: &io::Error) -> BatchError {
    if let Some(Unbounded(bytes_max)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return BatchError::Bomb(*bytes_max);
    }
    BatchError::Compression { codec: codec.name(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn every_codec_round_trips(plain in proptest::collection::vec(any::<u8>(), 0..100_000)) {
            for codec in ALL {
                let packed = compress(codec, None, &plain).unwrap();
                prop_assert_eq!(&decompress(codec, &packed, plain.len()).unwrap(), &plain);
            }
        }

        #[test]
        fn any_bytes_are_refused_or_unfolded_within_the_bound(packed in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            for codec in ALL {
                if let Ok(plain) = decompress(codec, &packed, 10_000) {
                    prop_assert!(plain.len() <= 10_000);
                }
            }
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let plain = vec![0; 10_000_000];
        for codec in ALL {
            let packed = compress(codec, None, &plain).unwrap();
            assert_eq!(decompress(codec, &packed, 1_000_000), Err(BatchError::Bomb(1_000_000)), "{codec:?}");
        }
        let raw = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
        assert_eq!(decompress(Codec::Snappy, &raw, 1_000_000), Err(BatchError::Bomb(1_000_000)));
    }

    #[test]
    fn a_raw_snappy_block_reserves_no_more_than_it_can_fill() {
        // Claims 255 MiB in front of nothing.
        let error = decompress(Codec::Snappy, &[0x80, 0x80, 0x80, 0x7f], 1 << 30).unwrap_err();
        assert!(error.to_string().contains("cannot unfold"), "{error}");
    }

    #[test]
    fn a_stream_that_is_cut_is_refused() {
        let plain: Vec<u8> = (0..200_000u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for codec in ALL.into_iter().skip(1) {
            let packed = compress(codec, None, &plain).unwrap();
            for missing in [1, 4, 8, 9, packed.len() / 2] {
                let cut = &packed[..packed.len() - missing];
                assert!(decompress(codec, cut, plain.len()).is_err(), "{codec:?} without its last {missing} bytes");
            }
        }
    }

    #[test]
    fn lz4_that_javas_consumer_cannot_read_is_refused() {
        let packed = compress(Codec::Lz4, None, &[7; 1000]).unwrap();
        assert!(decompress(Codec::Lz4, &packed, 5000).is_ok());
        assert!(decompress(Codec::Lz4, &[&packed[..], &packed[..]].concat(), 5000).is_err(), "a second frame");
        assert!(decompress(Codec::Lz4, &[&packed[..], b"xx"].concat(), 5000).is_err(), "bytes behind the frame");
        assert!(decompress(Codec::Lz4, &[], 5000).is_err(), "no frame");
        let linked = lz4_flex::frame::FrameInfo::new().block_mode(lz4_flex::frame::BlockMode::Linked);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(linked, Vec::new());
        io::Write::write_all(&mut encoder, &[7; 1000]).unwrap();
        assert!(decompress(Codec::Lz4, &encoder.finish().unwrap(), 5000).is_err(), "blocks that need one another");
    }
}
