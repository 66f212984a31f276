//! Answers: from bytes to a tree of named values, by the schema. Every byte has to be accounted for.

use serde_json::{Map, Value, json};

use super::batches;
use super::encode::{default_of, to_hex};
use super::schema::{Api, Field, Kind};
use super::uuids;

/// Why bytes are not the response that they should be.
pub type Undecodable = String;

/// A response: its correlation id and its body.
pub fn response(api: &Api, version: i16, bytes: &[u8]) -> Result<(i32, Value), Undecodable> {
    let mut reader = Reader { bytes, version, flexible: api.response.flexible.contains(version) };
    let correlation_id = i32::from_be_bytes(reader.take(4)?.try_into().expect("four bytes"));
    // ApiVersions is answered under the oldest header: the client may not know the newer one.
    if reader.flexible && api.key != 18 {
        let tags = reader.tags()?;
        if !tags.is_empty() {
            return Err("tagged fields in a response header".to_owned());
        }
    }
    let body = reader.fields(&api.response.fields)?;
    if reader.bytes.is_empty() {
        Ok((correlation_id, body))
    } else {
        Err(format!("{} bytes follow the response", reader.bytes.len()))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    version: i16,
    flexible: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Undecodable> {
        if count > self.bytes.len() {
            return Err(format!("{count} bytes wanted, {} left", self.bytes.len()));
        }
        let (head, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        Ok(head)
    }

    fn varint(&mut self) -> Result<u64, Undecodable> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("a varint without an end".to_owned())
    }

    fn signed(&mut self, width: usize) -> Result<i64, Undecodable> {
        let bytes = self.take(width)?;
        let mut wide = if bytes[0] >= 0x80 { [0xff; 8] } else { [0; 8] };
        wide[8 - width..].copy_from_slice(bytes);
        Ok(i64::from_be_bytes(wide))
    }

    fn unsigned(&mut self, width: usize) -> Result<u64, Undecodable> {
        let mut wide = [0; 8];
        wide[8 - width..].copy_from_slice(self.take(width)?);
        Ok(u64::from_be_bytes(wide))
    }

    /// A length, `None` for null.
    fn length(&mut self, width: usize) -> Result<Option<usize>, Undecodable> {
        let length = if self.flexible {
            i64::try_from(self.varint()?).map_err(|_| "a length too large".to_owned())? - 1
        } else {
            self.signed(width)?
        };
        if length == -1 {
            return Ok(None);
        }
        usize::try_from(length).map(Some).map_err(|_| format!("length {length}"))
    }

    fn fields(&mut self, fields: &[Field]) -> Result<Value, Undecodable> {
        let mut out = Map::new();
        let version = self.version;
        for field in fields.iter().filter(|field| field.versions.contains(version)) {
            if field.tagged.contains(version) {
                out.insert(field.name.clone(), default_of(field, version));
                continue;
            }
            let nullable = field.nullable.contains(version);
            let value = match &field.kind {
                Kind::Struct(_) if nullable && self.signed(1)? < 0 => Value::Null,
                kind => self.value(kind).map_err(|error| format!("{}: {error}", field.name))?,
            };
            if value.is_null() && !nullable {
                return Err(format!("{}: null", field.name));
            }
            out.insert(field.name.clone(), value);
        }
        if self.flexible {
            for (tag, bytes) in self.tags()? {
                let known = fields.iter().find(|field| field.tag == tag && field.tagged.contains(version));
                let Some(field) = known else {
                    out.insert(format!("unknownTag{tag}"), json!(to_hex(bytes)));
                    continue;
                };
                let mut inner = Reader { bytes, version, flexible: true };
                let value = match &field.kind {
                    Kind::Struct(_) if field.nullable.contains(version) && inner.signed(1)? < 0 => Value::Null,
                    kind => inner.value(kind)?,
                };
                out.insert(field.name.clone(), value);
            }
        }
        Ok(Value::Object(out))
    }

    fn tags(&mut self) -> Result<Vec<(u64, &'a [u8])>, Undecodable> {
        let count = self.varint()?;
        let mut out = Vec::new();
        for _ in 0..count {
            let tag = self.varint()?;
            let length = self.varint()?;
            out.push((tag, self.take(usize::try_from(length).map_err(|_| "a tag too large".to_owned())?)?));
        }
        Ok(out)
    }

    fn value(&mut self, kind: &Kind) -> Result<Value, Undecodable> {
        Ok(match kind {
            Kind::Bool => json!(self.take(1)?[0] != 0),
            Kind::Int(width) => json!(self.signed(*width)?),
            Kind::Unsigned(width) => json!(self.unsigned(*width)?),
            Kind::Float => json!(f64::from_be_bytes(self.take(8)?.try_into().expect("eight bytes"))),
            Kind::Uuid => json!(uuids::digits(self.take(16)?)),
            Kind::Text => match self.length(2)? {
                None => Value::Null,
                Some(length) => json!(String::from_utf8(self.take(length)?.to_vec()).map_err(|e| e.to_string())?),
            },
            Kind::Bytes => match self.length(4)? {
                None => Value::Null,
                Some(length) => json!(to_hex(self.take(length)?)),
            },
            Kind::Records => match self.length(4)? {
                None => Value::Null,
                Some(length) => batches::tree(self.take(length)?),
            },
            Kind::Array(element) => match self.length(4)? {
                None => Value::Null,
                Some(length) => {
                    let mut out = Vec::new();
                    for at in 0..length {
                        out.push(self.value(element).map_err(|error| format!("[{at}]: {error}"))?);
                    }
                    Value::Array(out)
                }
            },
            Kind::Struct(fields) => self.fields(fields)?,
        })
    }
}
