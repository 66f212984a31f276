//! From what was set to what is in effect: the topic's own, then the broker's, then the default; and where each came
//! from, as DescribeConfigs tells it.

use std::collections::BTreeMap;

use super::broker_table::{BROKER_SETTINGS, broker_setting};
use super::kind::{self, InvalidSetting, Kind, items};
use super::topic_table::{TOPIC_SETTINGS, TopicSetting, topic_setting};

/// Where a value came from. The numbers are DescribeConfigs' own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Set for the topic.
    Topic,
    /// Set for the broker, by flag, environment or file.
    StaticBroker,
    /// Set by nobody.
    Default,
}

/// One name that a value could have come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    /// The name.
    pub name: &'static str,
    /// The value there.
    pub value: String,
    /// Where it stands.
    pub source: Source,
}

/// One setting as it is in effect.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The value.
    pub value: String,
    /// Where it came from.
    pub source: Source,
    /// All names that it could have come from, the one that counts first.
    pub synonyms: Vec<Synonym>,
    /// What it means.
    pub doc: &'static str,
}

/// What was set for the broker; everything else is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerSettings {
    set: BTreeMap<String, String>,
}

impl BrokerSettings {
    /// Checks every value. Names that are not known are the caller's business.
    pub fn new(set: BTreeMap<String, String>) -> Result<Self, InvalidSetting> {
        for (name, value) in &set {
            check_broker(name, value)?;
        }
        Ok(Self { set })
    }

    /// Whether a broker setting of that name means something.
    pub fn knows(name: &str) -> bool {
        broker_setting(name).is_some() || behind_topic(name).is_some()
    }

    /// All names that mean something.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let behind = TOPIC_SETTINGS.iter().flat_map(|setting| setting.broker.iter().map(|(name, _)| *name));
        BROKER_SETTINGS.iter().map(|setting| setting.name).chain(behind)
    }

    /// What was set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.set.get(name).map(String::as_str)
    }

    /// What is in effect, as text.
    pub fn text(&self, name: &'static str) -> &str {
        self.get(name).unwrap_or_else(|| broker_setting(name).map_or("", |setting| setting.default))
    }

    /// What is in effect, as a number.
    pub fn number(&self, name: &'static str) -> i64 {
        self.text(name).trim().parse().expect("checked when it was set; a test parses every default")
    }

    /// What is in effect, as a count.
    pub fn count(&self, name: &'static str) -> usize {
        usize::try_from(self.number(name)).unwrap_or(0)
    }

    /// What is in effect, as a switch.
    pub fn switch(&self, name: &'static str) -> bool {
        self.text(name).trim().eq_ignore_ascii_case("true")
    }

    /// All of the broker's settings as they are in effect.
    pub fn resolve_broker(&self) -> Vec<Resolved> {
        let mut all: Vec<Resolved> = BROKER_SETTINGS
            .iter()
            .map(|setting| self.resolved(setting.name, setting.kind, setting.default, setting.doc))
            .collect();
        for setting in TOPIC_SETTINGS {
            for (name, factor) in setting.broker {
                let default = if *factor == 1 { setting.default } else { "" };
                all.push(self.resolved(name, setting.kind, default, setting.doc));
            }
        }
        all.sort_by_key(|resolved| resolved.name);
        all
    }

    fn resolved(&self, name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Resolved {
        let mut synonyms = Vec::new();
        if let Some(value) = self.get(name) {
            synonyms.push(Synonym { name, value: value.to_owned(), source: Source::StaticBroker });
        }
        synonyms.push(Synonym { name, value: default.to_owned(), source: Source::Default });
        first_of(name, kind, doc, synonyms)
    }

    /// All settings of a topic with these overrides, as they are in effect.
    pub fn resolve_topic(&self, overrides: &BTreeMap<String, String>) -> Vec<Resolved> {
        TOPIC_SETTINGS.iter().map(|setting| self.resolve(setting, overrides)).collect()
    }

    pub(super) fn resolve(&self, setting: &'static TopicSetting, overrides: &BTreeMap<String, String>) -> Resolved {
        let mut synonyms = Vec::new();
        if let Some(value) = overrides.get(setting.name) {
            synonyms.push(Synonym { name: setting.name, value: value.clone(), source: Source::Topic });
        }
        for (name, factor) in setting.broker {
            if let Some(value) = self.get(name) {
                synonyms.push(Synonym { name, value: scaled(value, *factor), source: Source::StaticBroker });
            }
        }
        let default_name = setting.broker.first().map_or(setting.name, |(name, _)| name);
        synonyms.push(Synonym { name: default_name, value: setting.default.to_owned(), source: Source::Default });
        first_of(setting.name, setting.kind, setting.doc, synonyms)
    }
}

fn first_of(name: &'static str, kind: Kind, doc: &'static str, synonyms: Vec<Synonym>) -> Resolved {
    let (value, source) = synonyms.first().map_or((String::new(), Source::Default), |s| (s.value.clone(), s.source));
    Resolved { name, kind, value, source, synonyms, doc }
}

/// Hours and minutes become milliseconds; what is negative stays as it is.
fn scaled(value: &str, factor: i64) -> String {
    match value.trim().parse::<i64>() {
        Ok(number) if factor != 1 && number > 0 => number.saturating_mul(factor).to_string(),
        _ => value.to_owned(),
    }
}

fn behind_topic(name: &str) -> Option<(&'static TopicSetting, i64)> {
    TOPIC_SETTINGS.iter().find_map(|setting| {
        setting.broker.iter().find(|(broker, _)| *broker == name).map(|(_, factor)| (setting, *factor))
    })
}

fn check_broker(name: &str, value: &str) -> Result<(), InvalidSetting> {
    if let Some(setting) = broker_setting(name) {
        return kind::check(name, value, setting.kind, setting.check);
    }
    match behind_topic(name) {
        Some((setting, 1)) => kind::check(name, value, setting.kind, setting.check),
        Some((_, _)) => kind::check(name, value, Kind::Int, kind::Check::Any),
        None => Ok(()),
    }
}

/// Checks each override by itself.
pub(super) fn check_overrides(overrides: &BTreeMap<String, String>) -> Result<(), InvalidSetting> {
    for (name, value) in overrides {
        let setting = topic_setting(name).ok_or_else(|| InvalidSetting::UnknownTopicSetting(name.clone()))?;
        kind::check(name, value, setting.kind, setting.check)?;
    }
    Ok(())
}

/// What IncrementalAlterConfigs' APPEND makes of a list.
pub fn appended(list: &str, more: &str) -> String {
    let mut all: Vec<&str> = items(list).collect();
    for item in items(more) {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    all.join(",")
}

/// What SUBTRACT makes of it.
pub fn subtracted(list: &str, less: &str) -> String {
    items(list).filter(|item| !items(less).any(|gone| gone == *item)).collect::<Vec<_>>().join(",")
}
