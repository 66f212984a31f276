//! Several sources made one: what a flag says counts before what the environment says, that before the file, that before
//! the default.
//!
//! Kafka has several names for some things (`log.retention.hours`, `.minutes`, `.ms`; `log.dir`, `log.dirs`; `broker.id`,
//! `node.id`). Within one source its own order decides; between sources the source does, so that
//! `--set log.retention.hours=1` is not silently overruled by a `log.retention.ms` in the file.

use std::collections::BTreeMap;

use crate::model::settings::{BrokerSettings, InvalidSetting, TOPIC_SETTINGS};

use super::error::ConfigError;
use super::names::{Standing, judge};
use super::origin::{Assignment, Origin, Value};
use super::places::is_place;

/// Names that have an heir: what is set under the first counts as set under the second.
const HEIRS: &[(&str, &str)] = &[("broker.id", "node.id"), ("log.dir", "log.dirs")];

/// What each source says.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The settings file.
    pub file: Vec<Assignment>,
    /// Environment variables.
    pub environment: Vec<Assignment>,
    /// The command line.
    pub flags: Vec<Assignment>,
}

/// All sources as one.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    values: BTreeMap<String, Value>,
    unused: BTreeMap<String, Value>,
    repeated: Vec<Repeated>,
}

/// A name that the file gives twice, and where.
pub type Repeated = (String, Origin, Origin);

impl Layers {
    /// Checks names, and decides between the sources.
    pub fn merge(self) -> Result<Merged, ConfigError> {
        let mut merged = Merged::default();
        for layer in [self.file, self.environment, self.flags] {
            let layer = one_layer(layer, &mut merged.repeated)?;
            merged.lay_over(layer)?;
        }
        Ok(merged)
    }
}

/// One source without repetitions.
fn one_layer(
    assignments: Vec<Assignment>,
    repeated: &mut Vec<Repeated>,
) -> Result<BTreeMap<String, Value>, ConfigError> {
    let mut layer: BTreeMap<String, Value> = BTreeMap::new();
    for Assignment { name, value, origin } in assignments {
        // A flag of its own and --set may both name one setting; within one of them the last counts.
        let is_file = matches!(origin, Origin::File { .. });
        if let Some(before) =
            layer.get(&name).filter(|before| !is_file && before.origin != origin && before.text != value)
        {
            let second = Box::new(Value { text: value, origin });
            return Err(ConfigError::Contradiction { name, first: Box::new(before.clone()), second });
        }
        if let Some(before) = layer.get(&name).filter(|_| is_file) {
            repeated.push((name.clone(), before.origin.clone(), origin.clone()));
        }
        layer.insert(name, Value { text: value, origin });
    }
    for (name, heir) in HEIRS {
        if let Some(value) = layer.remove(*name)
            && value.text != "-1"
        {
            layer.entry((*heir).to_owned()).or_insert(value);
        }
    }
    Ok(layer)
}

impl Merged {
    fn lay_over(&mut self, layer: BTreeMap<String, Value>) -> Result<(), ConfigError> {
        for name in layer.keys() {
            for other in units_of(name).filter(|other| *other != name) {
                self.values.remove(other);
            }
        }
        let mut wrong: Vec<ConfigError> = Vec::new();
        for (name, value) in layer {
            match judge(&name, &value.origin) {
                Ok(Standing::Ours) => {
                    self.values.insert(name, value);
                }
                Ok(Standing::Unused) => {
                    self.unused.insert(name, value);
                }
                Err(error) => wrong.push(error),
            }
        }
        // A file is read from its top.
        wrong.into_iter().min_by_key(ConfigError::line).map_or(Ok(()), Err)
    }

    /// What was set, and where.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// What was set for one of Kafka's names that means nothing here.
    pub fn get_unused(&self, name: &str) -> Option<&str> {
        self.unused.get(name).map(|value| value.text.as_str())
    }

    /// Kafka's names without a meaning here.
    pub fn unused(&self) -> impl Iterator<Item = &str> {
        self.unused.keys().map(String::as_str)
    }

    /// Names that the file gives more than once.
    pub fn repeated(&self) -> &[Repeated] {
        &self.repeated
    }

    /// The error over a value that cannot be used.
    pub(super) fn unfit(&self, name: &'static str, reason: String) -> ConfigError {
        let value = self.get(name).map(|value| value.text.clone()).unwrap_or_default();
        ConfigError::Unfit { origin: self.origin(name), name, value, reason }
    }

    /// Where a setting's value came from.
    pub fn origin(&self, name: &str) -> Origin {
        self.get(name).map_or(Origin::Default, |value| value.origin.clone())
    }

    /// What the rooms below are told.
    pub fn broker_settings(&self) -> Result<BrokerSettings, ConfigError> {
        let set = self.values.iter().filter(|(name, _)| !is_place(name));
        let set: BTreeMap<String, String> = set.map(|(name, value)| (name.clone(), value.text.clone())).collect();
        let settings = BrokerSettings::new(set).map_err(|source| {
            let InvalidSetting::Value { name, .. } = &source else { return ConfigError::Together(source) };
            let origin = self.origin(name);
            self.first_invalid().unwrap_or(ConfigError::Invalid { origin, source })
        })?;
        // What topics get that set nothing must stand by itself.
        settings.topic_config(&BTreeMap::new(), Default::default())?;
        Ok(settings)
    }
}

impl Merged {
    /// The first value that is wrong by itself: a file is read from its top.
    fn first_invalid(&self) -> Option<ConfigError> {
        let own = self.values.iter().filter(|(name, _)| !is_place(name));
        let invalid = own.filter_map(|(name, value)| {
            let alone = BTreeMap::from([(name.clone(), value.text.clone())]);
            let source = BrokerSettings::new(alone).err()?;
            let of_value = matches!(source, InvalidSetting::Value { .. });
            of_value.then(|| ConfigError::Invalid { origin: value.origin.clone(), source })
        });
        invalid.min_by_key(ConfigError::line)
    }
}

/// The names that set one thing in different units, this one included.
fn units_of(name: &str) -> impl Iterator<Item = &'static str> {
    let family = TOPIC_SETTINGS
        .iter()
        .map(|setting| setting.broker)
        .find(|broker| broker.iter().any(|(other, _)| *other == name))
        .filter(|broker| broker.iter().any(|(_, factor)| *factor != 1));
    family.into_iter().flatten().map(|(name, _)| *name)
}
