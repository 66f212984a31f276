//! The messages of Kafka's protocol, as the JSON files inside Kafka's own jar describe them.
//!
//! Nothing of Tidelog is used to write requests or to read answers: a mistake in its wire types shows here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// A run of versions; `none` is a run without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pub min: i16,
    pub max: i16,
}

impl Versions {
    pub const NONE: Self = Self { min: 1, max: 0 };

    pub fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    fn parse(value: &Value) -> Self {
        let Some(text) = value.as_str() else { return Self::NONE };
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("'{text}' is no version"));
        match text.split_once('-') {
            _ if text == "none" => Self::NONE,
            Some((min, max)) => Self { min: number(min), max: number(max) },
            None => match text.strip_suffix('+') {
                Some(min) => Self { min: number(min), max: i16::MAX },
                None => Self { min: number(text), max: number(text) },
            },
        }
    }
}

/// What a field holds.
#[derive(Debug, Clone)]
pub enum Kind {
    Bool,
    Int(usize),
    Unsigned(usize),
    Float,
    Uuid,
    Text,
    Bytes,
    Records,
    Array(Box<Self>),
    Struct(Vec<Field>),
}

/// One field of a message.
#[derive(Debug, Clone)]
pub struct Field {
    /// As JSON names it: `topicId`.
    pub name: String,
    pub kind: Kind,
    pub versions: Versions,
    pub nullable: Versions,
    /// Where the field is a tagged one, and its number.
    pub tagged: Versions,
    pub tag: u64,
    pub default: Value,
    /// A field that keeps its old spelling in every version (the client id of the request header).
    pub never_flexible: bool,
}

/// A request or a response.
#[derive(Debug)]
pub struct Message {
    pub fields: Vec<Field>,
    /// What a broker may serve, whatever it advertises.
    pub valid: Versions,
    pub flexible: Versions,
}

/// One API: a request and its response.
#[derive(Debug)]
pub struct Api {
    pub key: i16,
    pub request: Message,
    pub response: Message,
}

/// All of them, by name.
#[derive(Debug)]
pub struct Schemas {
    by_name: BTreeMap<String, Api>,
}

impl Schemas {
    /// Reads the folder that the jar's message files were unpacked to.
    pub fn read(folder: &Path) -> Self {
        let mut requests = BTreeMap::new();
        let mut responses = BTreeMap::new();
        for entry in fs::read_dir(folder).expect("the folder of message files").flatten() {
            let text = fs::read_to_string(entry.path()).expect("a message file");
            let json: Value = serde_json::from_str(&without_comments(&text)).expect("a message file is JSON");
            let Some(key) = json["apiKey"].as_i64() else { continue };
            let name = json["name"].as_str().unwrap_or_default();
            if let Some(name) = name.strip_suffix("Request") {
                requests.insert(name.to_owned(), (i16::try_from(key).expect("a small number"), message(&json)));
            } else if let Some(name) = name.strip_suffix("Response") {
                responses.insert(name.to_owned(), message(&json));
            }
        }
        let by_name = requests
            .into_iter()
            .filter_map(|(name, (key, request))| {
                let response = responses.remove(&name)?;
                Some((name, Api { key, request, response }))
            })
            .collect();
        Self { by_name }
    }

    /// The API of a name, as `Fetch`.
    pub fn api(&self, name: &str) -> &Api {
        self.by_name.get(name).unwrap_or_else(|| panic!("Kafka has no API '{name}'"))
    }

    /// The name of a key.
    pub fn name_of(&self, key: i16) -> Option<&str> {
        self.by_name.iter().find(|(_, api)| api.key == key).map(|(name, _)| name.as_str())
    }
}

/// The files have whole-line comments, which JSON has not.
fn without_comments(text: &str) -> String {
    let kept: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    kept.join("\n")
}

fn message(json: &Value) -> Message {
    let shared: BTreeMap<&str, &Value> = json["commonStructs"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| (one["name"].as_str().unwrap_or_default(), &one["fields"]))
        .collect();
    Message {
        fields: fields(&json["fields"], &shared),
        valid: Versions::parse(&json["validVersions"]),
        flexible: Versions::parse(&json["flexibleVersions"]),
    }
}

fn fields(json: &Value, shared: &BTreeMap<&str, &Value>) -> Vec<Field> {
    json.as_array().into_iter().flatten().map(|one| field(one, shared)).collect()
}

fn field(json: &Value, shared: &BTreeMap<&str, &Value>) -> Field {
    let name = json["name"].as_str().expect("a field has a name");
    let (first, rest) = name.split_at(1);
    Field {
        name: format!("{}{rest}", first.to_lowercase()),
        kind: kind(json["type"].as_str().expect("a field has a type"), &json["fields"], shared),
        versions: Versions::parse(&json["versions"]),
        nullable: Versions::parse(&json["nullableVersions"]),
        tagged: Versions::parse(&json["taggedVersions"]),
        tag: json["tag"].as_u64().unwrap_or(0),
        default: json["default"].clone(),
        never_flexible: json["flexibleVersions"] == "none",
    }
}

fn kind(name: &str, inner: &Value, shared: &BTreeMap<&str, &Value>) -> Kind {
    match name {
        "bool" => Kind::Bool,
        "int8" => Kind::Int(1),
        "int16" => Kind::Int(2),
        "int32" => Kind::Int(4),
        "int64" => Kind::Int(8),
        "uint16" => Kind::Unsigned(2),
        "uint32" => Kind::Unsigned(4),
        "float64" => Kind::Float,
        "uuid" => Kind::Uuid,
        "string" => Kind::Text,
        "bytes" => Kind::Bytes,
        "records" => Kind::Records,
        _ => match name.strip_prefix("[]") {
            Some(element) => Kind::Array(Box::new(kind(element, inner, shared))),
            None if inner.is_array() => Kind::Struct(fields(inner, shared)),
            None => Kind::Struct(fields(shared.get(name).expect("a struct is described"), shared)),
        },
    }
}
