//! Flags, environment and file, and what is said about mistakes in them.

use crate::home::{Ended, Home};

fn refused(home: &Home, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = home.command(&[&["serve"], arguments].concat());
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let ended = Ended::of(&output);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    ended
}

#[test]
fn a_name_that_nobody_knows_is_an_error_with_the_nearest() {
    let home = Home::new();
    home.write("server.properties", "# mine\nnum.partition=3\n");
    let file = refused(&home, &["--config", "server.properties"], &[]);
    file.expect(2, "server.properties, line 2: neither Tidelog nor Kafka knows a broker setting 'num.partition'");
    file.expect(2, "the nearest is 'num.partitions'");
    refused(&home, &["--set", "log.retention.mss=1"], &[]).expect(2, "--set: ");
    refused(&home, &[], &[("TIDELOG_SET", "node.id=1;nod.id=2")]).expect(2, "TIDELOG_SET: ");
}

#[test]
fn the_first_mistake_of_a_file_is_told_and_where_all_are() {
    let home = Home::new();
    home.write("server.properties", "num.partitions=1\nzzz.first=1\naaa.second=2\n");
    let ended = refused(&home, &["--config", "server.properties"], &[]);
    ended.expect(2, "server.properties, line 2: neither Tidelog nor Kafka knows a broker setting 'zzz.first'");
    ended.expect(2, "(all mistakes at once: tidelog config check server.properties)");
}

#[test]
fn mistakes_are_told_before_anything_is_made() {
    let home = Home::new();
    refused(&home, &["--config", "nowhere.properties"], &[]).expect(2, "nowhere.properties");
    refused(&home, &["--set", "num.partitions"], &[]).expect(2, "not NAME=VALUE");
    refused(&home, &["--set", "num.partitions=0"], &[]).expect(2, "Value must be at least 1");
    refused(&home, &["--listen", "9092"], &[]).expect(2, "HOST:PORT");
    refused(&home, &["--advertise", "0.0.0.0:9092"], &[]).expect(2, "cannot connect to every interface");
    refused(&home, &["--log", "tidelog=loud"], &[]).expect(2, "log filter");
    refused(&home, &[], &[("TIDELOG_LOG", "inof")]).expect(2, "'inof' is no level");
    refused(&home, &[], &[("TIDELOG_LISTEN", "nowhere")]).expect(2, "TIDELOG_LISTEN: listeners=nowhere");
    refused(&home, &["--no-such-flag"], &[]).expect(2, "--no-such-flag");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn a_flag_counts_before_the_environment_and_that_before_the_file() {
    let home = Home::new();
    home.write("server.properties", "log.dirs=from-file\nnode.id=5\n");
    let used = |arguments: &[&str], environment: &[(&str, &str)]| {
        // The catalog comes behind the data directory, and nobody answers there.
        let nobody = "postgres://nobody@127.0.0.1:1/x";
        let own = ["serve", "--config", "server.properties", "--http", "127.0.0.1:0", "--listen", "127.0.0.1:0"];
        let mut command = home.command(&[own.as_slice(), &["--catalog", nobody], arguments].concat());
        Ended::of(&command.envs(environment.iter().copied()).output().unwrap()).expect(4, "127.0.0.1:1");
    };
    let is_there = |name: &str| home.path().join(name).join("tidelog.lock").is_file();
    used(&[], &[]);
    assert!(is_there("from-file"));
    used(&[], &[("TIDELOG_DATA_DIR", "from-environment")]);
    assert!(is_there("from-environment"));
    used(&["--data-dir", "from-flag"], &[("TIDELOG_DATA_DIR", "not-this-one")]);
    assert!(is_there("from-flag") && !is_there("not-this-one"));
}

#[test]
fn shells_complete_what_can_be_typed() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = home.run(&["completions", shell]);
        for word in ["segments", "inspect", "bootstrap-server", "read_committed"] {
            script.expect(0, word);
        }
    }
    home.write("completions.bash", &home.run(&["completions", "bash"]).out);
    let read = std::process::Command::new("bash").arg("-n").arg(home.path().join("completions.bash")).status().unwrap();
    assert!(read.success());
    home.run(&["completions", "dash"]).expect(2, "invalid value 'dash'");
}

#[test]
fn help_is_complete() {
    let home = Home::new();
    let all = home.run(&["--help"]);
    all.expect(0, "Exit codes:");
    let serve = home.run(&["serve", "--help"]);
    for flag in ["data-dir", "listen", "advertise", "http", "bucket", "catalog", "config"] {
        let variable = format!("TIDELOG_{}", flag.replace('-', "_").to_uppercase());
        serve.expect(0, &format!("--{flag} <"));
        serve.expect(0, &format!("[env: {variable}]"));
    }
    serve.expect(0, "--set <NAME=VALUE>");
    serve.expect(0, "TIDELOG_SET");
    for default in ["./tidelog-data", "127.0.0.1:9092", "the listen address", "127.0.0.1:9600"] {
        serve.expect(0, &format!("[default: {default}]"));
    }
    home.run(&["--version"]).expect(0, env!("CARGO_PKG_VERSION"));
    home.run(&[]).expect(2, "Usage:");
}
