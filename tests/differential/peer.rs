//! One broker, as a case sees it: it is asked, its answers are taken down.
//!
//! A case runs once against each broker and takes what it needs (topic ids, member ids) from that broker's own
//! answers. An API or version that one of the two does not serve is not asked for: ApiVersions shows that it is missing.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tidelog::clock::{Clock as _, SystemClock};

use super::connection::{Connection, NoFrame, PATIENCE};
use super::normal::Normal;
use super::planted::{self, Found};
use super::schema::Schemas;
use super::transcript::{Entry, Outcome};
use super::{decode, encode};

/// What the suite calls itself.
const CLIENT_ID: &str = "differential";
/// The request that is sent behind raw bytes, to see whether the connection goes on.
const AFTERWARDS: i32 = 77_777;
/// How long a state is asked for before a case goes on without it.
const UNTIL: Duration = Duration::from_secs(15);

/// API keys and the versions of each that a broker serves.
pub type Served = BTreeMap<i16, (i16, i16)>;

/// A request that was sent and not answered yet.
#[derive(Debug)]
pub struct Ticket {
    line: usize,
    api: String,
    version: i16,
    correlation_id: i32,
    place: String,
    request: String,
}

/// One broker.
pub struct Peer {
    pub tag: String,
    port: u16,
    schemas: Arc<Schemas>,
    served: Served,
    lines: Vec<Option<Connection>>,
    correlation_id: i32,
    patience: Duration,
    case: String,
    step: String,
    normal: Normal,
    transcript: Vec<Entry>,
    planted: Found,
}

impl Peer {
    /// The broker on this port, asked only for what `served` names.
    pub fn new(port: u16, schemas: Arc<Schemas>, served: Served, tag: &str) -> Self {
        Self {
            tag: tag.to_owned(),
            port,
            schemas,
            served,
            lines: Vec::new(),
            correlation_id: 0,
            patience: PATIENCE,
            case: String::new(),
            step: String::new(),
            normal: Normal::new(tag.to_owned(), port),
            transcript: Vec::new(),
            planted: Found::default(),
        }
    }

    /// Begins a case, on new connections.
    pub fn begin(&mut self, case: &str) {
        self.lines.clear();
        case.clone_into(&mut self.case);
        self.step.clear();
        self.patience = PATIENCE;
        self.normal.begin_case();
    }

