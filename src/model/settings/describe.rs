//! Every setting with its value, where the value comes from, and from where else it could: what DescribeConfigs tells.
//!
//! As in Kafka, a topic's setting is told to come from the *first* of the broker's settings that stand behind it, and
//! nothing is told of the others while that one is not set: `retention.ms` of a broker with `log.retention.hours` is a
//! default without synonyms. No setting here is a secret.

use super::broker_table::{BROKER_SETTINGS, broker_setting};
use super::effective::LOCAL_RETENTION_MS;
use super::kind::{Kind, canonical};
use super::resolve::{BrokerSettings, Values, kind_behind};
use super::topic_table::{TOPIC_SETTINGS, TopicSetting, behind_topic};
use crate::model::topic_config::TopicConfig;

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Set for the topic.
    Topic,
    /// Set for this broker while it ran.
    DynamicBroker,
    /// Set for every broker while they ran.
    DynamicDefault,
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
    /// The value; none where nobody sets it and it has no default of its own.
    pub value: Option<String>,
    /// Where it came from.
    pub source: Source,
    /// All names that it could have come from, the one that counts first.
    pub synonyms: Vec<Synonym>,
    /// Whether only a restart changes it.
    pub read_only: bool,
    /// What it means.
    pub doc: &'static str,
}

impl BrokerSettings {
    /// All of the broker's settings as they are in effect, by name.
    pub fn resolve_broker(&self) -> Vec<Resolved> {
        let own = BROKER_SETTINGS.iter().map(|setting| setting.name);
        let behind = TOPIC_SETTINGS.iter().flat_map(|setting| setting.broker.iter().map(|(name, _)| *name));
        let mut all: Vec<Resolved> = own.chain(behind).filter_map(|name| self.resolve_one(name)).collect();
        all.sort_by_key(|resolved| resolved.name);
        all
    }

    /// What was set for every broker while they ran, by name.
    pub fn resolve_defaults(&self) -> Vec<Resolved> {
        let told = self.dynamic.default.keys().filter_map(|name| {
            let mut resolved = self.resolve_one(name)?;
            resolved.synonyms.retain(|synonym| synonym.source == Source::DynamicDefault);
            resolved.value = self.dynamic.default.get(name).map(|value| canonical(resolved.kind, value));
            resolved.source = Source::DynamicDefault;
            Some(resolved)
        });
        told.collect()
    }

    fn resolve_one(&self, name: &str) -> Option<Resolved> {
        let (name, kind, doc, synonyms) = match broker_setting(name) {
            Some(setting) => (setting.name, setting.kind, setting.doc, self.synonyms(setting.name, &[])),
            None => {
                let (setting, factor) = behind_topic(name)?;
                let (name, _) = setting.broker.iter().find(|(behind, _)| *behind == name)?;
                (*name, kind_behind((setting, factor)), setting.doc, self.synonyms(name, setting.broker))
            }
        };
        Some(Resolved {
            name,
            kind,
            value: self.get(name).map(|value| canonical(kind, value)).or_else(|| default_of(name)),
            source: synonyms.first().map_or(Source::Default, |first| first.source),
            synonyms,
            read_only: !Self::is_dynamic(name),
            doc,
        })
    }

    /// Where `name` could get its value: from itself and those that stand behind it, `family` in order.
    fn synonyms(&self, name: &'static str, family: &[(&'static str, i64)]) -> Vec<Synonym> {
        let own = [(name, 1)];
        let family = if family.is_empty() { &own } else { family };
        let mut all = Vec::new();
        let layers = [
            (&self.dynamic.broker, Source::DynamicBroker),
            (&self.dynamic.default, Source::DynamicDefault),
            (&self.set, Source::StaticBroker),
        ];
        for (layer, source) in layers {
            for (name, _) in family {
                all.extend(layer.get(*name).map(|value| Synonym { name, value: value.clone(), source }));
            }
        }
        for (name, _) in family {
            all.extend(default_of(name).map(|value| Synonym { name, value, source: Source::Default }));
        }
        all.into_iter().skip_while(|synonym| synonym.name != name).collect()
    }

    /// All settings of a topic with these overrides, which make `config`, as they are in effect.
    pub fn resolve_topic(&self, overrides: &Values, config: &TopicConfig) -> Vec<Resolved> {
        TOPIC_SETTINGS.iter().map(|setting| self.resolve(setting, overrides, config)).collect()
    }

    fn resolve(&self, setting: &'static TopicSetting, overrides: &Values, config: &TopicConfig) -> Resolved {
        let value = canonical(setting.kind, &self.topic_value(setting, overrides));
        let own = overrides.contains_key(setting.name);
        let mut synonyms = Vec::new();
        if own {
            synonyms.push(Synonym { name: setting.name, value: value.clone(), source: Source::Topic });
        }
        if let Some((first, _)) = setting.broker.first() {
            synonyms.extend(self.synonyms(first, setting.broker));
        }
        let default = (!self.is_topic_value_set(setting, overrides)).then(|| judged(setting.name, config)).flatten();
        Resolved {
            name: setting.name,
            kind: setting.kind,
            value: Some(default.unwrap_or(value)),
            source: synonyms.first().map_or(Source::Default, |first| first.source),
            synonyms,
            read_only: false,
            doc: setting.doc,
        }
    }
}

/// What the broker's setting of that name is when nobody says otherwise.
fn default_of(name: &str) -> Option<String> {
    match (broker_setting(name), name) {
        (Some(setting), _) => Some(setting.default.to_owned()).filter(|default| !default.is_empty()),
        (None, "log.local.retention.ms") => Some(LOCAL_RETENTION_MS.to_string()),
        (None, _) => behind_topic(name).and_then(|(setting, _)| setting.broker_default(name)),
    }
}

/// The two defaults that follow from other settings of the topic, as they are in effect.
fn judged(name: &str, config: &TopicConfig) -> Option<String> {
    match name {
        "remote.storage.enable" => Some(config.remote.enabled.to_string()),
        "local.retention.ms" if config.remote.enabled && !config.remote.copy_disabled => {
            config.retention.local_ms.map(|ms| ms.to_string())
        }
        _ => None,
    }
}
