//! Two transcripts, field by field.

use std::collections::BTreeMap;

use serde_json::Value;

use super::transcript::{Entry, Outcome};

/// Fields that say which element of an array this is; what order an array has, no client asks.
const IDENTITIES: &[&str] = &[
    "resourceType",
    "resourceName",
    "name",
    "topic",
    "topicName",
    "topicId",
    "partition",
    "partitionIndex",
    "index",
    "apiKey",
    "groupId",
    "memberId",
    "key",
    "nodeId",
    "brokerId",
    "configSource",
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
    let (left, right) = (leaves(&kafka.outcome), leaves(&ours.outcome));
    let mut paths: Vec<&String> = left.keys().chain(right.keys()).collect();
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .filter(|path| left.get(*path) != right.get(*path))
        .map(|path| Difference {
            place: kafka.place.clone(),
            api: kafka.api.clone(),
            version: kafka.version,
            path: path.clone(),
            kafka: left.get(path).cloned(),
            ours: right.get(path).cloned(),
            request: kafka.request.clone(),
        })
        .collect()
}

/// Every leaf of an outcome, by its path.
pub fn leaves(outcome: &Outcome) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    match outcome {
        Outcome::Answer(tree) => add(tree, String::new(), &mut out),
        Outcome::Other(words) => {
            out.insert("the connection".to_owned(), words.clone());
        }
    }
    out
}

fn add(tree: &Value, path: String, out: &mut BTreeMap<String, String>) {
    match tree {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                add(value, format!("{path}{dot}{name}"), out);
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            for (at, element) in elements.iter().enumerate() {
                let name = identity(element).unwrap_or_else(|| at.to_string());
                let times = seen.entry(name.clone()).or_default();
                *times += 1;
                let again = if *times > 1 { format!("#{times}") } else { String::new() };
                add(element, format!("{path}[{name}{again}]"), out);
            }
        }
        _ => {
            out.insert(path, tree.to_string());
        }
    }
}

fn identity(element: &Value) -> Option<String> {
    let fields = element.as_object()?;
    let parts: Vec<String> = IDENTITIES
        .iter()
        .filter_map(|name| fields.get(*name))
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}
