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

/// The list. No row yet: what the suite shows has still to be judged, difference by difference.
pub const ON_PURPOSE: &[Row] = &[];
