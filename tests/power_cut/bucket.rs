//! A folder as a bucket: an upload that answered is whole, what was deleted stays deleted, and a control file holds what
//! was answered last or what was being written, never a mixture, never less.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::TryStreamExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};
use tidelog::clock::SystemClock;
use tidelog::disk::recorded::RecordedDisk;
use tidelog::object_storage::{Bucket, BucketError, BucketOptions, ControlError, Expect, ObjectKey, key};

use crate::checks::Told;
use crate::{deep, for_each_seed};

const STEPS: usize = 30;

/// What the folder holds, for all that was answered: data objects and control files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Contents {
    objects: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug)]
struct Note {
    position: usize,
    contents: Contents,
}

struct Life {
    disk: RecordedDisk,
    bucket: Bucket,
    contents: Contents,
    notes: Vec<Note>,
    steps: Vec<String>,
}

fn name(number: u8) -> ObjectKey {
    let text = match number {
        0..4 => format!("topics/t{}/id/data/{}/x.parquet", number % 2, number / 2),
        4 => "_tidelog/cluster.json".to_owned(),
        _ => "_tidelog/floors/id/0.json".to_owned(),
    };
    ObjectKey::parse(&text).expect("a key")
}

async fn open(disk: &RecordedDisk) -> Bucket {
    let mut options = BucketOptions::default();
    options.upload.part_bytes = 5_000;
    Bucket::open("file:///bucket", options, Arc::new(disk.clone()), SystemClock::shared()).await.expect("it opens")
}

async fn upload(bucket: &Bucket, key: &ObjectKey, bytes: Vec<u8>) -> Result<(), BucketError> {
    let mut upload = bucket.begin_upload(key).await?;
    upload.write(Bytes::from(bytes)).await?;
    upload.finish().await.map(|_| ())
}

impl Life {
    async fn begin(disk: RecordedDisk, contents: Contents) -> Self {
        let bucket = open(&disk).await;
        let notes = vec![Note { position: 0, contents: contents.clone() }];
        Self { disk, bucket, contents, notes, steps: Vec::new() }
    }

    fn note(&mut self, said: String) {
        self.steps.push(format!("{}: {said}", self.disk.position()));
        self.notes.push(Note { position: self.disk.position(), contents: self.contents.clone() });
    }

    async fn step(&mut self, random: &mut StdRng) {
        let number = random.random_range(0..6u8);
        let key = name(number);
        let bytes = vec![random.random(); random.random_range(1..20_000)];
        let said = match random.random_range(0..10u8) {
            _ if number >= 4 => self.write_control(&key, bytes, random).await,
            0 => self.leave_unfinished(&key, bytes, random).await,
            1..=3 => {
                self.bucket.delete(&key).await.expect("it is deleted");
                self.contents.objects.remove(key.as_str());
                format!("delete {key}")
            }
            4 => self.killed(&key, bytes, random).await,
            _ => {
                upload(&self.bucket, &key, bytes.clone()).await.expect("it is uploaded");
                self.contents.objects.insert(key.to_string(), bytes);
                format!("upload {key}")
            }
        };
        self.note(said);
    }

    async fn write_control(&mut self, key: &ObjectKey, bytes: Vec<u8>, random: &mut StdRng) -> String {
        let found = self.bucket.read_control(key).await.expect("it can be read");
        assert_eq!(found.as_ref().map(|(bytes, _)| bytes.to_vec()), self.contents.objects.get(key.as_str()).cloned());
        let expect = found.map_or(Expect::Absent, |(_, version)| Expect::Version(version));
        let wrong = *[true, false, false].choose(random).expect("not empty");
        let expect = match (wrong, expect) {
            (false, right) => right,
            (true, Expect::Absent) => return "nothing".to_owned(),
            (true, _) => Expect::Absent,
        };
        match self.bucket.write_control(key, Bytes::from(bytes.clone()), expect).await {
            Ok(_) if !wrong => {
                self.contents.objects.insert(key.to_string(), bytes);
                format!("write {key}")
            }
            Err(ControlError::Conflict(_)) if wrong => format!("conflict at {key}"),
            other => panic!("wrong version: {wrong}, {other:?}"),
        }
    }

