//! The recorded disk itself, first of all that one seed gives one history.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

fn path(text: &str) -> PathBuf {
    PathBuf::from(text)
}

/// Everything that is on a disk: path and content, `None` for a folder.
fn contents(disk: &RecordedDisk) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    fn walk(disk: &RecordedDisk, dir: &Path, found: &mut Vec<(PathBuf, Option<Vec<u8>>)>) {
        for entry in disk.read_dir(dir).unwrap() {
            let inner = dir.join(&entry.name);
            if entry.is_dir {
                found.push((inner.clone(), None));
                walk(disk, &inner, found);
            } else {
                let bytes = disk.read_all(&inner).unwrap();
                found.push((inner, bytes));
            }
        }
    }
    let mut found = Vec::new();
    walk(disk, Path::new("/"), &mut found);
    found
}

fn content(disk: &RecordedDisk, name: &str) -> Option<Vec<u8>> {
    disk.read_all(&path(name)).unwrap()
}

/// A history of random operations.
fn history(seed: u64) -> RecordedDisk {
    let mut random = StdRng::seed_from_u64(seed);
    let disk = RecordedDisk::new();
    for number in 0..60u8 {
        let name = path(&format!("/f{}", random.random_range(0..4u8)));
        match random.random_range(0..6u8) {
            0 => drop(disk.rename(&name, &path(&format!("/f{}", random.random_range(0..4u8))))),
            1 => drop(disk.remove_file(&name)),
            2 => disk.sync_dir(Path::new("/")).unwrap(),
            3 => drop(disk.open(&name, Open::Write).and_then(|file| file.sync_data())),
            4 => drop(disk.open(&name, Open::Write).and_then(|file| file.set_len(random.random_range(0..9_000)))),
            _ => {
                let file = disk.open(&name, Open::Create).unwrap();
                let bytes = vec![number; random.random_range(0..9_000)];
                file.write_all_at(&bytes, random.random_range(0..5_000)).unwrap();
            }
        }
    }
    disk
}

#[test]
fn one_seed_gives_one_history_and_one_state_at_every_cut() {
    for seed in 0..20 {
        let (one, other) = (history(seed), history(seed));
        assert_eq!(one.journal(), other.journal());
        for at in 0..=one.position() {
            let wake = |disk: &RecordedDisk| disk.power_cut(at).sample(&mut StdRng::seed_from_u64(seed + at as u64));
            let (a, b) = (wake(&one), wake(&other));
            assert_eq!(contents(&a), contents(&b), "seed {seed}, cut at {at}");
            assert_eq!(a.story(), b.story());
        }
    }
    assert_ne!(history(1).journal(), history(2).journal());
}

#[test]
fn what_was_synced_survives_whatever_happens_to_the_rest() {
    for seed in 0..40 {
        let disk = history(seed);
        let mut random = StdRng::seed_from_u64(seed);
        let kept = path("/kept");
        disk.replace_durable(&kept, b"stable").unwrap();
        let stable_from = disk.position();
        disk.open(&kept, Open::Write).unwrap().write_all_at(&[b'x'; 6], 100).unwrap();
        disk.remove_file(&path("/f0")).ok();
        for at in stable_from..=disk.position() {
            let bytes = content(&disk.power_cut(at).sample(&mut random), "/kept").unwrap();
            assert_eq!(&bytes[..6], b"stable");
        }
    }
}

#[test]
fn a_file_is_lost_without_its_folders_sync_and_empty_without_its_own() {
    let disk = RecordedDisk::new();
    let file = disk.open(&path("/a"), Open::CreateNew).unwrap();
    file.write_all_at(b"1234", 0).unwrap();
    file.sync_data().unwrap();
    assert_eq!(contents(&disk.power_cut(disk.position()).all_lost()), [], "its bytes are stable, its name is not");
    assert_eq!(content(&disk.power_cut(disk.position()).all_kept(), "/a").unwrap(), b"1234");
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(content(&disk.power_cut(disk.position()).all_lost(), "/a").unwrap(), b"1234");
    let before_the_sync_ended = disk.position() - 1;
    assert_eq!(contents(&disk.power_cut(before_the_sync_ended).all_lost()), []);

    disk.open(&path("/b"), Open::CreateNew).unwrap().write_all_at(b"5", 0).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(content(&disk.power_cut(disk.position()).all_lost(), "/b").unwrap(), b"");
}

