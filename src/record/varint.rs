//! Zigzag varints, as records count their lengths and deltas in them (Kafka's `ByteUtils`).

use bytes::BufMut;

/// Most bytes of a varint of 32 bits.
const VARINT_BYTES_MAX: u32 = 5;
/// Most bytes of a varint of 64 bits.
const VARLONG_BYTES_MAX: u32 = 10;

/// A source of single bytes.
pub(super) trait ByteSource {
    /// Why a byte could not be had.
    type Error;
    /// The next byte; `None` at the end.
    fn byte(&mut self) -> Result<Option<u8>, Self::Error>;
}

impl ByteSource for &[u8] {
    type Error = std::convert::Infallible;

    #[inline]
    fn byte(&mut self) -> Result<Option<u8>, Self::Error> {
        Ok(self.split_off_first().copied())
    }
}

/// A varint of 64 bits; `None` where it is cut or too long.
#[inline]
pub(super) fn read_varlong<S: ByteSource>(from: &mut S) -> Result<Option<i64>, S::Error> {
    let mut bits = 0u64;
    for group in 0..VARLONG_BYTES_MAX {
        let Some(byte) = from.byte()? else { return Ok(None) };
        bits |= u64::from(byte & 0x7f) << (7 * group);
        if byte & 0x80 == 0 {
            return Ok(Some((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed()));
        }
    }
    Ok(None)
}

/// A varint of 32 bits; `None` where it is cut, too long, or too large.
#[inline]
pub(super) fn read_varint<S: ByteSource>(from: &mut S) -> Result<Option<i32>, S::Error> {
    let mut bits = 0u64;
    for group in 0..VARINT_BYTES_MAX {
        let Some(byte) = from.byte()? else { return Ok(None) };
        bits |= u64::from(byte & 0x7f) << (7 * group);
        if byte & 0x80 == 0 {
            let value = (bits >> 1).cast_signed() ^ -(bits & 1).cast_signed();
            return Ok(i32::try_from(value).ok());
        }
    }
    Ok(None)
}

/// Appends a varint; the same bytes for 32 and 64 bits.
#[inline]
pub(super) fn put_varlong(to: &mut impl BufMut, value: i64) {
    let mut bits = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while bits >= 0x80 {
        to.put_u8(low_byte(bits) | 0x80);
        bits >>= 7;
    }
    to.put_u8(low_byte(bits));
}

#[inline]
fn low_byte(bits: u64) -> u8 {
    u8::try_from(bits & 0x7f).unwrap_or(0)
}

/// How many bytes [`put_varlong`] would append.
#[inline]
pub(super) fn varlong_bytes(value: i64) -> usize {
    let bits = ((value << 1) ^ (value >> 63)).cast_unsigned();
    let used = 64 - (bits | 1).leading_zeros();
    usize::try_from(used.div_ceil(7)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_are_kafkas() {
        for (value, bytes) in
            [(0i64, vec![0]), (-1, vec![1]), (1, vec![2]), (63, vec![0x7e]), (64, vec![0x80, 1]), (-65, vec![0x81, 1])]
        {
            let mut to = BytesMut::new();
            put_varlong(&mut to, value);
            assert_eq!(to.to_vec(), bytes, "{value}");
        }
        assert_eq!(read_varint(&mut [0xff; 5].as_slice()).unwrap(), None, "too long");
        assert_eq!(read_varint(&mut [0xff, 0xff, 0xff, 0xff, 0x7f].as_slice()).unwrap(), None, "too large");
        assert_eq!(read_varlong(&mut [0xff; 10].as_slice()).unwrap(), None);
    }

    proptest! {
        #[test]
        fn they_round_trip(value: i64, small: i32) {
            for value in [value, i64::from(small)] {
                let mut to = BytesMut::new();
                put_varlong(&mut to, value);
                prop_assert_eq!(to.len(), varlong_bytes(value));
                prop_assert_eq!(read_varlong(&mut &to[..]).unwrap(), Some(value));
            }
            let mut to = BytesMut::new();
            put_varlong(&mut to, i64::from(small));
            prop_assert_eq!(read_varint(&mut &to[..]).unwrap(), Some(small));
        }
    }
}
