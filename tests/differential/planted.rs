//! The suite's own test: a value that is changed by hand, before anything is replaced in the answer, has to be found.
//!
//! Another value of the same kind is planted: a number that is greater by one, a text with another last letter. What
//! differs between any two brokers cannot be found so; which fields that may be stands here, each with its reason, and a
//! field that is not on the list fails the suite, as does a line that nothing stands for any more.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::compare;
use super::differences::is_on_purpose;
use super::normal::Normal;
use super::transcript::Entry;

/// Values of one answer that are changed; comparing all of a long one for each of its values would take minutes. Others in
/// each answer, so that every field has its turn in one of them.
const PER_ANSWER: usize = 8;

/// Of ten thousand planted differences, so many may be such as a row of the list would let pass whatever they had become.
const EXCUSED_MAX: usize = 10;

/// Fields in which another value of the same kind says nothing, and why.
const BY_NATURE: &[(&str, &str)] = &[
    ("clusterId", "given by chance"),
    ("producerId", "given in turn; it counts from where it is first seen"),
    ("sessionId", "given by chance; it counts from where it is first seen"),
    ("timestamp", "the broker's clock"),
    ("logAppendTimeMs", "the broker's clock"),
    ("crc", "lies over what was replaced; whether it is right stands beside it"),
    ("logDir", "a folder of this machine"),
    ("totalBytes", "the disk of this machine"),
    ("usableBytes", "the disk of this machine"),
];

/// What planting has shown.
#[derive(Debug, Default)]
pub struct Found {
    /// Answers that were changed.
    answers: usize,
    /// Values that were changed.
    planted: usize,
    /// Of these, the ones that a row of the list would have let pass whatever they had become.
    excused: usize,
    /// Those that went unnoticed, by their field, with where the first was.
    unnoticed: BTreeMap<String, (usize, String)>,
}

impl Found {
    /// What is wrong with the suite. After a run of all cases every line of the list must stand for something.
    pub fn faults(&self, whole: bool) -> Vec<String> {
        let is_listed = |field: &str| BY_NATURE.iter().any(|(name, _)| *name == field);
        let mut faults: Vec<String> = self
            .unnoticed
            .iter()
            .filter(|(field, _)| !is_listed(field))
            .map(|(field, (count, first))| format!("{field} changed unnoticed {count} times, first in {first}"))
            .collect();
        if whole {
            let idle = BY_NATURE.iter().filter(|(name, _)| !self.unnoticed.contains_key(*name));
            faults.extend(
                idle.map(|(name, why)| format!("{name} ({why}) is on the list, and no change of it goes unnoticed")),
            );
        }
        if whole && self.excused * 10_000 > self.planted * EXCUSED_MAX {
            faults.push(format!(
                "the list would excuse {} of {} differences: its rows say too little",
                self.excused, self.planted
            ));
        }
        faults
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unnoticed: usize = self.unnoticed.values().map(|(count, _)| count).sum();
        let (planted, excused) = (self.planted, self.excused);
        write!(f, "planted {planted} differences: {unnoticed} are such by nature, the list would excuse {excused}")
    }
}

/// Changes values of an answer, one at a time, from its first to its last, and sees whether it is noticed. `normal` is as
/// it was before this answer.
pub fn each(found: &mut Found, raw: &Value, normal: &Normal, entry: impl Fn(Value) -> Entry) {
    let normalised = |raw: &Value| entry(normal.clone().tree("", raw));
    let right = normalised(raw);
    let fields = compare::fields(raw);
    let step = fields.div_ceil(PER_ANSWER).max(1);
    let first = found.answers % step;
    found.answers += 1;
    for leaf in (first..fields).step_by(step) {
        let mut changed = raw.clone();
        let mut field = String::new();
        change(&mut changed, "", &mut leaf.clone(), &mut field);
        let wrong = normalised(&changed);
        let differences = compare::transcripts(std::slice::from_ref(&right), std::slice::from_ref(&wrong));
        found.planted += 1;
        if differences.is_empty() {
            let first = format!("{} {} v{}", right.place, right.api, right.version);
            found.unnoticed.entry(field).or_insert((0, first)).0 += 1;
        } else {
            found.excused += usize::from(differences.iter().all(is_on_purpose));
        }
    }
}

/// Changes the leaf of that number, and says what it is called; counts it down on the way.
fn change(tree: &mut Value, key: &str, leaf: &mut usize, field: &mut String) {
    match tree {
        Value::Array(elements) if !elements.is_empty() => {
            elements.iter_mut().for_each(|one| change(one, key, leaf, field));
        }
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter_mut().for_each(|(name, one)| change(one, name, leaf, field));
        }
        _ => {
            if *leaf == 0 {
                *tree = another(tree);
                key.clone_into(field);
            }
            *leaf = leaf.wrapping_sub(1);
        }
    }
}

/// Another value of the same kind.
fn another(leaf: &Value) -> Value {
    match leaf {
        Value::Bool(value) => json!(!value),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| json!("planted"), |number| json!(number.wrapping_add(1)))
        }
        Value::String(text) => {
            let mut text = text.clone();
            let last = match text.pop() {
                Some('0') => '1',
                Some(digit) if digit.is_ascii_hexdigit() => '0',
                Some('x') => 'y',
                _ => 'x',
            };
            text.push(last);
            json!(text)
        }
        _ => json!("planted"),
    }
}
