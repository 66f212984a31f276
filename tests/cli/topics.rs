//! `tidelog topics`, `produce` and `consume` against a broker of our own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::time::Duration;

use tidelog::clock::SystemClock;

use crate::home::{Ended, Home};
use crate::scene::Scene;

#[test]
fn topics_are_made_described_altered_and_deleted() {
    let scene = Scene::new(&[]);
    scene.run(&["topics", "list"]).expect(0, "no topics");
    let create = ["topics", "create", "orders", "--partitions", "3", "--keep", "30d", "--local", "1h"];
    scene.run(&create).expect(0, "made topic 'orders'");
    scene.run(&["topics", "create", "orders"]).expect(1, "TOPIC_ALREADY_EXISTS");
    scene.run(&["topics", "create", "orders"]).expect(1, "--if-not-exists");
    let made = |name: &str| scene.json(&["topics", "create", name, "--if-not-exists"]);
    assert_eq!(made("orders"), serde_json::json!({"topic": "orders", "made": false}));
    assert_eq!(made("other"), serde_json::json!({"topic": "other", "made": true}));
    assert_eq!(scene.json(&["topics", "alter", "other", "--partitions", "1"])["changed"], false);
    assert_eq!(scene.json(&["topics", "alter", "other", "--partitions", "2"])["changed"], true);
    for same in [["--partitions", "2"], ["--unset", "retention.ms"]] {
        scene.run(&[&["topics", "alter", "other"][..], &same].concat()).expect(0, "nothing to change");
    }
    scene.run(&["topics", "alter", "other", "--unset", "nonsense"]).expect(2, "no topic setting 'nonsense'");
    scene.run(&["topics", "alter", "other", "--set", "retention.ms=5000000"]).expect(0, "changed topic");
    scene.run(&["topics", "alter", "other", "--set", "retention.ms=5000000"]).expect(0, "nothing to change");
    let compact = scene.run(&["topics", "create", "compact", "--set", "cleanup.policy=compact"]);
    assert!(compact.code == Some(0) && compact.err.contains("does not compact yet"), "{compact:?}");
    scene.run(&["topics", "delete", "compact", "--yes"]).expect(0, "deleted");
    let gone = scene.json(&["topics", "delete", "other", "--yes"]);
    assert_eq!(gone, serde_json::json!([{"topic": "other", "deleted": true}]));
    scene.run(&["topics", "create", "orders", "--if-not-exists"]).expect(0, "there already");
    let listed = scene.json(&["topics", "list"]);
    assert_eq!((&listed[0]["name"], &listed[0]["partitions"]), (&"orders".into(), &3.into()));
    let described = scene.json(&["topics", "describe", "orders"]);
    let settings = described["settings"].as_array().unwrap();
    let set: Vec<_> = settings.iter().map(|s| (s["name"].as_str().unwrap(), s["value"].as_str().unwrap())).collect();
    assert_eq!(set, [("local.retention.ms", "3600000"), ("retention.ms", "2592000000")]);
    assert_eq!(described["partitions"][2]["log_end_offset"], 0);
    scene
        .run(&["topics", "alter", "orders", "--keep", "forever", "--unset", "local.retention.ms", "--partitions", "4"])
        .expect(0, "changed topic 'orders'");
    let described = scene.json(&["topics", "describe", "orders"]);
    assert_eq!(described["settings"].as_array().unwrap().len(), 1);
    assert_eq!(described["settings"][0]["value"], "-1");
    assert_eq!(described["partitions"].as_array().unwrap().len(), 4);
    scene.run(&["topics", "alter", "orders", "--partitions", "2"]).expect(2, "partitions are only added");
    scene.run(&["topics", "alter", "orders"]).expect(2, "nothing to change");
    scene.run(&["topics", "alter", "orders", "--set", "retention.mss=1"]).expect(1, "retention.mss");
    scene.run(&["topics", "delete", "orders"]).expect(2, "say --yes");
    scene.run(&["topics", "delete", "orders", "--yes"]).expect(0, "deleted topic 'orders'");
    scene.run(&["topics", "delete", "orders"]).expect(3, "there is no topic 'orders'");
    scene.run(&["topics", "describe", "orders"]).expect(3, "there is no topic 'orders'");
}

