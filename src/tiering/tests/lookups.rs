//! Records by their timestamps, and many segments.

use super::stage::{BASE_MS, Stage, batch};
use crate::catalog::{NewSegmentRow, SegmentContent};
use crate::log::TieredTo;
use crate::model::{Codec, Offset};
use crate::object_storage::Operation;
use crate::tiering::manifest::{WINDOW_SEGMENTS_MAX, WINDOWS_MAX};
use crate::tiering::parquet::RowGroupIndex;

/// Three objects whose greatest timestamps do not rise: 9 s, 20 s, 15 s after the beginning.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    for at_s in [0, 20, 15] {
        stage.append(&batch(10, BASE_MS + at_s * 1_000, Codec::None));
        stage.log.log.roll().unwrap();
    }
    stage.upload_all().await;
    stage.clock.advance(1_000_000);
    stage.drop_local().await;
    stage
}

fn gets(stage: &Stage) -> u64 {
    stage.tiers.bucket().counts().of(Operation::Read).requests
}

#[tokio::test]
async fn the_first_record_at_a_timestamp_is_the_first_in_the_log() {
    let stage = stage().await;
    for (at_ms, offset) in [(0, 0), (9, 9), (10, 10), (15_000, 10), (20_000, 10), (20_005, 15), (20_009, 19)] {
        let found = stage.log.first_record_at(BASE_MS + at_ms).await.unwrap();
        assert_eq!(found.map(|(offset, _)| offset.get()), Some(offset), "{at_ms}");
    }
    assert_eq!(stage.log.first_record_at(BASE_MS + 20_010).await.unwrap(), None);
    // The log start cuts the first: what lies before it is not found.
    stage.log.advance_log_start(Offset::new(5)).await.unwrap();
    assert_eq!(stage.log.first_record_at(BASE_MS).await.unwrap().unwrap().0.get(), 5);
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_timestamp_costs_one_small_get_with_a_warm_footer_and_none_again() {
    let stage = stage().await;
    stage.log.read_remote(Offset::new(10)).await.unwrap();
    let before = gets(&stage);
    stage.log.first_record_at(BASE_MS + 20_004).await.unwrap();
    assert_eq!(gets(&stage) - before, 1);
    stage.log.first_record_at(BASE_MS + 20_007).await.unwrap();
    assert_eq!(gets(&stage) - before, 1, "cached");
    stage.tiers.close().await;
}

#[tokio::test]
async fn the_latest_record_needs_no_bucket_but_for_what_the_log_start_cuts() {
    let stage = stage().await;
    let before = gets(&stage);
    assert_eq!(stage.log.latest_record().await.unwrap(), Some((Offset::new(19), BASE_MS + 20_009)));
    assert_eq!(gets(&stage), before);
    stage.log.advance_log_start(Offset::new(12)).await.unwrap();
    assert_eq!(stage.log.latest_record().await.unwrap().unwrap().0.get(), 19);
    assert_eq!(gets(&stage), before, "the latest is still there");
    stage.log.advance_log_start(Offset::new(20)).await.unwrap();
    assert_eq!(stage.log.latest_record().await.unwrap(), Some((Offset::new(29), BASE_MS + 15_009)));
    stage.tiers.close().await;
}

impl Stage {
    /// Puts a LIVE row behind what is in the bucket, of ten records, with what is said.
    async fn add_row(&self, max_timestamp_ms: i64, row_groups: &[u8]) {
        let base = Offset::new(self.catalog.partition(self.tp()).await.unwrap().unwrap().tiered_to.unwrap().get());
        let row = NewSegmentRow {
            id: ulid::Ulid(u128::from(base.get().unsigned_abs())),
            tp: self.tp(),
            base,
            end: Offset::new(base.get() + 9),
            leader_epoch: self.log.leader_epoch(),
            generation: 0,
            object_key: format!("topics/added/{base}"),
            incarnation: 1,
            start_number: 1,
        };
        self.catalog.insert_writing(row.clone()).await.unwrap();
        let content = SegmentContent {
            record_count: 10,
            max_timestamp_ms,
            row_groups: row_groups.to_vec(),
            ..Default::default()
        };
        self.catalog.append_segment(row, content).await.unwrap();
    }
}

#[tokio::test]
async fn equal_timestamps_do_not_load_the_whole_index() {
    let stage = stage().await;
    // Behind the latest, and as late: whoever looked at their row groups would fail.
    for _ in 0..40 {
        stage.add_row(BASE_MS + 20_009, b"no index").await;
    }
    assert_eq!(stage.log.latest_record().await.unwrap(), Some((Offset::new(19), BASE_MS + 20_009)));
    stage.tiers.close().await;
}

#[tokio::test]
async fn the_latest_record_is_found_behind_pages_of_objects_that_hold_no_late_one() {
    let stage = stage().await;
    let row = stage.catalog.last_segment(stage.tp()).await.unwrap().unwrap();
    let mut index = RowGroupIndex::decode(&row.content.row_groups).unwrap();
    // Their latest records were aborted; of those that are left the latest lies in the last of them.
    for number in 0..40 {
        let base = 30 + number * 10;
        index.entries[0].base_offset = Offset::new(base);
        index.entries[0].max_timestamp_offset = Offset::new(base + 3);
        index.entries[0].max_timestamp_ms = BASE_MS + number;
        stage.add_row(BASE_MS + 90_000, &index.encode()).await;
    }
    assert_eq!(stage.log.latest_record().await.unwrap(), Some((Offset::new(19), BASE_MS + 20_009)));
    index.entries[0].base_offset = Offset::new(430);
    index.entries[0].max_timestamp_offset = Offset::new(437);
    index.entries[0].max_timestamp_ms = BASE_MS + 80_000;
    stage.add_row(BASE_MS + 90_000, &index.encode()).await;
    assert_eq!(stage.log.latest_record().await.unwrap(), Some((Offset::new(437), BASE_MS + 80_000)));
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_latest_record_below_the_log_start_does_not_count() {
    let stage = Stage::new().await;
    // Falling timestamps: the first record is the latest.
    let mut builder = crate::record::BatchBuilder::new(crate::record::BatchSpec::plain(
        Offset::ZERO,
        crate::model::LeaderEpoch::ZERO,
        Codec::None,
    ));
    for number in 0..10 {
        builder.push(Offset::new(number), BASE_MS - number, None, None, std::iter::empty()).unwrap();
    }
    stage.append(&builder.build().unwrap());
    stage.log.log.roll().unwrap();
    stage.upload_all().await;
    stage.drop_local().await;
    assert_eq!(stage.log.latest_record().await.unwrap(), Some((Offset::ZERO, BASE_MS)));
    stage.log.advance_log_start(Offset::new(4)).await.unwrap();
    assert_eq!(stage.log.latest_record().await.unwrap(), Some((Offset::new(4), BASE_MS - 4)));
    stage.tiers.close().await;
}

#[tokio::test]
async fn a_long_history_is_loaded_by_range() {
    let stage = Stage::new().await;
    let segments = 3 * WINDOW_SEGMENTS_MAX;
    for _ in 0..segments {
        stage.produce(2);
        stage.log.log.roll().unwrap();
    }
    let expected = stage.read(0).await;
    stage.upload_all().await;
    stage.drop_local().await;
    stage.log.rest();
    stage.log.rest();
    assert_eq!(stage.log.view().remote.loaded(), 0, "nobody has asked");
    assert_eq!(stage.log.view().tiered, TieredTo::Known(Offset::new(i64::try_from(2 * segments).unwrap())));
    assert_eq!(stage.read(0).await, expected);
    assert!(stage.log.view().remote.loaded() <= WINDOWS_MAX * WINDOW_SEGMENTS_MAX);
    for from in [300, 5, 250, 100, 383] {
        assert_eq!(stage.read(from).await, expected[usize::try_from(from).unwrap()..]);
    }
    stage.tiers.close().await;
}

#[tokio::test]
async fn who_reads_on_finds_the_next_object_fetched() {
    let stage = Stage::new().await;
    for _ in 0..6 {
        stage.segment();
    }
    stage.upload_all().await;
    stage.drop_local().await;
    let read = async |from: i64| {
        let at = Offset::new(from);
        let records = stage.log.read_remote(at).await.unwrap();
        assert!(!stage.log.take(&records, at, usize::MAX, true).is_empty());
    };
    read(0).await;
    read(30).await;
    // The third object is read ahead by now, or on its way: the reader joins.
    let clock = crate::clock::SystemClock::new();
    while stage.log.read_cached(Offset::new(60)).is_none() {
        crate::clock::Clock::sleep(&clock, std::time::Duration::from_millis(1)).await;
    }
    let footers_and_groups = 2 * 3;
    assert_eq!(gets(&stage), footers_and_groups, "none is fetched twice");
    stage.tiers.close().await;
}
