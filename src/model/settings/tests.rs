//! The tables and the rules between settings.

use std::collections::BTreeMap;

use super::*;
use crate::model::TopicConfig;
use crate::model::topic_config::TopicCompression;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn config(overrides: &[(&str, &str)]) -> Result<TopicConfig, String> {
    BrokerSettings::default().topic_config(&map(overrides), Before::default()).map_err(|error| error.to_string())
}

#[test]
fn every_default_passes_its_own_check_and_makes_the_default_config() {
    for setting in TOPIC_SETTINGS {
        kind::check(setting.name, setting.default, setting.kind, setting.check).unwrap();
    }
    for setting in BROKER_SETTINGS {
        kind::check(setting.name, setting.default, setting.kind, setting.check).unwrap();
    }
    assert_eq!(config(&[]).unwrap(), TopicConfig::default());
    assert!(TOPIC_SETTINGS.is_sorted_by_key(|setting| setting.name));
    assert!(BROKER_SETTINGS.is_sorted_by_key(|setting| setting.name));
    assert!(
        UNUSED_BROKER_SETTINGS.iter().chain(FORMER_BROKER_SETTINGS).all(|name| !BrokerSettings::knows(name)),
        "unused and used at once"
    );
}

#[test]
fn messages_are_kafkas() {
    let error = |overrides: &[(&str, &str)]| config(overrides).unwrap_err();
    assert_eq!(error(&[("no.such", "1")]), "Unknown topic config name: no.such");
    assert_eq!(
        error(&[("retention.ms", "x")]),
        "Invalid value x for configuration retention.ms: Not a number of type LONG"
    );
    assert_eq!(
        error(&[("segment.bytes", "100")]),
        "Invalid value 100 for configuration segment.bytes: Value must be at least 1048576"
    );
    assert_eq!(
        error(&[("local.retention.ms", "10"), ("retention.ms", "5")]),
        "Invalid value 10 for configuration local.retention.ms: Value must not be more than retention.ms property value: 5"
    );
    assert!(
        error(&[("cleanup.policy", "compact"), ("remote.storage.enable", "true")]).contains("only supports topics")
    );
    assert!(error(&[("remote.log.copy.disable", "true"), ("local.retention.ms", "5")]).contains("identical value"));
}

#[test]
fn remote_storage_follows_the_policy_until_somebody_says_otherwise() {
    assert!(config(&[]).unwrap().remote.enabled);
    assert!(config(&[("cleanup.policy", "")]).unwrap().remote.enabled);
    assert!(!config(&[("cleanup.policy", "compact")]).unwrap().remote.enabled);
    assert!(!config(&[("remote.storage.enable", "false")]).unwrap().remote.enabled);

    let broker = BrokerSettings::default();
    let was = TopicConfig::default();
    let before = |has_remote_segments| Before { config: Some(&was), has_remote_segments };
    let compact = map(&[("cleanup.policy", "compact")]);
    assert!(!broker.topic_config(&compact, before(false)).unwrap().remote.enabled);
    let refused = broker.topic_config(&compact, before(true)).unwrap_err().to_string();
    assert!(refused.contains("only supports"), "history is not hidden by a policy: {refused}");
    let off = map(&[("remote.storage.enable", "false")]);
    assert!(broker.topic_config(&off, before(true)).unwrap_err().to_string().contains("without deleting"));
    let off = map(&[("remote.storage.enable", "false"), ("remote.log.delete.on.disable", "true")]);
    assert!(!broker.topic_config(&off, before(true)).unwrap().remote.enabled);
}

#[test]
fn local_retention_is_a_day_unless_somebody_says_otherwise() {
    let day = 24 * 60 * 60 * 1000;
    let local = |overrides: &[(&str, &str)]| config(overrides).unwrap().retention.local_ms;
    assert_eq!(local(&[]), Some(day));
    assert_eq!(local(&[("retention.ms", "1000")]), Some(1_000));
    assert_eq!(local(&[("retention.ms", "-1")]), Some(day));
    assert_eq!(local(&[("retention.ms", "-1"), ("local.retention.ms", "-2")]), None);
    assert_eq!(local(&[("local.retention.ms", "7")]), Some(7));
    assert_eq!(local(&[("remote.log.copy.disable", "true")]), Some(7 * day), "a paused copy reads it as Kafka's -2");
}

#[test]
fn the_brokers_settings_stand_behind_the_topics() {
    let broker = BrokerSettings::new(map(&[
        ("log.retention.hours", "2"),
        ("log.retention.minutes", "1"),
        ("compression.type", "zstd"),
    ]))
    .unwrap();
    let config = broker.topic_config(&map(&[("compression.zstd.level", "7")]), Before::default()).unwrap();
    assert_eq!(config.retention.total_ms, Some(60_000), "minutes count before hours");
    assert_eq!(config.message.compression, TopicCompression::Fixed(crate::model::Codec::Zstd, Some(7)));
    assert!(BrokerSettings::new(map(&[("num.partitions", "0")])).is_err());
}

