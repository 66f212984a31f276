//! `tidelog config`: every mistake at once, and where each value comes from.

use crate::home::{Ended, Home};

#[test]
fn a_file_is_checked_whole() {
    let home = Home::new();
    home.write("good.properties", "num.partitions=3\nprocess.roles=broker\nlog.retention.hours=24\n");
    let good = home.run(&["config", "check", "good.properties"]);
    good.expect(0, "good.properties: 3 settings, fine");
    good.expect(0, "without a meaning here: process.roles");
    home.write("bad.properties", "num.partition=3\nnum.partitions=many\nretention.ms=1\nnode.id=1\n");
    let bad = home.run(&["config", "check", "bad.properties"]);
    bad.expect(5, "bad.properties has 3 mistakes");
    for said in ["line 1", "'num.partitions'", "line 2", "Not a number of type INT", "line 3", "'log.retention.ms'"] {
        bad.expect(5, said);
    }
    let json = home.run(&["config", "check", "bad.properties", "--json"]);
    let checked: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(checked["mistakes"].as_array().unwrap().len(), 3);
    home.write(
        "order.properties",
        "log.dirs=/a,/b\nnum.partition=3\nlisteners=SSL://:1\ndefault.replication.factor=3\n",
    );
    let order = home.run(&["config", "check", "order.properties", "--json"]);
    let order: serde_json::Value = serde_json::from_str(&order.out).unwrap();
    for (number, mistake) in order["mistakes"].as_array().unwrap().iter().enumerate() {
        assert!(mistake.as_str().unwrap().contains(&format!("line {}", number + 1)), "{order}");
    }
    assert_eq!(order["mistakes"].as_array().unwrap().len(), 4);
    home.run(&["config", "check", "nowhere.properties"]).expect(2, "nowhere.properties");
}

#[test]
fn every_value_says_where_it_comes_from() {
    let home = Home::new();
    home.write("server.properties", "num.partitions=3\nlog.dirs=here\n");
    let mut command =
        home.command(&["config", "show", "--config", "server.properties", "--set", "node.id=9", "--changed", "--json"]);
    command.env("TIDELOG_CATALOG", "postgres://me:secret@db/x");
    let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(!output.contains("secret"), "{output}");
    let shown: serde_json::Value = serde_json::from_str(&output).unwrap();
    let row = |name: &str| {
        let found = shown.as_array().unwrap().iter().find(|setting| setting["name"] == name);
        let found = found.unwrap_or_else(|| panic!("no {name} in {output}"));
        let text = |field: &str| found[field].as_str().unwrap().to_owned();
        (text("value"), text("source"), text("place"))
    };
    let expected = |value: &str, source: &str, place: &str| (value.to_owned(), source.to_owned(), place.to_owned());
    assert_eq!(row("num.partitions"), expected("3", "file", "server.properties, line 1"));
    assert_eq!(row("node.id"), expected("9", "flag", "--set"));
    assert_eq!(row("tidelog.catalog"), expected("postgres://me@db/x", "environment", "TIDELOG_CATALOG"));
    assert!(row("log.dirs").0.ends_with("/here"));
    assert_eq!(shown.as_array().unwrap().len(), 4);
    home.run(&["config", "show"]).expect(0, "log.segment.bytes");
}

/// The warnings of `serve`, which ends over an address that is taken.
fn warned(home: &Home, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let http = taken.local_addr().unwrap().to_string();
    let own = ["serve", "--http", &http, "--listen", "127.0.0.1:0"];
    let mut command = home.command(&[own.as_slice(), arguments].concat());
    let ended = Ended::of(&command.envs(environment.iter().copied()).output().unwrap());
    ended.expect(1, "--http");
    ended.err
}

#[test]
fn a_check_says_what_serve_would() {
    let home = Home::new();
    home.write(
        "server.properties",
        "advertised.listeners=SASL_SSL://h:1,PLAINTEXT://h:2\nauthorizer.class.name=x.Y\nlog.cleanup.policy=compact\n\
         min.insync.replicas=2\nnum.partitions=1\nnum.partitions=2\n",
    );
    let check = home.run(&["config", "check", "server.properties"]);
    check.expect(0, "6 settings, no mistake, 5 warnings");
    let serve = warned(&home, &["--config", "server.properties"], &[]);
    for warning in check.out.lines().filter_map(|line| line.strip_prefix("warning: ")) {
        assert!(serve.contains(warning), "{warning:?} is not in {serve}");
    }
    check.expect(0, "NO ACCESS CONTROL, though this asks for some: authorizer.class.name");
    check.expect(0, "num.partitions is set twice: server.properties, line 5 and server.properties, line 6");
}

#[test]
fn a_kafkas_logs_are_left_alone() {
    let home = Home::new();
    std::fs::create_dir_all(home.path().join("kafka/clicks-0")).unwrap();
    home.write("kafka/meta.properties", "version=1\n");
    home.write("server.properties", "node.id=1\nlog.dirs=kafka\n");
    let check = home.run(&["config", "check", "server.properties"]);
    check.expect(5, "server.properties, line 2: the data directory");
    check.expect(5, "clicks-0, meta.properties");
    let own = ["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    for given in [["--config", "server.properties"], ["--data-dir", "kafka"]] {
        home.run(&[own.as_slice(), &given].concat()).expect(2, "the logs of a Kafka");
    }
    assert_eq!(std::fs::read_dir(home.path().join("kafka")).unwrap().count(), 2, "nothing was written");
}

#[test]
fn show_refuses_what_serve_refuses() {
    let home = Home::new();
    for (arguments, said) in [
        (["--bucket", "foo"], "'foo' is not a bucket"),
        (["--catalog", "nonsense"], "sqlite://PATH"),
        (["--log", "nonsense=foo"], "log filter"),
        (["--set", "default.replication.factor=3"], "set it to 1"),
    ] {
        for command in [&["serve"][..], &["config", "show"]] {
            home.run(&[command, &arguments].concat()).expect(2, said);
        }
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn variables_that_are_empty_are_not_there_and_strays_are_told() {
    let home = Home::new();
    let said = warned(&home, &[], &[("TIDELOG_ADVERTISE", ""), ("TIDELOG_LOG", ""), ("TIDELOG_DATADIR", "x")]);
    assert!(said.contains("variables that mean nothing here: TIDELOG_DATADIR; there are TIDELOG_ADVERTISE"), "{said}");
}
