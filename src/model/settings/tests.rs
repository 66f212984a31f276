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
    assert!(UNUSED_BROKER_SETTINGS.iter().all(|name| !BrokerSettings::knows(name)), "unused and used at once");
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
    let resolved = broker.resolve_topic(&map(&[("retention.ms", "5")]));
    let retention = resolved.iter().find(|resolved| resolved.name == "retention.ms").unwrap();
    assert_eq!((retention.value.as_str(), retention.source), ("5", Source::Topic));
    let sources: Vec<_> = retention.synonyms.iter().map(|synonym| (synonym.name, synonym.source)).collect();
    assert_eq!(
        sources,
        [
            ("retention.ms", Source::Topic),
            ("log.retention.minutes", Source::StaticBroker),
            ("log.retention.hours", Source::StaticBroker),
            ("log.retention.ms", Source::Default),
        ]
    );
    assert!(BrokerSettings::new(map(&[("num.partitions", "0")])).is_err());
}

#[test]
fn lists_are_appended_to_and_subtracted_from() {
    assert_eq!(appended("delete", "compact,delete"), "delete,compact");
    assert_eq!(subtracted("delete, compact", "compact"), "delete");
    assert_eq!(appended("", "compact"), "compact");
}
