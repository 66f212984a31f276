//! What the catalog and the bucket's control files hold, damaged: indexes of row groups, rows that contradict each other,
//! JSON that nobody wrote.

use std::sync::Arc;

use bytes::Bytes;
use rand::Rng;
use rand::rngs::StdRng;
use tidelog::catalog::{ClusterRow, NewSegmentRow, SegmentContent, SegmentRow, SegmentState};
use tidelog::tiering::SegmentListing;
use tidelog::tiering::control::cluster_file;
use tidelog::tiering::control::floor_files::FloorFiles;
use tidelog::tiering::manifest::{Manifest, Window};
use tidelog::tiering::parquet::{RowGroupEntry, RowGroupIndex};
use tidelog::tiering::remote_segment::RemoteSegment;
use tokio::runtime::Runtime;
use ulid::Ulid;

use crate::clock::SystemClock;
use crate::damage::{damage, noise};
use crate::model::{LeaderEpoch, Offset, TopicId, TopicPartition};
use crate::object_storage::{Bucket, BucketOptions, Expect, MemoryStore, ObjectKey, key};
use crate::target::{Outcome, Target, refused};

const KEY: &str = "topics/orders/AAAAAAAAAAAAAAAAAAAAAQ/data/0/00000000000000000000-00000000000000000009-1-0-\
                   01ARZ3NDEKTSV4RRFFQ69G5FAV.parquet";
const CLUSTER: &[u8] =
    br#"{"format_version":1,"cluster_id":"AAAAAAAAAAAAAAAAAAAAAA","incarnation":1,"start_number":4,"start_id":"x"}"#;
const FLOOR: &[u8] = br#"{"format_version":1,"log_start_offset":20,"leader_epoch":2}"#;

/// Rows and control files.
pub struct Catalogued {
    runtime: Runtime,
    index: Vec<u8>,
}

impl Catalogued {
    pub fn new() -> Self {
        let entry = |number: u32| RowGroupEntry {
            base_offset: Offset::new(i64::from(number) * 10),
            max_timestamp_ms: 1_000 + i64::from(number),
            max_timestamp_offset: Offset::new(i64::from(number) * 10 + 3),
            start: u64::from(number) * 5_000,
            bytes: 4_000,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, index: RowGroupIndex { footer_bytes: 900, entries: (0..6).map(entry).collect() }.encode() }
    }

    fn index(&self, chance: &mut StdRng) -> Result<Outcome, String> {
        let mut bytes = self.index.clone();
        damage(chance, &mut bytes, 0, &self.index);
        match RowGroupIndex::decode(&bytes) {
            Err(error) => refused(&error.to_string(), "index"),
            Ok(index) => {
                if index.encode() == bytes {
                    Ok(Outcome::Read)
                } else {
                    Err("what was read is not what was there".to_owned())
                }
            }
        }
    }

    fn row(&self, chance: &mut StdRng) -> SegmentRow {
        let mut row_groups = self.index.clone();
        let mut object_key = KEY.as_bytes().to_vec();
        match chance.random_range(0..4) {
            0 => damage(chance, &mut row_groups, 0, &[]),
            1 => damage(chance, &mut object_key, 0, b"../\0"),
            _ => {}
        }
        let offset = |chance: &mut StdRng| match chance.random_range(0..6) {
            0 => chance.random(),
            1 => i64::MAX,
            _ => chance.random_range(0..100),
        };
        SegmentRow {
            head: NewSegmentRow {
                id: Ulid(chance.random()),
                tp: tp(),
                base: Offset::new(offset(chance)),
                end: Offset::new(offset(chance)),
                leader_epoch: LeaderEpoch::new(chance.random()),
                generation: offset(chance),
                object_key: String::from_utf8_lossy(&object_key).into_owned(),
                incarnation: 1,
                start_number: 1,
            },
            upload_id: None,
            content: SegmentContent { row_groups, digest: noise(chance, 40), ..SegmentContent::default() },
            state: SegmentState::Live,
            created_at_ms: chance.random(),
            changed_at_ms: chance.random(),
        }
    }

    /// A manifest of rows that contradict each other still answers, and within its own words.
    fn manifest(&self, chance: &mut StdRng) -> Result<Outcome, String> {
        let mut manifest = Manifest::default();
        let mut outcome = Outcome::Read;
        for _ in 0..chance.random_range(1..6) {
            let mut segments = Vec::new();
            for _ in 0..chance.random_range(0..5) {
                let row = self.row(chance);
                match RemoteSegment::of_row(&row) {
                    Ok(segment) => segments.push(Arc::new(segment)),
                    Err(error) => outcome = refused(&error.to_string(), &row.head.id.to_string())?,
                }
                SegmentListing::of(row);
            }
            let from = Offset::new(chance.random_range(0..100));
            let tiered_to = Offset::new(chance.random_range(0..200));
            manifest = manifest.with(Window::new(from, segments, chance.random(), tiered_to));
            for offset in [i64::MIN, -1, 0, 50, 100, i64::MAX] {
                manifest.find(Offset::new(offset));
            }
        }
        manifest.memory_bytes();
        let _ = manifest.starting_at(Offset::new(chance.random_range(0..100)));
        Ok(outcome)
    }

    fn control(&self, chance: &mut StdRng) -> Result<Outcome, String> {
        let store = Arc::new(MemoryStore::new());
        let bucket = Bucket::from_store(store, BucketOptions::default(), SystemClock::shared());
        let (key, text): (ObjectKey, &[u8]) =
            if chance.random() { (key::cluster(), CLUSTER) } else { (key::floor(tp()), FLOOR) };
        let mut bytes = text.to_vec();
        damage(chance, &mut bytes, 0, FLOOR);
        self.runtime.block_on(bucket.write_control(&key, Bytes::from(bytes), Expect::Absent)).unwrap();
        let row = ClusterRow { cluster_id: "A".repeat(22), format_version: 1, incarnation: 1, start_number: 5 };
        let done = if key == key::cluster() {
            let checked = self.runtime.block_on(cluster_file::check(&bucket, Some(&row), true));
            let noted =
                checked.and_then(|()| self.runtime.block_on(cluster_file::note_start(&bucket, &row, "y")).map(drop));
            noted.map_err(|error| (error.to_string(), "bucket"))
        } else {
            let raised =
                self.runtime.block_on(FloorFiles::default().raise(&bucket, tp(), Offset::new(30), LeaderEpoch::new(3)));
            raised.map_err(|error| (error.to_string(), key.as_str()))
        };
        match done {
            Ok(()) => Ok(Outcome::Read),
            Err((error, about)) => refused(&error, about),
        }
    }
}

fn tp() -> TopicPartition {
    TopicPartition::new(TopicId::from_uuid(uuid::Uuid::from_u128(1)), 0)
}

impl Target for Catalogued {
    fn memory_bytes_max(&self) -> u64 {
        16 << 20
    }

    fn run(&mut self, chance: &mut StdRng) -> Result<Outcome, String> {
        match chance.random_range(0..3) {
            0 => self.index(chance),
            1 => self.manifest(chance),
            _ => self.control(chance),
        }
    }
}