/// Name, value and source of each synonym.
type Synonyms = Vec<(&'static str, String, Source)>;

fn described(all: &[Resolved], name: &str) -> (Option<String>, Source, Synonyms) {
    let one = all.iter().find(|resolved| resolved.name == name).unwrap();
    let synonyms = one.synonyms.iter().map(|synonym| (synonym.name, synonym.value.clone(), synonym.source));
    (one.value.clone(), one.source, synonyms.collect())
}

#[test]
fn settings_are_described_as_kafka_does() {
    let broker = BrokerSettings::new(map(&[("log.retention.ms", "9"), ("log.retention.hours", "2")])).unwrap();
    let own = map(&[("retention.ms", " 05 "), ("cleanup.policy", " compact , delete")]);
    let config = broker.topic_config(&own, Before::default()).unwrap();
    let topic = broker.resolve_topic(&own, &config);
    let (value, source, synonyms) = described(&topic, "retention.ms");
    assert_eq!((value.as_deref(), source), (Some("5"), Source::Topic));
    let expected = [
        ("retention.ms", "5".to_owned(), Source::Topic),
        ("log.retention.ms", "9".to_owned(), Source::StaticBroker),
        ("log.retention.hours", "2".to_owned(), Source::StaticBroker),
        ("log.retention.hours", "168".to_owned(), Source::Default),
    ];
    assert_eq!(synonyms, expected);
    assert_eq!(described(&topic, "cleanup.policy").0.as_deref(), Some("compact,delete"));
    assert_eq!(described(&topic, "remote.storage.enable"), (Some("false".to_owned()), Source::Default, Vec::new()));

    let hours = BrokerSettings::new(map(&[("log.retention.hours", "2")])).unwrap();
    let config = hours.topic_config(&map(&[]), Before::default()).unwrap();
    let (value, source, synonyms) = described(&hours.resolve_topic(&map(&[]), &config), "retention.ms");
    assert_eq!((value.as_deref(), source, synonyms.len()), (Some("7200000"), Source::Default, 0), "as Kafka");
    assert_eq!(described(&hours.resolve_broker(), "log.retention.ms"), (None, Source::Default, Vec::new()));
    let topic = hours.resolve_topic(&map(&[]), &config);
    assert_eq!(described(&topic, "local.retention.ms").0.as_deref(), Some("7200000"), "a day, or the total if less");
    assert_eq!(described(&topic, "remote.storage.enable").0.as_deref(), Some("true"));
}

#[test]
fn what_is_set_while_the_broker_runs_counts_first() {
    let start = BrokerSettings::new(map(&[("message.max.bytes", "100")])).unwrap();
    let dynamic = DynamicSettings {
        broker: map(&[("message.max.bytes", "300")]),
        default: map(&[("message.max.bytes", "200"), ("log.cleanup.policy", "compact")]),
    };
    let now = start.with_dynamic(dynamic).unwrap();
    let config = now.topic_config(&map(&[]), Before::default()).unwrap();
    assert_eq!(config.message.max_bytes, 300);
    assert!(config.cleanup.compact);
    let (value, source, synonyms) = described(&now.resolve_topic(&map(&[]), &config), "max.message.bytes");
    assert_eq!((value.as_deref(), source), (Some("300"), Source::DynamicBroker));
    let sources: Vec<_> = synonyms.iter().map(|(_, value, source)| (value.as_str(), *source)).collect();
    let expected = [
        ("300", Source::DynamicBroker),
        ("200", Source::DynamicDefault),
        ("100", Source::StaticBroker),
        ("1048588", Source::Default),
    ];
    assert_eq!(sources, expected);
    let defaults = now.resolve_defaults();
    assert_eq!(defaults.iter().map(|one| one.name).collect::<Vec<_>>(), ["log.cleanup.policy", "message.max.bytes"]);
    assert_eq!(described(&defaults, "message.max.bytes").0.as_deref(), Some("200"));
    let bad = DynamicSettings { broker: map(&[("message.max.bytes", "x")]), ..DynamicSettings::default() };
    assert!(start.with_dynamic(bad).is_err());
    assert!(BrokerSettings::is_dynamic("log.retention.ms") && !BrokerSettings::is_dynamic("log.retention.hours"));
    assert!(!BrokerSettings::is_dynamic("num.partitions") && !BrokerSettings::is_dynamic("no.such"));
}

#[test]
fn values_are_checked_and_printed_as_kafka_does() {
    let error = |overrides: &[(&str, &str)]| config(overrides).unwrap_err();
    assert_eq!(error(&[("cleanup.policy", ",")]), "Configuration 'cleanup.policy' values must not be empty.");
    let policy = "String must be one of: compact, delete";
    assert_eq!(
        error(&[("cleanup.policy", "compact,foo")]),
        format!("Invalid value foo for configuration cleanup.policy: {policy}")
    );
    assert!(config(&[("cleanup.policy", "")]).is_ok());
    assert_eq!(
        error(&[("min.cleanable.dirty.ratio", "2")]),
        "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"
    );
    assert_eq!(
        error(&[("compression.gzip.level", "0")]),
        "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"
    );
    assert!(error(&[("leader.replication.throttled.replicas", "zz")]).starts_with("Invalid value [zz] for"));
    assert!(config(&[("leader.replication.throttled.replicas", "0:1, 1:2")]).is_ok());
    assert_eq!(
        error(&[("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")]),
        "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"
    );
    assert_eq!(error(&[("retention.ms", "x"), ("unknown", "1")]), "Unknown topic config name: unknown");
}

#[test]
fn lists_are_appended_to_and_subtracted_from() {
    assert_eq!(appended("delete", "compact,delete"), "delete,compact");
    assert_eq!(subtracted("delete, compact", "compact"), "delete");
    assert_eq!(subtracted("delete,compact", " compact "), "delete,compact");
    assert_eq!(appended("", "compact"), "compact");
}
