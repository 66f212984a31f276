//! What differs between any two brokers, replaced by what it is: addresses, ids given by chance, the present time.
//!
//! An id keeps its identity: the first that a case sees is `<uuid 1>`, wherever it comes again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tidelog::clock::{Clock as _, SystemClock};

use super::uuids;

/// Times since a case began are the broker's own, and a little earlier ones, for what the case finds there.
const BEFORE_MS: i64 = 60_000;
/// And a little later ones.
const AFTER_MS: i64 = 10_000;

/// The replacements of one broker.
#[derive(Clone, Debug)]
pub struct Normal {
    tag: String,
    port: u16,
    clock: Arc<SystemClock>,
    began_ms: i64,
    topics: BTreeMap<String, String>,
    uuids: Vec<String>,
    producers: Vec<i64>,
    sessions: Vec<i64>,
    /// Where a case looks at everything that a broker has: leave out what other cases have made.
    pub only: Option<String>,
}

impl Normal {
    /// For a broker on this port, whose topics' names begin with `tag`.
    pub fn new(tag: String, port: u16) -> Self {
        let clock = Arc::new(SystemClock::new());
        Self {
            tag,
            port,
            began_ms: clock.now_ms(),
            clock,
            topics: BTreeMap::new(),
            uuids: Vec::new(),
            producers: Vec::new(),
            sessions: Vec::new(),
            only: None,
        }
    }

    /// A new case counts from one.
    pub fn begin_case(&mut self) {
        self.began_ms = self.clock.now_ms();
        self.uuids.clear();
        self.producers.clear();
        self.sessions.clear();
        self.only = None;
    }

    /// Learns the ids of topics and members from an answer that gives them.
    pub fn learn(&mut self, tree: &Value) {
        match tree {
            Value::Array(elements) => elements.iter().for_each(|one| self.learn(one)),
            Value::Object(fields) => {
                let name = fields.get("name").or_else(|| fields.get("topic")).and_then(Value::as_str);
                let id = fields.get("topicId").and_then(Value::as_str);
                let id = id.filter(|id| ![uuids::ZERO, uuids::NOBODYS].contains(id));
                if let (Some(name), Some(id)) = (name, id) {
                    let name = self.text(name);
                    self.topics.insert(id.to_owned(), name);
                }
                // Members are numbered in the order in which they came, not in that of a list.
                if let Some(member) = fields.get("memberId").and_then(Value::as_str) {
                    self.text(member);
                }
                fields.values().for_each(|one| self.learn(one));
            }
            _ => {}
        }
    }

    /// The tree with everything replaced. `key` is the name that it stands under.
    pub fn tree(&mut self, key: &str, tree: &Value) -> Value {
        match tree {
            Value::String(text) => json!(self.string(key, text)),
            Value::Number(number) => match number.as_i64() {
                Some(number) => self.number(key, number),
                None => tree.clone(),
            },
            Value::Array(elements) => Value::Array(elements.iter().map(|one| self.tree(key, one)).collect()),
            Value::Object(fields) => {
                let mut out: Map<String, Value> =
                    fields.iter().map(|(name, value)| (name.clone(), self.tree(name, value))).collect();
                // What was replaced lies under the checksum; whether that is right stands beside it.
                let replaced =
                    ["maxTimestamp", "producerId"].iter().any(|name| out.get(*name).is_some_and(Value::is_string));
                if replaced && out.contains_key("crc") {
                    out.insert("crc".to_owned(), json!("<crc>"));
                }
                Value::Object(out)
            }
            _ => tree.clone(),
        }
    }

    /// The tree without the elements that other cases have made, where this case looks at its own alone.
    pub fn wanted(&self, tree: &Value) -> Value {
        match tree {
            Value::Array(elements) => {
                Value::Array(elements.iter().filter(|one| self.is_wanted(one)).map(|one| self.wanted(one)).collect())
            }
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(name, value)| (name.clone(), self.wanted(value))).collect())
            }
            _ => tree.clone(),
        }
    }

    fn is_wanted(&self, element: &Value) -> bool {
        let Some(only) = &self.only else { return true };
        let name = ["name", "topic", "groupId"].iter().find_map(|name| element.get(name)).and_then(Value::as_str);
        name.is_none_or(|name| name.starts_with(only))
    }

    fn string(&mut self, key: &str, text: &str) -> String {
        match key {
            "clusterId" => return "<cluster>".to_owned(),
            "logDir" if text.starts_with('/') => return "<folder>".to_owned(),
            _ => {}
        }
        if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return match self.topics.get(text) {
                Some(name) => format!("<id of {name}>"),
                None if text == uuids::ZERO || text == uuids::NOBODYS => text.to_owned(),
                None => format!("<uuid {}>", place(&mut self.uuids, text.to_owned())),
            };
        }
        self.text(text)
    }

    /// Names without their tag, addresses without their port, windows around now without their ends, dashed uuids by
    /// number.
    fn text(&mut self, text: &str) -> String {
        let text = text.replace(&format!("{}-", self.tag), "").replace(&format!(":{}", self.port), ":<port>");
        let text = without_window(text);
        let mut out = String::new();
        let mut from = 0;
        for at in uuids::dashed_in(&text) {
            out.push_str(&text[from..at]);
            let number = place(&mut self.uuids, text[at..at + 36].to_owned());
            out.push_str(&format!("<uuid {number}>"));
            from = at + 36;
        }
        out.push_str(&text[from..]);
        out
    }

    fn number(&mut self, key: &str, number: i64) -> Value {
        match key {
            "port" if number == i64::from(self.port) => json!("<port>"),
            "producerId" if number >= 0 => json!(format!("<producer {}>", place(&mut self.producers, number))),
            "finalizedFeaturesEpoch" if number >= 0 => json!("<epoch>"),
            "sessionId" if number != 0 => json!(format!("<session {}>", place(&mut self.sessions, number))),
            "totalBytes" | "usableBytes" if number > 0 => json!("<bytes>"),
            _ if (key.contains("imestamp") || key.ends_with("TimeMs"))
                && (self.began_ms - BEFORE_MS..self.clock.now_ms() + AFTER_MS).contains(&number) =>
            {
                json!("<now>")
            }
            _ => json!(number),
        }
    }
}

/// A refused timestamp's text, without the window of allowed ones: it moves with the broker's clock.
fn without_window(text: String) -> String {
    const BEFORE: &str = "should be within [";
    match text.split_once(BEFORE).and_then(|(head, tail)| Some((head, tail.split_once(']')?.1))) {
        Some((head, tail)) => format!("{head}{BEFORE}<window>]{tail}"),
        None => text,
    }
}

/// The number of a thing, counted from one in the order of first sight.
fn place<T: PartialEq>(seen: &mut Vec<T>, one: T) -> usize {
    let at = seen.iter().position(|known| *known == one).unwrap_or_else(|| {
        seen.push(one);
        seen.len() - 1
    });
    at + 1
}