#[test]
fn a_folder_takes_what_is_in_it_along() {
    let disk = RecordedDisk::new();
    disk.create_dir(&path("/d")).unwrap();
    disk.replace_durable(&path("/d/a"), b"1").unwrap();
    assert_eq!(contents(&disk.power_cut(disk.position()).all_lost()), []);
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(content(&disk.power_cut(disk.position()).all_lost(), "/d/a").unwrap(), b"1");
    disk.remove_file(&path("/d/a")).unwrap();
    disk.remove_dir(&path("/d")).unwrap();
    let cut = disk.power_cut(disk.position());
    assert_eq!(content(&cut.all_lost(), "/d/a").unwrap(), b"1", "neither removal was synced");
    assert_eq!(contents(&cut.all_kept()), []);
}

#[test]
fn a_forgetful_disk_answers_a_sync_and_does_nothing() {
    let disk = RecordedDisk::forgetful(|sync| match sync.newest {
        Some((name, Went::FileCame)) => name == "a",
        _ => sync.path.ends_with("c"),
    });
    for name in ["/a", "/b", "/c"] {
        disk.replace_durable(&path(name), b"1").unwrap();
        disk.open(&path(name), Open::Write).unwrap().sync_data().unwrap();
    }
    disk.sync_dir(Path::new("/")).unwrap();
    let woken = disk.power_cut(disk.position()).all_lost();
    let names: Vec<_> = contents(&woken).into_iter().map(|(path, _)| path).collect();
    assert_eq!(names, [path("/a"), path("/b"), path("/c")], "later syncs of the folder made all names stable");
    assert_eq!(content(&woken, "/a").unwrap(), b"1");
    let before = disk.position();
    disk.open(&path("/c"), Open::Write).unwrap().write_all_at(b"2", 0).unwrap();
    disk.open(&path("/c"), Open::Write).unwrap().sync_data().unwrap();
    assert_eq!(disk.position(), before + 1, "no sync is written down");
    disk.replace_durable(&path("/a"), b"3").unwrap();
    let woken = disk.power_cut(disk.position()).all_lost();
    assert_eq!(content(&woken, "/a").unwrap(), b"1", "and what wakes up is forgetful too");
    woken.replace_durable(&path("/a"), b"4").unwrap();
    assert_eq!(content(&woken.power_cut(woken.position()).all_lost(), "/a").unwrap(), b"1");
}

#[test]
fn few_operations_give_every_combination() {
    let disk = RecordedDisk::new();
    let file = disk.open(&path("/a"), Open::CreateNew).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    file.write_all_at(b"1234", 0).unwrap();
    disk.rename(&path("/a"), &path("/b")).unwrap();
    let cut = disk.power_cut(disk.position());
    assert_eq!(cut.unsynced(), 2);
    assert!(cut.every(7).is_none());
    let states: BTreeSet<_> = cut.every(8).unwrap().iter().map(contents).collect();
    let expected = ["/a", "/b"]
        .into_iter()
        .flat_map(|name| {
            [b"".as_slice(), b"1234", b"12", &[0; 4]].map(|bytes| vec![(path(name), Some(bytes.to_vec()))])
        })
        .collect();
    assert_eq!(states, expected);
}

#[test]
fn bytes_are_torn_at_any_place_and_sectors_come_in_any_order() {
    let disk = RecordedDisk::new();
    let file = disk.open(&path("/a"), Open::CreateNew).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    file.write_all_at(&[7; 10_000], 100).unwrap();
    file.write_all_at(&[8; 10], 10_100).unwrap();
    let cut = disk.power_cut(disk.position());
    let mut random = StdRng::seed_from_u64(1);
    let states: Vec<_> = (0..500).map(|_| content(&cut.sample(&mut random), "/a").unwrap()).collect();
    let any = |wanted: &dyn Fn(&[u8]) -> bool| states.iter().any(|bytes| wanted(bytes));
    assert!(any(&|bytes| bytes.is_empty()));
    assert!(any(&|bytes| bytes.len() == 10_110 && bytes[100..10_100].iter().all(|byte| *byte == 7)));
    assert!(any(&|bytes| bytes.len() == 10_110 && bytes[..10_100].iter().all(|byte| *byte == 0)), "out of order");
    assert!(any(&|bytes| !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0)), "a length without data");
    assert!(any(&|bytes| bytes.len() > 100 && bytes.len() < 10_100 && bytes.last() == Some(&7)), "a prefix");
    assert!(any(&|bytes| bytes.len() == 10_100 && bytes[4_095] == 0 && bytes[4_096] == 7), "a later sector alone");
    assert!(any(&|bytes| bytes.len() == 10_100 && bytes[4_095] == 7 && bytes[4_096] == 0), "a sector left out");
}