#[test]
fn what_cannot_be_meant_is_refused_before_it_is_asked() {
    let home = Home::new();
    for (arguments, said) in [
        (vec!["--keep", "1h", "--local", "2h"], "--local 2h is longer than --keep 1h"),
        (vec!["--keep", "soon"], "30d"),
        (vec!["--keep", "1h", "--set", "cleanup.policy=compact"], "do not end by age"),
        (vec!["--partitions", "0"], "--partitions"),
        (vec!["--partitions", "-1"], "-1 is not in 1.."),
    ] {
        home.run(&[vec!["topics", "create", "a"], arguments].concat()).expect(2, said);
    }
}

#[test]
fn records_come_back_as_they_were_sent() {
    let scene = Scene::new(&[]);
    scene.run(&["topics", "create", "t", "--partitions", "2"]).expect(0, "made");
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let lines = format!("{codec}:one:two\n{codec}:\nä{codec}:ö\n");
        let sent =
            scene.with_input(&["produce", "t", "-k", ":", "-z", codec, "-H", "codec=x", "--empty-as-null"], &lines);
        sent.expect(0, "3 records");
    }
    let read = scene.run(&["consume", "t", "--to-end", "--json"]);
    let mut records: Vec<serde_json::Value> =
        read.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 15, "{read:?}");
    records.retain(|record| record["key"] == "zstd");
    let values: Vec<_> = records.iter().map(|record| record["value"].clone()).collect();
    assert_eq!(values, [serde_json::json!("one:two"), serde_json::Value::Null]);
    assert_eq!(records[0]["headers"], serde_json::json!([{"name": "codec", "value": "x"}]));
    scene.with_input(&["produce", "t", "-k", ":"], "without\n").expect(1, "line 1 has no key separator");
    scene.with_input(&["produce", "t", "-p", "2"], "x\n").expect(3, "no partition 2");
    scene.with_input(&["produce", "nowhere"], "x\n").expect(3, "there is no topic 'nowhere'");
}

#[test]
fn reading_begins_where_it_is_told() {
    let scene = Scene::new(&[]);
    scene.run(&["topics", "create", "t", "--partitions", "1"]).expect(0, "made");
    let lines: String = (0..100).map(|number| format!("{number}\n")).collect();
    for acks in ["0", "1", "all"] {
        scene.with_input(&["produce", "t", "--acks", acks], &lines).expect(0, "100 records");
    }
    let read = |arguments: &[&str]| {
        let ended = scene.run(&[&["consume", "t", "--to-end"], arguments].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(read(&[]).len(), 300);
    assert_eq!(read(&["--from", "298"]), ["98", "99"]);
    assert_eq!(read(&["--from", "-1"]), ["99"]);
    assert_eq!(read(&["--from", "end"]).len(), 0);
    assert_eq!(read(&["--count", "2"]), ["0", "1"]);
    assert_eq!(read(&["--from", "@0", "-n", "1"]), ["0"]);
    assert_eq!(read(&["--from", "@2100-01-01"]).len(), 0);
    assert_eq!(read(&["-k", "=", "-n", "1"]), ["null=0"]);
    assert_eq!(read(&["-k", "=", "-n", "1", "--null", "\\N"]), ["\\N=0"]);
    scene.run(&["consume", "t", "--from", "301"]).expect(3, "it begins at 0, next is 300");
    scene.run(&["consume", "t", "-p", "1"]).expect(3, "no partition 1");
    scene.run(&["consume", "t", "--from", "later"]).expect(2, "-N for the last N");
}

#[test]
fn reading_waits_for_what_is_still_to_come() {
    let scene = Scene::new(&[]);
    scene.run(&["topics", "create", "t", "--partitions", "1"]).expect(0, "made");
    scene.with_input(&["produce", "t"], "one\n").expect(0, "1 records");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| scene.run(&["consume", "t", "-n", "3"]));
        scene.with_input(&["produce", "t"], "two\nthree\nfour\n").expect(0, "3 records");
        let read = waiting.join().unwrap();
        assert_eq!((read.code, read.out.as_str()), (Some(0), "one\ntwo\nthree\n"));
    });
}

#[test]
fn a_setting_of_topics_that_nobody_knows_meets_the_nearest() {
    let scene = Scene::new(&[]);
    let said = "Unknown topic config name: retention.mss; the nearest is 'retention.ms'";
    scene.run(&["topics", "create", "t", "--set", "retention.mss=5"]).expect(1, said);
    scene.run(&["topics", "create", "t"]).expect(0, "made");
    scene.run(&["topics", "alter", "t", "--set", "retention.mss=5"]).expect(1, said);
    scene.run(&["topics", "alter", "t", "--unset", "retention.mss"]).expect(2, "the nearest is 'retention.ms'");
}

