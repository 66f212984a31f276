//! `tidelog demo`: what it shows is what it measured.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, kill_process};

use crate::home::{Home, stopping_signals};

#[test]
fn the_whole_job_is_done_and_shown() {
    let home = Home::new();
    let seen = home.run(&["demo", "--size", "40", "--partitions", "2", "--dir", "stage", "--keep", "--json"]);
    assert_eq!(seen.code, Some(0), "{seen:?}");
    let seen: serde_json::Value = serde_json::from_str(&seen.out).unwrap();
    let number = |name: &str| seen[name].as_i64().unwrap();
    let produced = seen["produced"]["records"].as_i64().unwrap();
    assert_eq!(seen["read_from_disk"]["records"], produced);
    assert_eq!(seen["read_back"]["records"], produced);
    assert_eq!(number("records_from_bucket") + number("records_from_disk"), produced);
    assert!(number("records_from_bucket") > produced / 2 && number("records_from_disk") > 0, "{seen}");
    assert!(number("local_bytes_after") < number("local_bytes_before") / 2, "{seen}");
    assert!(number("segments") >= 2 && number("bucket_reads") > 0, "{seen}");
    let objects = home.path().join("stage/bucket/topics/orders");
    assert!(objects.is_dir(), "--keep keeps it");
    let told = home.run(&["demo", "--size", "8", "--partitions", "1"]);
    told.expect(0, "Where each offset was served from");
    told.expect(0, "same digests, no gap, no duplicate");
}

#[test]
fn a_demo_that_is_stopped_takes_its_folder_with_it() {
    for signal in stopping_signals() {
        let home = Home::new();
        let mut command = home.command(&["demo", "--size", "4096"]);
        let mut demo = command.env("TMPDIR", home.path()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut line, mut told) = (String::new(), BufReader::new(demo.stdout.take().unwrap()));
        while !line.starts_with("start") {
            line.clear();
            assert!(told.read_line(&mut line).unwrap() > 0, "it ended before it began");
        }
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
        kill_process(Pid::from_child(&demo), signal).unwrap();
        assert_eq!(demo.wait().unwrap().code(), Some(1));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "its folder is left");
    }
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let home = Home::new();
    home.write("mine", "x");
    home.run(&["demo", "--dir", "."]).expect(2, "is not empty");
    assert_eq!(std::fs::read_to_string(home.path().join("mine")).unwrap(), "x");
}
