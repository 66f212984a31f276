//! `tidelog segments` and `tier`, beside a running broker.

use std::path::PathBuf;

use serde_json::Value;

use crate::scene::Scene;

const SETTINGS: [&str; 4] =
    ["--set", "remote.log.manager.task.interval.ms=50", "--set", "log.retention.check.interval.ms=50"];

/// A topic with a few segments in the bucket and one on disk only.
fn tiered() -> Scene {
    let scene = Scene::new(&SETTINGS);
    scene.run(&["topics", "create", "t", "--partitions", "1", "--set", "segment.bytes=1048576"]).expect(0, "made");
    let lines: String = (0..40_000).map(|number| format!("line {number} {:0>80}\n", number * 7)).collect();
    scene.with_input(&["produce", "t", "--batch-bytes", "65536"], &lines).expect(0, "40,000 records");
    until_up_to_date(&scene);
    scene
}

fn status(scene: &Scene) -> Value {
    scene.json(&["tier", "status", "t"])[0].clone()
}

/// Asks until nothing sealed waits: each question is a process of its own, which is pause enough.
fn until_up_to_date(scene: &Scene) {
    for _ in 0..600 {
        let status = status(scene);
        let idle = status["lag_segments"] == 0 && status["uploading"] == false;
        if idle && status["tiered_to"].as_i64().is_some_and(|tiered_to| tiered_to > 0) {
            return;
        }
    }
    panic!("not tiered: {}", status(scene));
}

fn path_of(segment: &Value) -> PathBuf {
    PathBuf::from(segment["url"].as_str().unwrap().strip_prefix("file://").unwrap())
}

/// What is read from a pipe that nobody writes to comes as late as from a bucket that does not answer.
#[test]
fn a_cold_read_that_does_not_come_is_told_and_ends() {
    let scene = Scene::new(&SETTINGS);
    let create = ["topics", "create", "t", "--partitions", "1", "--set", "segment.bytes=1048576"];
    scene.run(&[create.as_slice(), &["--set", "local.retention.ms=1"]].concat()).expect(0, "made");
    let lines: String = (0..40_000).map(|number| format!("line {number} {:0>80}\n", number * 7)).collect();
    scene.with_input(&["produce", "t", "--batch-bytes", "65536"], &lines).expect(0, "40,000 records");
    until_up_to_date(&scene);
    while status(&scene)["local_start_offset"] == 0 {}
    let segments = scene.json(&["segments", "list", "t"]);
    let first = path_of(&segments[0]);
    std::fs::remove_file(&first).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&first).status().unwrap();
    assert!(made.success());
    let ended = scene.run(&["consume", "t", "--to-end", "--timeout", "5s"]);
    ended.expect(4, "t-0: nothing comes from offset 0 on, and the log goes to 40000");
    ended.expect(4, "trying again for");
    assert_eq!(ended.out, "");
    let rest = scene.run(&["consume", "t", "--to-end", "--from", "39999", "--timeout", "5s"]);
    assert_eq!(rest.out, format!("line 39999 {:0>80}\n", 39_999 * 7));
}

#[test]
fn segments_are_listed_inspected_and_verified() {
    let scene = tiered();
    let segments = scene.json(&["segments", "list", "t"]);
    let segments = segments.as_array().unwrap();
    assert!(segments.len() >= 3, "{segments:?}");
    let mut next = 0;
    for segment in segments {
        assert_eq!((&segment["state"], &segment["topic"]), (&"LIVE".into(), &"t".into()));
        assert_eq!(segment["base_offset"], next);
        next = segment["end_offset"].as_i64().unwrap() + 1;
        assert_eq!(std::fs::metadata(path_of(segment)).unwrap().len(), segment["object_bytes"].as_u64().unwrap());
    }
    assert_eq!(status(&scene)["tiered_to"], next);
    scene.run(&["segments", "list"]).expect(0, "in the bucket for");
    scene.run(&["segments", "list", "nowhere"]).expect(3, "there is no topic 'nowhere'");
    scene.run(&["segments", "list", "t", "-p", "7"]).expect(3, "no partition 7");

    let (key, file) = (segments[1]["key"].as_str().unwrap(), path_of(&segments[1]));
    let by_key = scene.json(&["segments", "inspect", key, "--records"]);
    let by_file = scene.json(&["segments", "inspect", file.to_str().unwrap(), "--records"]);
    assert_eq!(by_key, by_file);
    // People read dates.
    scene.run(&["segments", "inspect", key]).expect(0, "timestamps         20");
    let url = segments[1]["url"].as_str().unwrap();
    assert_eq!(scene.json(&["segments", "inspect", url, "--records"]), by_key);
    scene.run(&["segments", "inspect", "s3://bucket/other.parquet"]).expect(2, "no URL of a segment");
    let folder = file.parent().unwrap().to_str().unwrap();
    scene.run(&["segments", "inspect", folder]).expect(2, "a folder; name one Parquet file");
    scene.run(&["segments", "inspect", "/nowhere/x.parquet"]).expect(3, "there is no such file here");
    assert_eq!((&by_key["digest"], &by_key["topic"]), (&segments[1]["digest"], &"t".into()));
    assert_eq!(by_key["predecessor_digest"], segments[0]["digest"]);
    assert_eq!(by_key["records_checked"], true);
    scene.run(&["segments", "inspect", key]).expect(0, "ROW GROUP");
    scene.run(&["segments", "inspect", &key.replace(".parquet", "x.parquet")]).expect(3, "missing");

    let verified = scene.json(&["segments", "verify"]);
    assert_eq!(verified["segments"], segments.len());
    assert_eq!(verified["findings"], serde_json::json!([]));
    scene.run(&["segments", "verify", "t", "--quick"]).expect(0, "footers read");
}