    /// What it has answered since the last call.
    pub fn take_transcript(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.transcript)
    }

    /// What became of the differences that were planted in its answers.
    pub fn take_planted(&mut self) -> Found {
        std::mem::take(&mut self.planted)
    }

    /// An answer with what differs by nature replaced. On the way differences are planted in it, before that is done.
    fn normalised(&mut self, place: &str, api: &str, version: i16, raw: &Value) -> Value {
        let raw = self.normal.wanted(raw);
        let before = self.normal.clone();
        let tree = self.normal.tree("", &raw);
        planted::each(&mut self.planted, &raw, &before, |outcome| {
            let (place, api) = (place.to_owned(), api.to_owned());
            Entry { place, api, version, request: String::new(), outcome: Outcome::Answer(outcome) }
        });
        tree
    }

    /// Names what comes next.
    pub fn step(&mut self, words: &str) {
        words.clone_into(&mut self.step);
    }

    /// From here on, an answer that does not come soon is none: for what Kafka is known never to answer.
    pub fn impatient(&mut self) {
        self.patience = Duration::from_secs(2);
    }

    /// From here on, lists are compared only in what this case has made.
    pub fn only_mine(&mut self) {
        self.normal.only = Some(self.name(""));
    }

    /// A name of this case, for a topic, a group or the like.
    pub fn name(&self, what: &str) -> String {
        format!("{}-{}-{what}", self.tag, self.case)
    }

    /// The versions of an API that both brokers serve; none is an empty range.
    pub fn versions(&self, api: &str) -> RangeInclusive<i16> {
        let key = self.schemas.api(api).key;
        self.served.get(&key).map_or(RangeInclusive::new(1, 0), |(min, max)| *min..=*max)
    }

    /// The newest version that both serve.
    pub fn newest(&self, api: &str) -> i16 {
        *self.versions(api).end()
    }

    /// Asks, and takes the answer down.
    pub fn ask(&mut self, api: &str, version: i16, body: &Value) -> Value {
        match self.send(0, api, version, body) {
            Some(ticket) => self.receive(ticket),
            None => Value::Null,
        }
    }

    /// Asks in the newest version.
    pub fn ask_newest(&mut self, api: &str, body: &Value) -> Value {
        self.ask(api, self.newest(api), body)
    }

    /// Asks the same in every version.
    pub fn ask_all(&mut self, api: &str, body: &Value) {
        for version in self.versions(api) {
            self.ask(api, version, body);
        }
    }

    /// Asks in the newest version without taking it down: to prepare, or to look.
    pub fn quietly(&mut self, api: &str, body: &Value) -> Value {
        self.quietly_in(api, self.newest(api), body)
    }

    /// The same in a version.
    pub fn quietly_in(&mut self, api: &str, version: i16, body: &Value) -> Value {
        let Some(ticket) = self.send(0, api, version, body) else { return Value::Null };
        match self.take(&ticket) {
            Ok(tree) => tree,
            Err(_) => Value::Null,
        }
    }

    /// Asks quietly until the answer is right. What never becomes right shows in what is asked next.
    pub fn until(&mut self, api: &str, body: &Value, right: impl Fn(&Value) -> bool) -> Value {
        let clock = SystemClock::new();
        loop {
            let last = self.quietly(api, body);
            if last.is_null() || right(&last) || clock.monotonic() > UNTIL {
                return last;
            }
        }
    }

    /// Sends on a connection of its own number; the answer is fetched with [`Self::receive`].
    pub fn send(&mut self, line: usize, api: &str, version: i16, body: &Value) -> Option<Ticket> {
        if !self.versions(api).contains(&version) {
            return None;
        }
        self.correlation_id += 1;
        let client_id = json!(CLIENT_ID);
        let frame = encode::request(self.schemas.api(api), version, self.correlation_id, &client_id, body);
        let ticket = Ticket {
            line,
            api: api.to_owned(),
            version,
            correlation_id: self.correlation_id,
            place: format!("{}: {}", self.case, self.step),
            request: shortened(&body.to_string()),
        };
        if let Some(connection) = self.line(line) {
            connection.send(&frame);
        }
        Some(ticket)
    }

    /// The answer to what was sent, taken down.
    pub fn receive(&mut self, ticket: Ticket) -> Value {
        let (outcome, tree) = match self.take(&ticket) {
            Ok(tree) => {
                let answer = self.normalised(&ticket.place, &ticket.api, ticket.version, &tree);
                (Outcome::Answer(answer), tree)
            }
            Err(words) => (Outcome::Other(words), Value::Null),
        };
        let Ticket { place, api, version, request, .. } = ticket;
        self.transcript.push(Entry { place, api, version, request, outcome });
        tree
    }

    /// A request's bytes, to be spoilt and sent raw.
    pub fn frame(&self, api: &str, version: i16, body: &Value) -> Vec<u8> {
        encode::request(self.schemas.api(api), version, 1, &json!(CLIENT_ID), body)
    }

    /// Sends bytes as they are on a new connection, then an honest request: is it answered?
    /// An answer to the bytes themselves is read as that of `answer`, where one is given.
    pub fn raw(&mut self, bytes: &[u8], answer: Option<(&str, i16)>) {
        let (api, version) = answer.unwrap_or(("ApiVersions", 0));
        let mut entry = Entry {
            place: format!("{}: {}", self.case, self.step),
            api: api.to_owned(),
            version,
            request: shortened(&encode::to_hex(bytes)),
            outcome: Outcome::Other(String::new()),
        };
        let mut said = Vec::new();
        let mut end = "nobody listens";
        if let Some(mut connection) = Connection::open(self.port) {
            connection.send_raw(bytes);
            let honest = self.schemas.api("ApiVersions");
            connection.send(&encode::request(honest, 0, AFTERWARDS, &json!(CLIENT_ID), &json!({})));
            end = loop {
                match connection.receive(PATIENCE) {
                    Ok(frame) if frame.get(..4) == Some(&AFTERWARDS.to_be_bytes()) => break "goes on",
                    Ok(frame) => said.push(match decode::response(self.schemas.api(api), version, &frame) {
                        Ok((_, tree)) => self.normalised(&entry.place, api, version, &tree),
                        Err(error) => json!(format!("undecodable: {error}")),
                    }),
                    Err(NoFrame::Closed) => break "is closed",
                    Err(NoFrame::Silent) => break "is silent",
                }
            };
        }
        entry.outcome = Outcome::Answer(json!({ "connection": end, "said": said }));
        self.transcript.push(entry);
    }

    fn line(&mut self, line: usize) -> Option<&mut Connection> {
        while self.lines.len() <= line {
            self.lines.push(None);
        }
        let place = &mut self.lines[line];
        if place.is_none() {
            *place = Connection::open(self.port);
        }
        place.as_mut()
    }

    /// Reads the answer; a connection that failed is not used again.
    fn take(&mut self, ticket: &Ticket) -> Result<Value, String> {
        let Some(Some(connection)) = self.lines.get_mut(ticket.line) else { return Err("nobody listens".to_owned()) };
        let frame = match connection.receive(self.patience) {
            Ok(frame) => frame,
            Err(error) => {
                self.lines[ticket.line] = None;
                let words = if error == NoFrame::Closed { "is closed" } else { "is silent" };
                return Err(words.to_owned());
            }
        };
        let api = self.schemas.api(&ticket.api);
        let (correlation_id, tree) = decode::response(api, ticket.version, &frame)
            .map_err(|error| format!("undecodable: {error}: {}", shortened(&encode::to_hex(&frame))))?;
        if correlation_id != ticket.correlation_id {
            return Err("answers another request".to_owned());
        }
        self.normal.learn(&tree);
        Ok(tree)
    }
}

/// What a broker says that it serves; `None` while nobody answers.
pub fn served(port: u16, schemas: &Schemas) -> Option<Served> {
    let api = schemas.api("ApiVersions");
    let mut connection = Connection::open(port)?;
    connection.send(&encode::request(api, 0, 1, &json!(CLIENT_ID), &json!({})));
    let (_, tree) = decode::response(api, 0, &connection.receive(PATIENCE).ok()?).ok()?;
    let number = |value: &Value| i16::try_from(value.as_i64().unwrap_or(-1)).unwrap_or(-1);
    let rows = tree["apiKeys"].as_array()?;
    Some(
        rows.iter()
            .map(|row| (number(&row["apiKey"]), (number(&row["minVersion"]), number(&row["maxVersion"]))))
            .collect(),
    )
}

/// A text for a report.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}
