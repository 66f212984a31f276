//! What went in comes out: of the file, of batches built from it, and of the digest.

use proptest::prelude::*;

use super::samples::{Entry, all_from, base_of, consumed, digest_of, end_of, log, small, write};
use crate::model::{Codec, Offset};
use crate::tiering::parquet::{Wanted, WriterOptions};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn batches_become_rows_and_batches_again(
        entries in log(),
        skip in 0..20i64,
        tail in 0..3i64,
        row_group_bytes in prop_oneof![1..200usize, Just(2000), Just(1 << 23)],
        zstd_level in 1..4i32,
    ) {
        let end = end_of(&entries) + tail;
        let base = (base_of(&entries) + skip).min(end);
        // Batches that end before the base are not part of the range.
        let entries: Vec<Entry> =
            entries.into_iter().filter(|entry| end_of(std::slice::from_ref(entry)) >= base).collect();
        let file = write(&entries, base, end, &WriterOptions { zstd_level, row_group_bytes });
        let kept: Vec<_> = entries.iter().flat_map(Entry::kept).filter(|record| record.offset >= base).collect();
        prop_assert_eq!(&file.rows(), &kept);
        prop_assert_eq!(file.finished.record_count, kept.len() as u64);
        prop_assert_eq!(file.finished.digest, digest_of(&kept));
        let mut batches = Vec::new();
        for group in file.row_groups() {
            batches.extend(group.batches(&all_from(0)).unwrap().batches);
        }
        prop_assert_eq!(consumed(&batches), kept);
    }

    #[test]
    fn a_consumer_that_fetches_little_by_little_gets_everything_once(
        entries in log(),
        max_bytes in 1..3000usize,
        batch_bytes_max in 70..2000usize,
        codec in proptest::sample::select(super::samples::CODECS.to_vec()),
        (row_group_bytes, part_bytes) in (1..4000usize, 1..2000usize),
    ) {
        let (base, end) = (base_of(&entries), end_of(&entries));
        let file = write(&entries, base, end, &WriterOptions { row_group_bytes, ..small() });
        let footer = file.footer();
        let groups = file.row_groups();
        let (mut from, mut batches) = (Offset::new(base), Vec::new());
        while let Some(number) = footer.row_group_at(from) {
            let wanted = Wanted { from, max_bytes, batch_bytes_max, codec, ..all_from(0) };
            let rebuilt = groups[number].batches(&wanted).unwrap();
            prop_assert!(rebuilt.next_offset > from, "it stands still at {from}");
            let bytes = file.range(footer.row_groups()[number].bytes.clone());
            let in_parts = footer.rebuild_in_parts(number, bytes, &wanted, part_bytes).unwrap();
            prop_assert_eq!(&in_parts, &rebuilt);
            if rebuilt.batches.len() > 1 && codec == Codec::None {
                prop_assert!(rebuilt.size_bytes <= max_bytes);
            }
            from = rebuilt.next_offset;
            batches.extend(rebuilt.batches);
        }
        let kept: Vec<_> = entries.iter().flat_map(Entry::kept).collect();
        prop_assert_eq!(consumed(&batches), kept);
    }

    #[test]
    fn the_same_records_have_the_same_digest_however_they_are_cut(entries in log(), row_group_bytes in 1..500usize) {
        let (base, end) = (base_of(&entries), end_of(&entries));
        let one = write(&entries, base, end, &WriterOptions::default());
        let other = write(&entries, base, end, &WriterOptions { zstd_level: 3, row_group_bytes });
        prop_assert_eq!(one.finished.digest, other.finished.digest);
        prop_assert_eq!(one.finished.log_size_bytes, other.finished.log_size_bytes);
    }
}
