//! How far a column unfolds, asked of its page headers before any of them is believed.
//!
//! The decoder reserves and fills what a page header claims: up to 2 GiB for a page of a few kilobytes. A page header is
//! a Thrift struct in the compact protocol whose second and third fields are the unfolded and the packed size.
//!
//! Invariant: only headers are read, and nothing is allocated.

use super::error::DecodeError;

/// Structs inside a page header: its kind's header, statistics in it.
const DEPTH_MAX: usize = 8;

const WRONG: DecodeError = DecodeError::Inconsistent("a page header does not parse");

/// Bytes that the pages of a column unfold to, by their headers.
pub(super) fn unfolded_bytes(mut column: &[u8]) -> Result<u64, DecodeError> {
    let mut unfolded = 0u64;
    while !column.is_empty() {
        let mut sizes = [None; 2];
        structure(&mut column, &mut sizes, DEPTH_MAX).ok_or(WRONG)?;
        let [Some(plain), Some(packed)] = sizes else { return Err(WRONG) };
        unfolded = unfolded.saturating_add(plain);
        let packed = usize::try_from(packed).map_err(|_| WRONG)?;
        column.split_off(..packed).ok_or(WRONG)?;
    }
    Ok(unfolded)
}

/// Steps over a struct; keeps its fields 2 and 3 where they are numbers.
fn structure(rest: &mut &[u8], sizes: &mut [Option<u64>; 2], depth: usize) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    let mut field = 0i64;
    loop {
        let head = *rest.split_off_first()?;
        if head == 0 {
            return Some(());
        }
        field = match head >> 4 {
            0 => unzigzag(varint(rest)?),
            delta => field.checked_add(i64::from(delta))?,
        };
        match (head & 0x0f, field) {
            (5, 2 | 3) => {
                let size = u64::try_from(unzigzag(varint(rest)?)).ok()?;
                *sizes.get_mut(usize::try_from(field - 2).ok()?)? = Some(size);
            }
            (kind, _) => value(rest, kind, depth, false)?,
        }
    }
}

/// Steps over a value. In a list a truth value takes a byte, in a field none.
fn value(rest: &mut &[u8], kind: u8, depth: usize, listed: bool) -> Option<()> {
    match kind {
        1 | 2 if !listed => Some(()),
        1..=3 => rest.split_off_first().map(|_| ()),
        4..=6 => varint(rest).map(|_| ()),
        7 => rest.split_off(..8).map(|_| ()),
        8 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            rest.split_off(..length).map(|_| ())
        }
        9 | 10 => {
            let head = *rest.split_off_first()?;
            let count = match head >> 4 {
                15 => varint(rest)?,
                count => u64::from(count),
            };
            let depth = depth.checked_sub(1)?;
            (0..count).try_for_each(|_| value(rest, head & 0x0f, depth, true))
        }
        12 => structure(rest, &mut [None; 2], depth),
        _ => None,
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut bits = 0u64;
    for group in 0..10 {
        let byte = *rest.split_off_first()?;
        bits |= u64::from(byte & 0x7f).checked_shl(7 * group)?;
        if byte & 0x80 == 0 {
            return Some(bits);
        }
    }
    None
}

fn unzigzag(bits: u64) -> i64 {
    (bits >> 1).cast_signed() ^ -(bits & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A page header as the writer writes it, with `length` bytes behind it.
    fn page(unfolded: u32, length: u32) -> Vec<u8> {
        let mut bytes = vec![0x15, 0x00, 0x15];
        let put = |number: u32| {
            let mut bits = u64::from(number) << 1;
            let mut out = Vec::new();
            while bits >= 0x80 {
                out.push(u8::try_from(bits & 0x7f).unwrap() | 0x80);
                bits >>= 7;
            }
            out.push(u8::try_from(bits).unwrap());
            out
        };
        bytes.extend(put(unfolded));
        bytes.push(0x15);
        bytes.extend(put(length));
        // The data page's own header: four numbers, statistics with a truth value and bytes.
        bytes.extend([0x2c, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0x1c, 0x11, 0x18, 3, 9, 9, 9, 0x00, 0x00, 0x00]);
        bytes.extend(vec![0xaa; length as usize]);
        bytes
    }

    #[test]
    fn the_claims_of_all_pages_are_added_up() {
        let column = [page(2_000_000_000, 10), page(2_000_000_000, 0), page(7, 3)].concat();
        assert_eq!(unfolded_bytes(&column).unwrap(), 4_000_000_007);
        for cut in 1..column.len() {
            if let Ok(bytes) = unfolded_bytes(&column[..cut]) {
                assert!([2_000_000_000, 4_000_000_000].contains(&bytes), "{cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = unfolded_bytes(&bytes);
        }
    }
}
