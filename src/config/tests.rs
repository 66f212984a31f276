//! Which source counts, and what is made of it.

use std::path::{Path, PathBuf};

use super::file;
use super::*;
use crate::broker::Endpoint;
use crate::model::BrokerId;

fn flag(name: &str, value: &str) -> Assignment {
    Assignment::new(name, value, Origin::Flag("--set"))
}

fn environment(name: &str, value: &str) -> Assignment {
    Assignment::new(name, value, Origin::Environment("TIDELOG_SET"))
}

fn properties(text: &str) -> Vec<Assignment> {
    file::parse(Path::new("server.properties"), text.as_bytes()).unwrap()
}

fn assemble(layers: Layers) -> Result<ServeOptions, ConfigError> {
    ServeOptions::assemble(&layers.merge()?, || "this-machine".to_owned())
}

fn from_file(text: &str) -> Result<ServeOptions, ConfigError> {
    assemble(Layers { file: properties(text), ..Layers::default() })
}

fn endpoint(host: &str, port: u16) -> Endpoint {
    Endpoint { host: host.to_owned(), port }
}

#[test]
fn kafka_and_http_need_a_port_each() {
    let given = |listen: &str, http: &str| {
        from_file(&format!("listeners=PLAINTEXT://{listen}\ntidelog.http={http}\n"))
            .map(drop)
            .map_err(|error| error.to_string())
    };
    for (listen, http) in [("127.0.0.1:300", "127.0.0.1:300"), ("0.0.0.0:300", "127.0.0.1:300"), ("a:300", ":300")] {
        let said = given(listen, http).unwrap_err();
        assert!(said.contains("need a port each") && said.contains("--http"), "{said}");
    }
    for (listen, http) in [("127.0.0.1:300", "127.0.0.1:301"), ("127.0.0.1:0", "127.0.0.1:0"), ("a:300", "b:300")] {
        assert_eq!(given(listen, http), Ok(()));
    }
}

#[test]
fn nothing_given_is_enough() {
    let options = assemble(Layers::default()).unwrap();
    let data = std::path::absolute("tidelog-data").unwrap();
    assert_eq!(options.broker.data_dir, data);
    assert_eq!(options.broker.broker_id, BrokerId(1));
    assert_eq!(options.broker.advertised, endpoint("127.0.0.1", 9092));
    assert_eq!(options.broker.catalog_url, format!("sqlite://{}/catalog.db", data.display()));
    assert_eq!(options.server.listen, "127.0.0.1:9092");
    assert_eq!(options.http, "127.0.0.1:9600");
    assert_eq!(options.broker.bucket_url, format!("file://{}/bucket", data.display()));
    assert!(options.warnings.is_empty(), "{:?}", options.warnings);
}

#[test]
fn a_flag_counts_before_the_environment_and_that_before_the_file() {
    let layers = |flags: Vec<_>, environment: Vec<_>| Layers {
        file: properties("num.partitions=1\nlog.retention.ms=5000\n"),
        environment,
        flags,
    };
    let partitions = |layers: Layers| layers.merge().unwrap().broker_settings().unwrap().number("num.partitions");
    assert_eq!(partitions(Layers::default()), 1);
    assert_eq!(partitions(layers(vec![], vec![])), 1);
    assert_eq!(partitions(layers(vec![], vec![environment("num.partitions", "2")])), 2);
    let both = layers(vec![flag("num.partitions", "3")], vec![environment("num.partitions", "2")]);
    let origin = both.clone().merge().unwrap().origin("num.partitions");
    assert_eq!((partitions(both), origin), (3, Origin::Flag("--set")));
}

#[test]
fn hours_on_the_command_line_count_before_milliseconds_in_the_file() {
    let layers = Layers {
        file: properties("log.retention.ms=5000\nlog.retention.hours=9\n"),
        flags: vec![flag("log.retention.hours", "1")],
        ..Layers::default()
    };
    let settings = layers.merge().unwrap().broker_settings().unwrap();
    let config = settings.topic_config(&Default::default(), Default::default()).unwrap();
    assert_eq!(config.retention.total_ms, Some(3_600_000));
    let file = properties("log.retention.ms=5000\nlog.retention.hours=9\n");
    let settings = Layers { file, ..Layers::default() }.merge().unwrap().broker_settings().unwrap();
    let config = settings.topic_config(&Default::default(), Default::default()).unwrap();
    assert_eq!(config.retention.total_ms, Some(5_000), "within the file Kafka's order counts");
}

