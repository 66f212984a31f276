//! What differs from Kafka on purpose: one list, each row with its reason.
//!
//! A row that explains nothing any more fails the suite, so the list never says more than is true.

use super::compare::Difference;

/// What one of the brokers has at a place.
#[derive(Debug, Clone, Copy)]
pub enum Has {
    /// Whatever it is, or nothing.
    Anything,
    /// The field, the element or the answer is not there.
    Nothing,
    /// A text, not null.
    Words,
    /// This, as JSON.
    Exactly(&'static str),
}

impl Has {
    fn holds(self, leaf: Option<&str>) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => leaf.is_none(),
            Self::Words => leaf.is_some_and(|leaf| leaf.starts_with('"') && leaf.len() > 2),
            Self::Exactly(json) => leaf == Some(json),
        }
    }
}

/// A difference on purpose.
#[derive(Debug)]
pub struct Row {
    api: &'static str,
    /// Which cases and steps; `*` stands for any text.
    place: &'static str,
    min_version: i16,
    max_version: i16,
    /// Which fields; `*` stands for any text.
    path: &'static str,
    kafka: Has,
    ours: Has,
    pub reason: &'static str,
}

impl Row {
    const fn at(mut self, place: &'static str) -> Self {
        self.place = place;
        self
    }

    const fn versions(mut self, min: i16, max: i16) -> Self {
        self.min_version = min;
        self.max_version = max;
        self
    }

    /// Whether this row is the reason.
    pub fn explains(&self, difference: &Difference) -> bool {
        glob(self.api, &difference.api)
            && glob(self.place, &difference.place)
            && (self.min_version..=self.max_version).contains(&difference.version)
            && glob(self.path, &difference.path)
            && self.kafka.holds(difference.kafka.as_deref())
            && self.ours.holds(difference.ours.as_deref())
    }

    /// As a line of a report.
    pub fn title(&self) -> String {
        format!("{} {} at '{}'", self.api, self.path, self.place)
    }
}

/// In every case and version, until said otherwise.
const fn row(api: &'static str, path: &'static str, kafka: Has, ours: Has, reason: &'static str) -> Row {
    Row { api, place: "*", min_version: 0, max_version: i16::MAX, path, kafka, ours, reason }
}

/// Whether a text fits a pattern in which `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            match rest.find(middle) {
                Some(at) => rest = &rest[at + str::len(middle)..],
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |end: &str| rest.ends_with(end))
}

/// An API that Kafka serves and Tidelog does not.
const fn unserved(path: &'static str, reason: &'static str) -> Row {
    row("ApiVersions", path, Anything, Nothing, reason)
}

use Has::{Anything, Exactly, Nothing, Words};

/// The list.
pub const ON_PURPOSE: &[Row] = &[
    unserved("apiKeys[17]", "authentication comes with an issue of its own"),
    unserved("apiKeys[24]", "transactions come with an issue of their own"),
    unserved("apiKeys[25]", "transactions come with an issue of their own"),
    unserved("apiKeys[26]", "transactions come with an issue of their own"),
    unserved("apiKeys[27]", "transactions come with an issue of their own"),
    unserved("apiKeys[28]", "transactions come with an issue of their own"),
    unserved("apiKeys[29]", "access control comes with an issue of its own"),
    unserved("apiKeys[30]", "access control comes with an issue of its own"),
    unserved("apiKeys[31]", "access control comes with an issue of its own"),
    unserved("apiKeys[34]", "a cluster of one has nothing to move, elect or vote"),
    unserved("apiKeys[36]", "authentication comes with an issue of its own"),
    unserved("apiKeys[38]", "delegation tokens belong to authentication"),
    unserved("apiKeys[39]", "delegation tokens belong to authentication"),
    unserved("apiKeys[40]", "delegation tokens belong to authentication"),
    unserved("apiKeys[41]", "delegation tokens belong to authentication"),
    unserved("apiKeys[43]", "a cluster of one has nothing to move, elect or vote"),
    unserved("apiKeys[45]", "a cluster of one has nothing to move, elect or vote"),
    unserved("apiKeys[46]", "a cluster of one has nothing to move, elect or vote"),
    unserved("apiKeys[48]", "quotas come with an issue of their own"),
    unserved("apiKeys[49]", "quotas come with an issue of their own"),
    unserved("apiKeys[50]", "authentication comes with an issue of its own"),
    unserved("apiKeys[51]", "authentication comes with an issue of its own"),
    unserved("apiKeys[55]", "a cluster of one has nothing to move, elect or vote"),
    unserved("apiKeys[57]", "a cluster of one has nothing to move, elect or vote"),
    unserved("apiKeys[64]", "a cluster of one has nothing to move, elect or vote"),
    unserved("apiKeys[65]", "transactions come with an issue of their own"),
    unserved("apiKeys[66]", "transactions come with an issue of their own"),
    unserved("apiKeys[68]", "the new group types come with an issue of their own"),
    unserved("apiKeys[69]", "the new group types come with an issue of their own"),
    unserved("apiKeys[74]", "settings of groups and telemetry, which this lists, are not kept"),
    unserved("apiKeys[76]", "the new group types come with an issue of their own"),
    unserved("apiKeys[77]", "the new group types come with an issue of their own"),
    unserved("apiKeys[78]", "the new group types come with an issue of their own"),
    unserved("apiKeys[79]", "the new group types come with an issue of their own"),
    unserved("apiKeys[80]", "a cluster of one has nothing to move, elect or vote"),
    unserved("apiKeys[81]", "a cluster of one has nothing to move, elect or vote"),
    unserved("apiKeys[83]", "the new group types come with an issue of their own"),
    unserved("apiKeys[84]", "the new group types come with an issue of their own"),
    unserved("apiKeys[85]", "the new group types come with an issue of their own"),
    unserved("apiKeys[86]", "the new group types come with an issue of their own"),
    unserved("apiKeys[87]", "the new group types come with an issue of their own"),
    unserved("apiKeys[88]", "the new group types come with an issue of their own"),
    unserved("apiKeys[89]", "the new group types come with an issue of their own"),
    unserved("apiKeys[90]", "the new group types come with an issue of their own"),
    unserved("apiKeys[91]", "the new group types come with an issue of their own"),
    unserved("apiKeys[92]", "the new group types come with an issue of their own"),
    row("ApiVersions", "apiKeys[2].maxVersion", Exactly("11"), Exactly("10"), "the wire crate ends at 10"),
    row("ApiVersions", "apiKeys[35].maxVersion", Exactly("5"), Exactly("4"), "the wire crate ends at 4"),
    // The three defaults that differ, and settings that Kafka lacks.
    row(
        "*",
        "*configs[local.retention.ms].value",
        Exactly(r#""-2""#),
        Exactly(r#""86400000""#),
        "a day is kept locally",
    ),
    row("*", "*configs[remote.storage.enable].value", Exactly(r#""false""#), Exactly(r#""true""#), "topics are tiered"),
    row("*", "*configs[tidelog.*]", Nothing, Anything, "a setting that Kafka lacks"),
    // Where Kafka does not know what went wrong.
    row("CreatePartitions", "*.errorCode", Exactly("-1"), Exactly("44"), "a bound is named, not an unknown error")
        .at("create_partitions-counts: more than one request may make"),
    row("CreatePartitions", "*.errorMessage", Exactly("null"), Words, "a bound is named, not an unknown error")
        .at("create_partitions-counts: more than one request may make"),
    row("DescribeTopicPartitions", "*.errorCode", Exactly("-1"), Exactly("17"), "the name is what is wrong")
        .at("describe_topic_partitions-named: ''")
        .versions(0, 0),
];
