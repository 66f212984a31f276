//! Requests: from a tree of named values to bytes, by the schema.
//!
//! A field that is left out has the schema's default; one that the version lacks is left out. What the schema forbids
//! (a null where none may stand, an array that claims more than it holds) is written all the same: bad input is half
//! of the suite. A name that the message has in no version is a mistake in the case, and panics.

use serde_json::{Map, Value, json};

use super::schema::{Api, Field, Kind, Message};
use super::uuids;

/// A whole request, without the length in front.
pub fn request(api: &Api, version: i16, correlation_id: i32, client_id: &Value, body: &Value) -> Vec<u8> {
    let mut out = header(api, version, correlation_id, client_id);
    out.extend(message(&api.request, version, body));
    out
}

/// The header of a request.
pub fn header(api: &Api, version: i16, correlation_id: i32, client_id: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(api.key.to_be_bytes());
    out.extend(version.to_be_bytes());
    out.extend(correlation_id.to_be_bytes());
    match client_id.as_str() {
        Some(text) => {
            out.extend(i16::try_from(text.len()).expect("a short client id").to_be_bytes());
            out.extend(text.as_bytes());
        }
        None => out.extend((-1_i16).to_be_bytes()),
    }
    if api.request.flexible.contains(version) {
        out.push(0);
    }
    out
}

/// The body of a message.
pub fn message(message: &Message, version: i16, body: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let writer = Writer { version, flexible: message.flexible.contains(version) };
    writer.fields(&message.fields, body, &mut out);
    out
}

/// The bytes that `"0x…"` stands for.
pub fn hex(text: &str) -> Vec<u8> {
    let digits = text.strip_prefix("0x").unwrap_or_else(|| panic!("bytes are written as 0x…, not as '{text}'"));
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit") as u8;
    digits.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// Bytes as `"0x…"`.
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(2 + bytes.len() * 2);
    out.push_str("0x");
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

/// An unsigned varint.
pub fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// What a field holds when nothing is said.
pub fn default_of(field: &Field, version: i16) -> Value {
    let text = field.default.as_str().unwrap_or_default();
    if text == "null" && field.nullable.contains(version) {
        return Value::Null;
    }
    match &field.kind {
        Kind::Bool => json!(text == "true" || field.default == json!(true)),
        Kind::Int(_) | Kind::Unsigned(_) => match text.strip_prefix("0x") {
            Some(digits) => json!(i64::from_str_radix(digits, 16).expect("a hexadecimal default")),
            None => field.default.as_i64().map_or_else(|| json!(text.trim().parse::<i64>().unwrap_or(0)), Value::from),
        },
        Kind::Float => json!(0.0),
        Kind::Uuid => json!(uuids::ZERO),
        Kind::Text => json!(text),
        Kind::Bytes | Kind::Records => json!("0x"),
        Kind::Array(_) => json!([]),
        Kind::Struct(fields) => {
            Value::Object(fields.iter().map(|field| (field.name.clone(), default_of(field, version))).collect())
        }
    }
}

struct Writer {
    version: i16,
    flexible: bool,
}

impl Writer {
    fn fields(&self, fields: &[Field], body: &Value, out: &mut Vec<u8>) {
        let none = Map::new();
        let body = body.as_object().unwrap_or(&none);
        for name in body.keys() {
            assert!(fields.iter().any(|field| field.name == *name), "the message has no field '{name}'");
        }
        let mut tagged = Vec::new();
        for field in fields.iter().filter(|field| field.versions.contains(self.version)) {
            let given = body.get(&field.name);
            if field.tagged.contains(self.version) {
                if let Some(value) = given.filter(|value| **value != default_of(field, self.version)) {
                    let mut bytes = Vec::new();
                    self.value(&field.kind, self.flexible, value, &mut bytes);
                    tagged.push((field.tag, bytes));
                }
                continue;
            }
            let flexible = self.flexible && !field.never_flexible;
            // A nullable struct is marked; any other is only its fields.
            if matches!(field.kind, Kind::Struct(_)) && field.nullable.contains(self.version) {
                let null = given.is_none_or(Value::is_null);
                out.push(if null { 0xff } else { 1 });
                if null {
                    continue;
                }
            }
            match given {
                Some(value) => self.value(&field.kind, flexible, value, out),
                None => self.value(&field.kind, flexible, &default_of(field, self.version), out),
            }
        }
        if self.flexible {
            tagged.sort();
            varint(tagged.len() as u64, out);
            for (tag, bytes) in tagged {
                varint(tag, out);
                varint(bytes.len() as u64, out);
                out.extend(bytes);
            }
        }
    }

    fn value(&self, kind: &Kind, flexible: bool, value: &Value, out: &mut Vec<u8>) {
        match kind {
            Kind::Bool => out.push(u8::from(value.as_bool().unwrap_or(false))),
            Kind::Int(width) => {
                let number = value.as_i64().unwrap_or(0);
                out.extend(&number.to_be_bytes()[8 - width..]);
            }
            Kind::Unsigned(width) => {
                let number = value.as_u64().unwrap_or(0);
                out.extend(&number.to_be_bytes()[8 - width..]);
            }
            Kind::Float => out.extend(value.as_f64().unwrap_or(0.0).to_be_bytes()),
            Kind::Uuid => out.extend(uuids::bytes(value.as_str().unwrap_or(uuids::ZERO))),
            Kind::Text => {
                let length = value.as_str().map(str::len);
                length_of(length, flexible, 2, out);
                out.extend(value.as_str().unwrap_or_default().as_bytes());
            }
            Kind::Bytes | Kind::Records => {
                let bytes = value.as_str().map(hex);
                length_of(bytes.as_ref().map(Vec::len), flexible, 4, out);
                out.extend(bytes.unwrap_or_default());
            }
            Kind::Array(element) => {
                let (claimed, elements) = match value {
                    Value::Array(elements) => (Some(elements.len()), elements.as_slice()),
                    // An array that lies: {"claims": 5, "holds": [..]}.
                    Value::Object(lie) => (
                        lie["claims"].as_u64().and_then(|claimed| usize::try_from(claimed).ok()),
                        lie["holds"].as_array().map_or(&[][..], Vec::as_slice),
                    ),
                    _ => (None, &[][..]),
                };
                length_of(claimed, flexible, 4, out);
                for one in elements {
                    self.value(element, flexible, one, out);
                }
            }
            Kind::Struct(fields) => self.fields(fields, value, out),
        }
    }
}

fn length_of(length: Option<usize>, flexible: bool, width: usize, out: &mut Vec<u8>) {
    if flexible {
        varint(length.map_or(0, |length| length as u64 + 1), out);
    } else {
        let length = length.map_or(-1, |length| length as i64);
        out.extend(&length.to_be_bytes()[8 - width..]);
    }
}
