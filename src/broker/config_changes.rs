//! What AlterConfigs and IncrementalAlterConfigs make of the settings of a topic or a broker. Pure; words and order of the
//! checks are Kafka's.

use std::collections::BTreeSet;

use crate::model::settings::{Kind, Values, appended, subtracted};

/// What happens to one setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigOperation {
    /// It gets the value.
    Set,
    /// Nobody has set it.
    Delete,
    /// A list gets more items.
    Append,
    /// A list loses items.
    Subtract,
}

/// A change of one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// Which.
    pub name: String,
    /// How.
    pub operation: ConfigOperation,
    /// With what.
    pub value: Option<String>,
}

/// Changes of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigChanges {
    /// Only these.
    Some(Vec<ConfigChange>),
    /// These values, and no others.
    All(Vec<(String, Option<String>)>),
}

/// Changes that cannot be meant. The text is what clients are shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadChanges {
    /// One setting twice.
    #[error("Error due to duplicate config keys")]
    Duplicate,
    /// Values that are not there.
    #[error("Null value not supported for : {0}")]
    Null(String),
    /// What is not a list has no items.
    #[error("Can't {operation} to key {name} because its type is not LIST.")]
    NotAList {
        /// `APPEND` or `SUBTRACT`.
        operation: &'static str,
        /// Which setting.
        name: String,
    },
}

impl ConfigChanges {
    /// These settings get these values.
    pub fn set<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let change = |(name, value): (&str, &str)| ConfigChange {
            name: name.to_owned(),
            operation: ConfigOperation::Set,
            value: Some(value.to_owned()),
        };
        Self::Some(values.into_iter().map(change).collect())
    }

    /// Whether they can be meant at all, whatever they are about.
    pub fn check(&self) -> Result<(), BadChanges> {
        let (names, nulls): (Vec<&str>, Vec<&str>) = match self {
            Self::Some(changes) => {
                let is_null =
                    |change: &&ConfigChange| change.value.is_none() && change.operation != ConfigOperation::Delete;
                let nulls = changes.iter().filter(is_null).map(|change| change.name.as_str());
                (changes.iter().map(|change| change.name.as_str()).collect(), nulls.collect())
            }
            Self::All(values) => {
                let nulls = values.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str());
                (values.iter().map(|(name, _)| name.as_str()).collect(), nulls.collect())
            }
        };
        if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
            return Err(BadChanges::Duplicate);
        }
        if nulls.is_empty() { Ok(()) } else { Err(BadChanges::Null(nulls.join(", "))) }
    }

    /// What they make of the values that are set `now`. `kind` knows the settings, `effective` the value of one that is
    /// not set.
    pub fn applied(
        &self,
        now: &Values,
        kind: impl Fn(&str) -> Option<Kind>,
        effective: impl Fn(&str) -> String,
    ) -> Result<Values, BadChanges> {
        let changes = match self {
            Self::All(values) => {
                return Ok(values.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect());
            }
            Self::Some(changes) => changes,
        };
        let mut after = now.clone();
        for ConfigChange { name, operation, value } in changes {
            let value = value.clone().unwrap_or_default();
            let list = |operation| match kind(name) {
                Some(Kind::List) => Ok(now.get(name).cloned().unwrap_or_else(|| effective(name))),
                _ => Err(BadChanges::NotAList { operation, name: name.clone() }),
            };
            let value = match operation {
                ConfigOperation::Delete => {
                    after.remove(name);
                    continue;
                }
                ConfigOperation::Set => value,
                ConfigOperation::Append => appended(&list("APPEND")?, &value),
                ConfigOperation::Subtract => subtracted(&list("SUBTRACT")?, &value),
            };
            after.insert(name.clone(), value);
        }
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConfigOperation::{Append, Delete, Set, Subtract};

    fn changes(changes: &[(&str, ConfigOperation, Option<&str>)]) -> ConfigChanges {
        let change = |(name, operation, value): &(&str, ConfigOperation, Option<&str>)| ConfigChange {
            name: (*name).to_owned(),
            operation: *operation,
            value: value.map(str::to_owned),
        };
        ConfigChanges::Some(changes.iter().map(change).collect())
    }

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn applied(now: &[(&str, &str)], changed: &[(&str, ConfigOperation, Option<&str>)]) -> Result<Values, BadChanges> {
        let kind = |name: &str| Some(if name == "list" { Kind::List } else { Kind::Int });
        changes(changed).applied(&values(now), kind, |_| "default".to_owned())
    }

    #[test]
    fn each_operation_does_what_kafkas_does() {
        let now = [("a", "1"), ("list", "x,y")];
        assert_eq!(applied(&now, &[("a", Set, Some("2"))]).unwrap(), values(&[("a", "2"), ("list", "x,y")]));
        let gone = applied(&now, &[("a", Delete, None), ("none", Delete, Some("5"))]).unwrap();
        assert_eq!(gone, values(&[("list", "x,y")]));
        assert_eq!(applied(&now, &[("list", Append, Some("y,z"))]).unwrap()["list"], "x,y,z");
        assert_eq!(applied(&[], &[("list", Append, Some("z"))]).unwrap()["list"], "default,z");
        assert_eq!(applied(&now, &[("list", Subtract, Some("x,y,q"))]).unwrap()["list"], "");
        let error = applied(&now, &[("a", Append, Some("1"))]).unwrap_err().to_string();
        assert_eq!(error, "Can't APPEND to key a because its type is not LIST.");
    }

    #[test]
    fn all_values_replace_all_values() {
        let all = ConfigChanges::All(vec![("b".to_owned(), Some("2".to_owned()))]);
        let now = values(&[("a", "1")]);
        assert_eq!(all.applied(&now, |_| None, |_| String::new()).unwrap(), values(&[("b", "2")]));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_in_kafkas_words() {
        assert_eq!(changes(&[("a", Set, Some("1")), ("a", Delete, None)]).check(), Err(BadChanges::Duplicate));
        let nulls = changes(&[("a", Set, None), ("b", Append, None), ("c", Delete, None)]).check().unwrap_err();
        assert_eq!(nulls.to_string(), "Null value not supported for : a, b");
        assert!(ConfigChanges::All(vec![("a".to_owned(), None)]).check().is_err());
        assert_eq!(changes(&[("a", Set, Some("1")), ("c", Delete, None)]).check(), Ok(()));
    }
}