#[test]
fn a_kafka_users_file_can_be_pointed_at() {
    let options = from_file(
        "process.roles=broker,controller\nnode.id=7\ncontroller.quorum.bootstrap.servers=localhost:9093\n\
         listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n\
         advertised.listeners=PLAINTEXT://kafka.example:19092,CONTROLLER://kafka.example:9093\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL\n\
         num.network.threads=3\nsocket.send.buffer.bytes=102400\nsocket.request.max.bytes=104857600\n\
         log.dirs=/tmp/kraft-combined-logs\nnum.partitions=1\nlog.retention.hours=168\n\
         log.retention.check.interval.ms=300000\noffsets.topic.replication.factor=1\n",
    )
    .unwrap();
    assert_eq!(options.broker.broker_id, BrokerId(7));
    assert_eq!(options.broker.data_dir, PathBuf::from("/tmp/kraft-combined-logs"));
    assert_eq!(options.server.listen, "0.0.0.0:9092");
    assert_eq!(options.broker.advertised, endpoint("kafka.example", 19092));
    let unused = options.unused_warning().unwrap();
    assert!(unused.contains("process.roles") && unused.contains("num.network.threads"), "{unused}");
    assert!(!options.warnings.iter().any(|warning| warning.contains("ACCESS CONTROL")), "{:?}", options.warnings);
    assert!(options.warnings.iter().any(|warning| warning.contains("CONTROLLER://:9093")));
}

#[test]
fn who_listens_everywhere_is_reached_by_the_machines_name() {
    let options = from_file("listeners=PLAINTEXT://0.0.0.0:1234\nbroker.id=3\nlog.dir=/tmp/x\n").unwrap();
    assert_eq!(options.broker.advertised, endpoint("this-machine", 1234));
    assert_eq!((options.broker.broker_id, options.broker.data_dir), (BrokerId(3), PathBuf::from("/tmp/x")));
    assert!(options.warnings[0].contains("this-machine:1234"));
}

#[test]
fn mistakes_name_the_place_and_the_remedy() {
    for (text, parts) in [
        ("a=1\nnum.partitons=3", ["server.properties, line 1", "neither Tidelog nor Kafka knows"]),
        ("\nnum.partitons=3", ["server.properties, line 2", "'num.partitions'"]),
        ("num.partitions=many", ["server.properties, line 1", "num.partitions: Not a number of type INT"]),
        ("num.partitions=many\nbackground.threads=2\nlog.flush.interval.ms=x", ["line 1", "num.partitions"]),
        ("log.dirs=/a,/b", ["line 1: log.dirs=/a,/b", "name one"]),
        ("listeners=SSL://:1", ["line 1: listeners=SSL://:1", "HOST:PORT"]),
        ("advertised.listeners=0.0.0.0:1", ["line 1", "cannot connect to every interface"]),
        ("tidelog.http=9600", ["tidelog.http=9600", "HOST:PORT"]),
        ("tidelog.bucket=foo", ["line 1: 'foo' is not a bucket", "s3://bucket/prefix"]),
        ("tidelog.catalog=mysql://a:b@c/d", ["line 1: ", "sqlite://PATH"]),
        ("default.replication.factor=3", ["line 1: default.replication.factor=3", "set it to 1"]),
        ("log.retention.hours=-5", ["line 1", "log.retention.hours: Value must be at least -1"]),
        ("log.roll.hours=0", ["line 1", "log.roll.hours: Value must be at least 1"]),
        ("retention.ms=1", ["line 1", "'log.retention.ms'"]),
        ("log.local.retention.ms=10\nlog.retention.ms=5", ["local.retention.ms", "10"]),
    ] {
        let error = from_file(text).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{text:?}: {error}");
    }
}

#[test]
fn a_flag_of_its_own_and_set_must_agree() {
    let flags = |listen: &str| {
        let own = Assignment::new("listeners", "h:1", Origin::Flag("--listen"));
        Layers { flags: vec![own, flag("listeners", listen)], ..Layers::default() }
    };
    assert_eq!(assemble(flags("h:1")).unwrap().server.listen, "h:1");
    let error = assemble(flags("h:2")).unwrap_err().to_string();
    assert!(error.contains("--listen says listeners=h:1, --set says h:2"), "{error}");
    let twice = Layers { flags: vec![flag("node.id", "2"), flag("node.id", "3")], ..Layers::default() };
    assert_eq!(assemble(twice).unwrap().broker.broker_id, BrokerId(3), "the last counts");
}

#[test]
fn what_is_taken_without_effect_is_told() {
    let options = from_file(
        "listeners=SASL_SSL://:9093,PLAINTEXT://127.0.0.1:9092\nauthorizer.class.name=a.B\nssl.keystore.location=/k\n\
         ssl.client.auth=none\nbackground.threads=3\nlog.cleanup.policy=compact\nmin.insync.replicas=2\n\
         num.partitions=1\nnum.partitions=2\n",
    )
    .unwrap();
    let parts = [
        "NO ACCESS CONTROL, though this asks for some: SASL_SSL://:9093, authorizer.class.name, ssl.keystore.location. ",
        "num.partitions is set twice: server.properties, line 8 and server.properties, line 9",
        "log.cleanup.policy=compact",
        "min.insync.replicas=2",
        "of listeners only 127.0.0.1:9092 is used",
    ];
    assert_eq!(options.warnings.len(), parts.len(), "{:#?}", options.warnings);
    for (warning, part) in options.warnings.iter().zip(parts) {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    assert_eq!(options.unused, ["background.threads", "ssl.client.auth"]);
}
