//! A reply as a frame: length, header, message.

use bytes::BufMut;
use kafka_protocol::protocol::{Encodable, HeaderVersion};

use super::dispatch::Call;
use crate::net::response::ResponseTooLong;
use crate::net::{Response, ResponseBuilder};

/// What a reply begins with: most fit.
const CAPACITY_BYTES: usize = 512;

/// A reply that has no form in the version asked for.
#[derive(Debug, thiserror::Error)]
pub enum NotEncoded {
    /// A field that the version cannot say, or that is too long.
    #[error("{0}")]
    Message(String),
    /// Longer than a frame.
    #[error(transparent)]
    TooLong(#[from] ResponseTooLong),
}

impl NotEncoded {
    /// To the operator: it is this broker's mistake, and the client sees a closed connection.
    pub fn report<B>(&self, call: &Call<B>) {
        tracing::error!(api = ?call.api_key, version = call.version, error = %self, "could not encode a reply");
    }
}

/// A frame of header and message.
pub fn encode<M: Encodable + HeaderVersion>(
    correlation_id: i32,
    message: &M,
    version: i16,
) -> Result<Response, NotEncoded> {
    let mut builder = begin(correlation_id, M::header_version(version), CAPACITY_BYTES);
    message.encode(builder.buffer(), version).map_err(|error| NotEncoded::Message(error.to_string()))?;
    Ok(builder.build()?)
}

/// A frame that has its header, and room for `capacity` bytes.
pub fn begin(correlation_id: i32, header_version: i16, capacity: usize) -> ResponseBuilder {
    let mut builder = ResponseBuilder::new(capacity);
    builder.buffer().put_i32(correlation_id);
    if header_version >= 1 {
        builder.buffer().put_u8(0);
    }
    builder
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::{Buf, BytesMut};
    use kafka_protocol::messages::{MetadataResponse, ResponseHeader};

    #[test]
    fn headers_are_those_of_the_wire_crate() {
        for (version, header_version) in [(0, 0), (9, 1)] {
            let mut expected = BytesMut::new();
            let header = ResponseHeader::default().with_correlation_id(7);
            header.encode(&mut expected, header_version).unwrap();
            MetadataResponse::default().encode(&mut expected, version).unwrap();
            let mut frame = encode(7, &MetadataResponse::default(), version).unwrap().into_bytes().unwrap();
            assert_eq!(usize::try_from(frame.get_i32()).unwrap(), expected.len());
            assert_eq!(frame, expected);
        }
    }
}