#[test]
fn a_line_that_is_too_long_is_named_with_the_setting() {
    let scene = Scene::new(&[]);
    scene.run(&["topics", "create", "t", "--partitions", "1", "--set", "max.message.bytes=1000"]).expect(0, "made");
    let ended = scene.with_input(&["produce", "t"], &format!("short\n{}\nshort\n", "x".repeat(2_000)));
    ended.expect(1, "MESSAGE_TOO_LARGE");
    ended.expect(1, "larger than the topic's max.message.bytes. The longest line so far was line 2 with 2000 bytes");
    ended.expect(1, "at least 0 records were acknowledged before");
}

#[test]
fn another_http_server_is_not_taken_for_a_broker() {
    let home = Home::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || {
        for status in ["403 Forbidden", "404 Not Found"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
            while !head.next().unwrap().unwrap().is_empty() {}
            let body = "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>";
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    for status in ["403 Forbidden", "404 Not Found"] {
        let ended = home.run(&["tier", "status", "--http", &address]);
        ended.expect(4, &format!("answers {status}"));
        ended.expect(4, "that is no broker's answer; --http names");
        assert!(!ended.err.contains("AccessDenied"), "{ended:?}");
    }
    serving.join().unwrap();
    let negative = home.run(&["consume", "t", "-n", "-2"]);
    negative.expect(2, "invalid value '-2' for '--count");
    negative.expect(2, "a whole number of records, 0 or more");
    home.run(&["tier", "skip", "t:0", "--to", "-5"]).expect(2, "invalid value '-5' for '--to");
}

#[test]
fn nobody_there_is_told_with_the_remedy() {
    let home = Home::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    home.run(&["topics", "list", "-b", &free, "--timeout", "1s"]).expect(4, "tidelog serve");
    home.run(&["tier", "status", "--http", &free]).expect(4, "tidelog serve");
    home.run(&["topics", "list", "-b", "nowhere"]).expect(2, "HOST:PORT");
    home.run(&["topics", "list", "-b", &format!("http://{free}")]).expect(2, "is not HOST:PORT");
    let unknown = home.run(&["topics", "list", "-b", "nohost.invalid:9092"]);
    unknown.expect(2, "--bootstrap-server: no Kafka broker answers at nohost.invalid:9092");
    assert!(!unknown.err.contains("trying again"), "a name does not come by waiting: {unknown:?}");
    home.run(&["topics", "list", "-b", &free, "--timeout", "1"]).expect(4, "tidelog serve");
    // Nobody is asked for a bucket, or for its region.
    let inspect = ["segments", "inspect", "nofile.parquet", "--http", &free];
    home.run(&inspect).expect(3, "nofile.parquet: there is no such file here");
    home.run(&["tier", "status", "--http", "http://http://127.0.0.1:1"]).expect(2, "HOST:PORT");
}

#[test]
fn whoever_comes_before_the_broker_waits_for_it() {
    let home = Home::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut early = home.command(&["topics", "create", "early", "-b", &free]);
    let mut early = early.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    BufReader::new(early.stderr.as_mut().unwrap()).read_line(&mut told).unwrap();
    assert!(told.contains("trying again for") && told.contains("--timeout"), "{told}");
    let own = ["serve", "--listen", &free, "--http", "127.0.0.1:0"];
    let _serving = home.serve_as(&own);
    Ended::of(&early.wait_with_output().unwrap()).expect(0, "made");
}

#[test]
fn the_timeout_bounds_a_server_that_says_nothing() {
    let home = Home::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let clock = SystemClock::shared();
    let began = clock.monotonic();
    home.run(&["topics", "list", "-b", &address, "--timeout", "1s"]).expect(4, &address);
    let took = clock.monotonic() - began;
    assert!(took < Duration::from_secs(20), "it took {took:?}");
}

#[test]
fn one_port_given_for_the_other_is_explained() {
    let scene = Scene::new(&[]);
    let (kafka, http) = (scene.serving.kafka.as_str(), scene.serving.http.as_str());
    scene.run(&["topics", "list", "-b", http]).expect(4, "it speaks HTTP");
    scene.run(&["tier", "status", "--http", kafka]).expect(4, "does not speak HTTP");
    scene.run(&["tier", "status", "--http", &format!("http://{http}/")]).expect(0, "TOPIC");
    scene.run(&["consume", "nowhere"]).expect(3, "topics create nowhere makes it");
}