    /// The process is killed while it uploads or deletes, and another takes over what it had written.
    async fn killed(&mut self, key: &ObjectKey, bytes: Vec<u8>, random: &mut StdRng) -> String {
        let left = AtomicUsize::new(random.random_range(1..9));
        self.disk.watch(move |_| {
            let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            // A kind that nobody tries again.
            taken.map(|_| ()).map_err(|_| io::ErrorKind::PermissionDenied.into())
        });
        let done = if random.random() { upload(&self.bucket, key, bytes).await } else { self.bucket.delete(key).await };
        self.disk.unwatch();
        self.bucket = open(&self.disk).await;
        // Answered or not, what is there now is stable.
        match self.bucket.size(key).await.expect("it can be asked") {
            None => drop(self.contents.objects.remove(key.as_str())),
            Some(size) => {
                let bytes = self.bucket.get_range(key, 0..size).await.expect("it can be read");
                self.contents.objects.insert(key.to_string(), bytes.to_vec());
            }
        }
        format!("killed at {key}: {done:?}")
    }

    async fn leave_unfinished(&self, key: &ObjectKey, bytes: Vec<u8>, random: &mut StdRng) -> String {
        let mut upload = self.bucket.begin_upload(key).await.expect("it begins");
        upload.write(Bytes::from(bytes)).await.expect("it is written");
        if random.random() {
            upload.abort().await.expect("it is ended");
        }
        format!("begin {key}")
    }

    fn around(&self, at: usize) -> (&Contents, &Contents) {
        let before = self.notes.iter().rposition(|note| note.position <= at).expect("there is one at 0");
        let after = (before + 1).min(self.notes.len() - 1);
        (&self.notes[before].contents, &self.notes[after].contents)
    }
}

/// Checks every object against what had been answered; returns what is there.
async fn check(disk: &RecordedDisk, before: &Contents, after: &Contents) -> Contents {
    let bucket = open(disk).await;
    let mut found = Contents::default();
    for listed in bucket.list(&key::all()).try_collect::<Vec<_>>().await.expect("it can be listed") {
        let bytes = bucket.get_range(&listed.key, 0..listed.size_bytes).await.expect("what is listed can be read");
        found.objects.insert(listed.key.to_string(), bytes.to_vec());
    }
    for number in 0..6u8 {
        let key = name(number);
        let of = |contents: &Contents| contents.objects.get(key.as_str()).cloned();
        let (found, before, after) = (of(&found), of(before), of(after));
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(Vec::len);
        assert!(
            found == before || found == after,
            "{key} has {:?} bytes, answered {:?}, wanted {:?}",
            length(&found),
            length(&before),
            length(&after)
        );
        if number >= 4 {
            let read = bucket.read_control(&key).await.expect("it can be read");
            assert_eq!(read.map(|(bytes, _)| bytes.to_vec()), found);
        }
    }
    // Whatever a crash left of an upload goes with its name.
    for number in 0..4u8 {
        bucket.delete(&name(number)).await.expect("it is deleted");
    }
    let left = bucket.list(&key::all_topics()).try_collect::<Vec<_>>().await.expect("it can be listed");
    assert_eq!(left, []);
    found
}

async fn run_on(seed: u64, disk: RecordedDisk) {
    let mut random = StdRng::seed_from_u64(seed);
    let (mut disk, mut contents) = (disk, Contents::default());
    for _ in 0..2 {
        let mut life = Life::begin(disk, contents).await;
        for _ in 0..STEPS {
            life.step(&mut random).await;
        }
        let go_on_at = random.random_range(0..=life.disk.position());
        let mut next = None;
        for at in 0..=life.disk.position() {
            let cut = life.disk.power_cut(at);
            let samples = if deep() { 6 } else { 1 };
            let mut states = vec![cut.all_lost()];
            states.extend((0..samples).map(|_| cut.sample(&mut random)));
            for state in states {
                let pristine = state.power_cut(0).all_kept();
                let (before, after) = life.around(at);
                let story = format!("seed {seed}\n{}\n{}", life.steps.join("\n"), state.story());
                let told = Told(story);
                let found = check(&state, before, after).await;
                drop(told);
                if at == go_on_at {
                    next = Some((pristine, found));
                }
            }
        }
        (disk, contents) = next.expect("one of the cuts was chosen");
    }
}

/// One history and what a power cut at any moment of it leaves.
pub fn run(seed: u64, disk: RecordedDisk) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run_on(seed, disk));
}

#[test]
fn what_a_bucket_in_a_folder_has_answered_outlives_a_power_cut() {
    for_each_seed(3, |seed| run(seed, RecordedDisk::new()));
}
