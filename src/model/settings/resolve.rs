//! From what was set to what is in effect: the topic's own, then what was set while the broker ran, for it or for every
//! broker, then what it was started with, then the default.

use std::collections::BTreeMap;

use super::broker_table::{BROKER_SETTINGS, broker_setting};
use super::kind::{self, Check, InvalidSetting, Kind, items};
use super::topic_table::{TOPIC_SETTINGS, TopicSetting, behind_topic, topic_setting};

/// Values by name.
pub type Values = BTreeMap<String, String>;

/// What was set while the broker ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DynamicSettings {
    /// For this broker.
    pub broker: Values,
    /// For every broker.
    pub default: Values,
}

/// What was set for the broker; everything else is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerSettings {
    pub(super) set: Values,
    pub(super) dynamic: DynamicSettings,
}

impl BrokerSettings {
    /// Checks every value. Names that are not known are the caller's business.
    pub fn new(set: Values) -> Result<Self, InvalidSetting> {
        for (name, value) in &set {
            check_broker(name, value)?;
        }
        Ok(Self { set, dynamic: DynamicSettings::default() })
    }

    /// The same start, with these values set since. Checks every value.
    pub fn with_dynamic(&self, dynamic: DynamicSettings) -> Result<Self, InvalidSetting> {
        for (name, value) in dynamic.broker.iter().chain(&dynamic.default) {
            check_broker(name, value)?;
        }
        Ok(Self { set: self.set.clone(), dynamic })
    }

    /// What was set while the broker ran.
    pub fn dynamic(&self) -> &DynamicSettings {
        &self.dynamic
    }

    /// Whether a broker setting of that name means something.
    pub fn knows(name: &str) -> bool {
        broker_setting(name).is_some() || behind_topic(name).is_some()
    }

    /// Whether a setting of that name may be changed while the broker runs. Of those that give topics their defaults,
    /// the first of each can, as in Kafka.
    pub fn is_dynamic(name: &str) -> bool {
        broker_setting(name).is_some_and(|setting| setting.dynamic)
            || behind_topic(name)
                .and_then(|(setting, _)| setting.broker.first())
                .is_some_and(|(first, _)| *first == name)
    }

    /// The kind of the setting of that name.
    pub fn kind(name: &str) -> Option<Kind> {
        broker_setting(name).map(|setting| setting.kind).or_else(|| behind_topic(name).map(kind_behind))
    }

    /// All names that mean something.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let behind = TOPIC_SETTINGS.iter().flat_map(|setting| setting.broker.iter().map(|(name, _)| *name));
        BROKER_SETTINGS.iter().map(|setting| setting.name).chain(behind)
    }

    /// What was set.
    pub fn get(&self, name: &str) -> Option<&str> {
        let layers = [&self.dynamic.broker, &self.dynamic.default, &self.set];
        layers.into_iter().find_map(|layer| layer.get(name)).map(String::as_str)
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

    /// What is in effect, as text; nothing where nobody sets it and it has no default of its own.
    pub fn effective(&self, name: &str) -> Option<String> {
        let default = || match broker_setting(name) {
            Some(setting) => Some(setting.default.to_owned()),
            None => behind_topic(name).and_then(|(setting, _)| setting.broker_default(name)),
        };
        self.get(name).map(str::to_owned).or_else(default)
    }

    /// What a topic with these overrides has, as text; nothing where there is no such setting.
    pub fn topic_text(&self, name: &str, overrides: &Values) -> String {
        topic_setting(name).map_or_else(String::new, |setting| self.topic_value(setting, overrides))
    }

    /// What a topic with these overrides has of a setting.
    pub(super) fn topic_value(&self, setting: &TopicSetting, overrides: &Values) -> String {
        let behind =
            || setting.broker.iter().find_map(|(name, factor)| self.get(name).map(|value| scaled(value, *factor)));
        overrides.get(setting.name).cloned().or_else(behind).unwrap_or_else(|| setting.default.to_owned())
    }

    /// Whether somebody sets it, for the topic or for the broker.
    pub(super) fn is_topic_value_set(&self, setting: &TopicSetting, overrides: &Values) -> bool {
        overrides.contains_key(setting.name) || setting.broker.iter().any(|(name, _)| self.get(name).is_some())
    }
}

/// Hours and minutes become milliseconds; what is negative stays as it is.
fn scaled(value: &str, factor: i64) -> String {
    match value.trim().parse::<i64>() {
        Ok(number) if factor != 1 && number > 0 => number.saturating_mul(factor).to_string(),
        _ => value.to_owned(),
    }
}

/// Hours and minutes are small numbers, whatever they become.
pub(super) fn kind_behind((setting, factor): (&'static TopicSetting, i64)) -> Kind {
    if factor == 1 { setting.kind } else { Kind::Int }
}

fn check_broker(name: &str, value: &str) -> Result<(), InvalidSetting> {
    if let Some(setting) = broker_setting(name) {
        return kind::check(name, value, setting.kind, setting.check);
    }
    match behind_topic(name) {
        Some((setting, 1)) => kind::check(name, value, setting.kind, setting.check),
        // Hours and minutes have the lower bound of what they become.
        Some((setting, _)) => {
            let check = match setting.check {
                Check::AtLeast(least) | Check::Between(least, _) => Check::AtLeast(least),
                _ => Check::Any,
            };
            kind::check(name, value, Kind::Int, check)
        }
        None => Ok(()),
    }
}

/// Checks each override by itself: first that there are such settings.
pub(super) fn check_overrides(overrides: &Values) -> Result<(), InvalidSetting> {
    let unknown = |name: &String| InvalidSetting::UnknownTopicSetting(name.clone());
    if let Some(name) = overrides.keys().find(|name| topic_setting(name).is_none()) {
        return Err(unknown(name));
    }
    for (name, value) in overrides {
        let setting = topic_setting(name).ok_or_else(|| unknown(name))?;
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

/// What SUBTRACT makes of it. As in Kafka, spaces belong to the items to be taken away, and then there are none such.
pub fn subtracted(list: &str, less: &str) -> String {
    items(list).filter(|item| !less.split(',').any(|gone| gone == *item)).collect::<Vec<_>>().join(",")
}