#[test]
fn the_catalog_is_read_beside_a_broker_and_without_one() {
    let scene = tiered();
    let beside = scene.json(&["segments", "list", "t"]);
    let catalog = format!("sqlite://{}", scene.home.path().join("tidelog-data/catalog.db").display());
    let bucket = scene.home.path().canonicalize().unwrap().join("tidelog-data/bucket");
    let bucket = format!("file://{}", bucket.display());
    let list = ["segments", "list", "t", "--json", "--catalog", &catalog, "--bucket", &bucket];
    assert_eq!(serde_json::from_str::<Value>(&scene.home.run(&list).out).unwrap(), beside);
    let Scene { home, serving } = scene;
    serving.signal(rustix::process::Signal::TERM);
    serving.ended().expect(0, "broker stopped");
    let alone = home.run(&list);
    assert_eq!(serde_json::from_str::<Value>(&alone.out).unwrap(), beside, "{alone:?}");
    home.run(&["segments", "list", "--catalog", "sqlite://nowhere.db"]).expect(3, "there is no catalog");
    assert!(!home.path().join("nowhere.db").try_exists().unwrap());
    home.run(&["segments", "verify", "--catalog", &catalog, "--bucket", &bucket]).expect(0, "every record decoded");
    home.run(&["segments", "verify", "--catalog", &catalog]).expect(2, "give --bucket");
}

#[test]
fn verify_finds_what_is_wrong_and_changes_nothing() {
    let scene = tiered();
    let segments = scene.json(&["segments", "list", "t"]);
    let (damaged, missing, copied) = (path_of(&segments[0]), path_of(&segments[1]), path_of(&segments[2]));
    let mut bytes = std::fs::read(&damaged).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0x40;
    std::fs::write(&damaged, bytes).unwrap();
    let name = copied.file_name().unwrap().to_str().unwrap().replace("-0-0-", "-0-1-");
    let nobodys = copied.with_file_name(name);
    std::fs::copy(&copied, &nobodys).unwrap();
    std::fs::remove_file(&missing).unwrap();

    let verified = scene.run(&["segments", "verify", "--json"]);
    assert_eq!(verified.code, Some(5), "{verified:?}");
    let findings: Value = serde_json::from_str(&verified.out).unwrap();
    let found = |kind: &str| {
        let all = findings["findings"].as_array().unwrap();
        let of_kind: Vec<_> = all.iter().filter(|finding| finding["kind"] == kind).collect();
        assert_eq!(of_kind.len(), 1, "{kind}: {findings}");
        of_kind[0]["place"].as_str().unwrap().to_owned()
    };
    assert!(damaged.ends_with(found("damaged")));
    assert!(missing.ends_with(found("missing")));
    assert!(nobodys.ends_with(found("unknown")));
    assert_eq!(findings["findings"].as_array().unwrap().len(), 3);
    assert!(nobodys.is_file(), "nothing is deleted");
    let key = segments[0]["key"].as_str().unwrap();
    scene.run(&["segments", "inspect", key, "--records"]).expect(5, "damaged");
}

#[test]
fn only_what_waits_can_be_skipped() {
    let scene = tiered();
    scene.run(&["tier", "status"]).expect(0, "open segment");
    let status = status(&scene);
    let (tiered_to, end) = (status["tiered_to"].as_i64().unwrap(), status["log_end_offset"].as_i64().unwrap());
    scene.run(&["tier", "skip", "t:0", "--to", &end.to_string()]).expect(1, "say --force");
    scene.run(&["tier", "skip", "t:0", "--force", "--to", &tiered_to.to_string()]).expect(1, "can be skipped");
    scene.run(&["tier", "skip", "t:0", "--force", "--to", &(end + 1).to_string()]).expect(1, "can be skipped");
    scene.run(&["tier", "skip", "t:1", "--to", "5"]).expect(3, "no partition t-1");
    scene.run(&["tier", "skip", "t", "--to", "5"]).expect(2, "TOPIC:PARTITION");
    scene.run(&["tier", "status", "nowhere"]).expect(3, "there is no topic 'nowhere'");
    let to = (tiered_to + 10).to_string();
    scene.run(&["tier", "skip", "t:0", "--force", "--to", &to]).expect(0, "gave up 10 offsets");
    let segments = scene.json(&["segments", "list", "t"]);
    let last = segments.as_array().unwrap().last().unwrap();
    assert_eq!((&last["records"], &last["end_offset"]), (&0.into(), &(tiered_to + 9).into()));
}