#[test]
fn who_watches_may_refuse_and_room_is_bounded() {
    let disk = RecordedDisk::new();
    disk.watch(|event| match event.change {
        Change::Sync if event.path.ends_with("bad") => Err(io::Error::other("worn out")),
        _ => Ok(()),
    });
    let bad = disk.open(&path("/bad"), Open::Create).unwrap();
    let before = disk.position();
    assert!(bad.sync_data().is_err());
    assert_eq!(disk.position(), before, "a sync that failed covers nothing");
    disk.unwatch();
    bad.sync_data().unwrap();

    disk.set_room(Some(10));
    bad.write_all_at(&[1; 8], 0).unwrap();
    assert_eq!(disk.free_bytes(Path::new("/")).unwrap(), 2);
    let error = bad.write_all_at(&[2; 8], 6).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(content(&disk, "/bad").unwrap(), [1, 1, 1, 1, 1, 1, 2, 2, 2, 2], "what fitted was written");
    bad.write_all_at(&[3; 10], 0).unwrap();
    bad.set_len(4).unwrap();
    assert!(bad.allocate(11).is_err());
    bad.allocate(10).unwrap();
    assert_eq!(disk.free_bytes(Path::new("/")).unwrap(), 0);
    bad.write_all_at(&[4; 6], 4).unwrap();
    disk.remove_file(&path("/bad")).unwrap();
    assert_eq!(disk.free_bytes(Path::new("/")).unwrap(), 10);
}

#[test]
fn a_descriptor_shows_what_is_written_later_too() {
    use std::os::fd::AsFd as _;
    let disk = RecordedDisk::new();
    let file = disk.open(&path("/a"), Open::Create).unwrap();
    file.write_all_at(b"abc", 0).unwrap();
    let seen = File::from(file.as_fd().as_fd().try_clone_to_owned().unwrap());
    file.write_all_at(b"XY", 1).unwrap();
    assert_eq!(disk.open_files(), 1);
    let mut bytes = [0; 3];
    std::os::unix::fs::FileExt::read_exact_at(&seen, &mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"aXY");
    assert_eq!(disk.bytes_read(|_| true), 0);
    drop(file);
    assert_eq!(disk.open_files(), 0);
}

#[test]
fn it_answers_as_the_machines_own_disk_does() {
    let folder = tempfile::tempdir().unwrap();
    let recorded = RecordedDisk::new();
    recorded.create_dir_all_durable(folder.path()).unwrap();
    let at = |name: &str| folder.path().join(name);
    let answers = |disk: &dyn Disk| {
        let mut answers: Vec<Result<String, ErrorKind>> = Vec::new();
        let mut note = |answer: io::Result<String>| answers.push(answer.map_err(|error| error.kind()));
        let open = |name: &str, how| disk.open(&at(name), how).map(|file| file.len().unwrap().to_string());
        let done = |result: io::Result<()>| result.map(|()| String::new());
        note(open("a", Open::Read));
        note(open("a", Open::Write));
        note(open("a", Open::CreateNew));
        note(open("a", Open::CreateNew));
        note(open("a/b", Open::Create));
        note(open("no/b", Open::Create));
        note(done(disk.create_dir(&at("d"))));
        note(done(disk.create_dir(&at("d"))));
        note(done(disk.create_dir(&at("no/d"))));
        note(done(disk.rename(&at("a"), &at("d/a"))));
        note(done(disk.rename(&at("a"), &at("d/a"))));
        note(done(disk.remove_dir(&at("d"))));
        note(done(disk.remove_file(&at("none"))));
        note(disk.read_dir(&at("d")).map(|entries| format!("{entries:?}")));
        note(disk.read_dir(&at("none")).map(|entries| format!("{entries:?}")));
        let file = disk.open(&at("d/a"), Open::Write).unwrap();
        note(done(file.write_all_at(b"xyz", 2)));
        note(done(file.read_exact_at(&mut [0; 4], 3)));
        note(done(file.read_exact_at(&mut [0; 4], 1)));
        note(done(disk.remove_file(&at("d/a"))));
        note(file.len().map(|length| length.to_string()));
        note(done(disk.remove_dir_all(&at("d"))));
        note(disk.try_exists(&at("d")).map(|there| there.to_string()));
        note(done(disk.open(&at("ro"), Open::Create).map(|_| ())));
        answers
    };
    assert_eq!(answers(&recorded), answers(&super::super::RealDisk));
}
