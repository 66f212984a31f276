//! Two transcripts, field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::transcript::{Entry, Outcome};

/// Fields that say which element of an array this is; what order an array has, no client asks.
const IDENTITIES: &[&str] = &[
    "resourceType",
    "resourceName",
    "name",
    "topic",
    "topicName",
    "partition",
    "partitionIndex",
    "index",
    "apiKey",
    "groupId",
    "memberId",
    "key",
    "nodeId",
    "brokerId",
];

/// One field that differs.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The case, its step, the API and its version.
    pub place: String,
    pub api: String,
    pub version: i16,
    pub path: String,
    /// What each has there; `None` where it has nothing.
    pub kafka: Option<String>,
    pub ours: Option<String>,
    pub request: String,
}

/// Every difference between what two brokers answered.
pub fn transcripts(kafka: &[Entry], ours: &[Entry]) -> Vec<Difference> {
    let mut out = Vec::new();
    for at in 0..kafka.len().max(ours.len()) {
        match (kafka.get(at), ours.get(at)) {
            (Some(kafka), Some(ours)) if same_place(kafka, ours) => out.extend(entries(kafka, ours)),
            (kafka, ours) => {
                let title = |entry: Option<&Entry>| entry.map(|e| format!("{} {} v{}", e.place, e.api, e.version));
                let one = kafka.or(ours).expect("one of them goes on");
                out.push(Difference {
                    place: one.place.clone(),
                    api: one.api.clone(),
                    version: one.version,
                    path: "the request itself".to_owned(),
                    kafka: title(kafka),
                    ours: title(ours),
                    request: one.request.clone(),
                });
                // From here on nothing can be told.
                break;
            }
        }
    }
    out
}

fn same_place(a: &Entry, b: &Entry) -> bool {
    a.place == b.place && a.api == b.api && a.version == b.version
}

fn entries(kafka: &Entry, ours: &Entry) -> Vec<Difference> {
    let mut found = Vec::new();
    match (&kafka.outcome, &ours.outcome) {
        (Outcome::Answer(left), Outcome::Answer(right)) => trees(String::new(), Some(left), Some(right), &mut found),
        (left, right) if left == right => {}
        (left, right) => found.push(("the connection".to_owned(), Some(words(left)), Some(words(right)))),
    }
    found
        .into_iter()
        .map(|(path, left, right)| Difference {
            place: kafka.place.clone(),
            api: kafka.api.clone(),
            version: kafka.version,
            path,
            kafka: left,
            ours: right,
            request: kafka.request.clone(),
        })
        .collect()
}

fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answer(_) => "answers".to_owned(),
        Outcome::Other(words) => words.clone(),
        Outcome::BrokeOff => "the case broke off".to_owned(),
    }
}

/// A path, and what each has there.
type Found = (String, Option<String>, Option<String>);

/// What one has and the other lacks is told as a whole.
fn trees(path: String, left: Option<&Value>, right: Option<&Value>, found: &mut Vec<Found>) {
    match (left, right) {
        (Some(Value::Object(left)), Some(Value::Object(right))) => {
            let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for name in names {
                let dot = if path.is_empty() { "" } else { "." };
                trees(format!("{path}{dot}{name}"), left.get(name), right.get(name), found);
            }
        }
        (Some(Value::Array(left)), Some(Value::Array(right))) => {
            let (left, right) = (named(left), named(right));
            let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for name in names {
                trees(format!("{path}[{name}]"), left.get(name).copied(), right.get(name).copied(), found);
            }
        }
        _ if left == right => {}
        _ => found.push((path, left.map(Value::to_string), right.map(Value::to_string))),
    }
}

/// The elements of an array by what they are, where that can be told, and by their place where not.
fn named(elements: &[Value]) -> BTreeMap<String, &Value> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut out = BTreeMap::new();
    for (at, element) in elements.iter().enumerate() {
        let name = identity(element).unwrap_or_else(|| at.to_string());
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        let again = if *times > 1 { format!("#{times}") } else { String::new() };
        out.insert(format!("{name}{again}"), element);
    }
    out
}

fn identity(element: &Value) -> Option<String> {
    let fields = element.as_object()?;
    let words = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let parts: Vec<String> =
        IDENTITIES.iter().filter_map(|name| fields.get(*name)).filter(|value| !value.is_null()).map(words).collect();
    // Where a topic has a name beside its id, the id is one of its fields.
    let by_id = || fields.get("topicId").map(words);
    if parts.is_empty() { by_id() } else { Some(parts.join(" ")) }
}

/// How many values an answer holds.
pub fn fields(tree: &Value) -> usize {
    match tree {
        Value::Array(elements) if !elements.is_empty() => elements.iter().map(fields).sum(),
        Value::Object(members) if !members.is_empty() => members.values().map(fields).sum(),
        _ => 1,
    }
}
