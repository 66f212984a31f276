//! `tidelog config`: every mistake at once, and where each value comes from.

use crate::home::Home;

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
