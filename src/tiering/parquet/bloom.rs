//! A bloom filter over a row group's keys, where it costs next to nothing.
//!
//! Invariant: it takes at most 1 % of the row group's bytes and answers wrongly at most 1 % of the time; otherwise there
//! is none.

use arrow::array::{Array, BinaryViewArray};
use parquet::bloom_filter::Sbbf;

/// One block of the filter.
const BYTES_MIN: usize = 32;
const FALSE_POSITIVES: f64 = 0.01;
/// Bits that a distinct key takes at that rate, in a filter of eight hashes in blocks of 256 bits.
const BITS_PER_KEY: f64 = 9.682;

/// The filter over the keys of a row group of `row_group_bytes`; `None` where it would be too large.
pub(super) fn filter(keys: &[BinaryViewArray], row_group_bytes: u64) -> Option<Sbbf> {
    let count: usize = keys.iter().map(|keys| keys.len() - keys.null_count()).sum();
    if count == 0 {
        return None;
    }
    let affordable = usize::try_from(row_group_bytes / 100).ok()?.checked_ilog2().map(|log| 1usize << log)?;
    let affordable = Some(affordable).filter(|&bytes| bytes >= BYTES_MIN)?;
    // What the keys need if all differ; where that is too much they may still repeat.
    let mut bytes = BYTES_MIN;
    while bytes < affordable && capacity(bytes) < count {
        bytes *= 2;
    }
    let mut filter = Sbbf::new_with_num_of_bytes(bytes);
    let capacity = capacity(bytes);
    let mut distinct = 0;
    for key in keys.iter().flatten().flatten() {
        if !filter.check(key) {
            filter.insert(key);
            distinct += 1;
            if distinct > capacity {
                return None;
            }
        }
    }
    filter.fold_to_target_fpp(FALSE_POSITIVES);
    Some(filter)
}

/// Distinct keys that a filter of so many bytes holds at the wanted rate.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an estimate")]
fn capacity(bytes: usize) -> usize {
    (bytes as f64 * 8.0 / BITS_PER_KEY) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(distinct: usize, rows: usize) -> [BinaryViewArray; 2] {
        let key = |n: usize| Some(format!("key-{}", n % distinct).into_bytes());
        [BinaryViewArray::from_iter((0..rows / 2).map(key)), BinaryViewArray::from_iter((rows / 2..rows).map(key))]
    }

    #[test]
    fn it_holds_every_key_and_hardly_any_other() {
        let filter = filter(&keys(8000, 8000), 3_000_000).unwrap();
        assert!(filter.num_blocks() * BYTES_MIN <= 30_000);
        assert!((0..8000).all(|n| filter.check(format!("key-{n}").as_bytes())));
        let wrong = (0..10_000).filter(|n| filter.check(format!("other-{n}").as_bytes())).count();
        assert!(wrong < 200, "{wrong}");
    }

    #[test]
    fn it_is_left_out_where_it_costs_too_much() {
        assert!(filter(&keys(80_000, 80_000), 1_700_000).is_none());
        assert!(filter(&keys(10, 10), 1000).is_none());
        assert!(filter(&[BinaryViewArray::new_null(100)], 1 << 20).is_none());
        assert!(filter(&[], 0).is_none());
    }

    #[test]
    fn keys_that_repeat_need_little() {
        let filter = filter(&keys(50, 80_000), 1_700_000).unwrap();
        assert!(filter.num_blocks() <= 4, "{}", filter.num_blocks());
    }
}
