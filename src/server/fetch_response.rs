//! The Fetch response, written by hand so that records stay where they are: header bytes, a stretch of a segment's
//! file or of shared memory, header bytes again. A test holds it equal to the wire crate's, version by version.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use uuid::Uuid;

use super::reply;
use crate::model::{LeaderEpoch, Offset, ProducerId};
use crate::net::response::ResponseTooLong;
use crate::net::{FileSlice, Response, ResponseBuilder};

/// From this version on lengths are varints and structs end with tagged fields.
const FLEXIBLE: i16 = 12;
/// From this version on topics are named by id.
const TOPIC_IDS: i16 = 13;

/// What one partition answers.
#[derive(Debug)]
pub struct FetchedPartition {
    /// Its number.
    pub partition: i32,
    /// What went wrong.
    pub error: Option<ResponseError>,
    /// The end of what is committed, or -1.
    pub high_watermark: i64,
    /// The end of what transactions have decided, or -1.
    pub last_stable_offset: i64,
    /// The first offset there is, or -1.
    pub log_start_offset: i64,
    /// Where the client's log and this one part.
    pub diverging: Option<(LeaderEpoch, Offset)>,
    /// Transactions to leave out; none for a client that wants all.
    pub aborted: Option<Vec<(ProducerId, Offset)>>,
    /// The records.
    pub records: FetchedRecords,
}

/// Where the records are.
#[derive(Debug)]
pub enum FetchedRecords {
    /// There are none.
    None,
    /// In a segment's file.
    File(FileSlice),
    /// In memory, in pieces that follow each other.
    Memory(Vec<Bytes>),
}

impl FetchedRecords {
    /// How many bytes they take.
    pub fn length(&self) -> usize {
        match self {
            Self::None => 0,
            Self::File(slice) => slice.length,
            Self::Memory(pieces) => pieces.iter().map(Bytes::len).sum(),
        }
    }
}

impl FetchedPartition {
    /// A partition that answers nothing but an error.
    pub fn failed(partition: i32, error: ResponseError) -> Self {
        Self {
            partition,
            error: Some(error),
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging: None,
            aborted: None,
            records: FetchedRecords::None,
        }
    }
}

/// What one topic answers.
#[derive(Debug)]
pub struct FetchedTopic {
    /// Its name; empty where only the id is known.
    pub name: String,
    /// Its id.
    pub id: Uuid,
    /// Its partitions.
    pub partitions: Vec<FetchedPartition>,
}

/// The whole answer.
#[derive(Debug, Default)]
pub struct Fetched {
    /// What is wrong with the request as a whole.
    pub error: Option<ResponseError>,
    /// The fetch session, or 0.
    pub session_id: i32,
    /// What was found.
    pub topics: Vec<FetchedTopic>,
}

/// The frame.
pub fn encode(correlation_id: i32, version: i16, fetched: Fetched) -> Result<Response, ResponseTooLong> {
    let partitions: usize = fetched.topics.iter().map(|topic| topic.partitions.len()).sum();
    let header_version = if version >= FLEXIBLE { 1 } else { 0 };
    let capacity = 64 + 96 * partitions + 280 * fetched.topics.len();
    let mut to = Encoder { version, builder: reply::begin(correlation_id, header_version, capacity) };
    to.buffer().put_i32(0);
    if version >= 7 {
        to.buffer().put_i16(code(fetched.error));
        to.buffer().put_i32(fetched.session_id);
    }
    to.array(fetched.topics.len());
    for topic in fetched.topics {
        to.topic(topic);
    }
    to.no_tags();
    to.builder.build()
}

fn code(error: Option<ResponseError>) -> i16 {
    error.map_or(0, |error| error.code())
}

struct Encoder {
    version: i16,
    builder: ResponseBuilder,
}

impl Encoder {
    fn buffer(&mut self) -> &mut BytesMut {
        self.builder.buffer()
    }

    fn is_flexible(&self) -> bool {
        self.version >= FLEXIBLE
    }

    /// The length of an array, or that there is none.
    fn nullable_array(&mut self, length: Option<usize>) {
        let length = length.map(|length| u32::try_from(length).expect("arrays here are bounded by a request's"));
        if self.is_flexible() {
            put_varint(self.buffer(), length.map_or(0, |length| length + 1));
        } else {
            self.buffer().put_i32(length.map_or(-1, |length| i32::try_from(length).unwrap_or(i32::MAX)));
        }
    }

    fn array(&mut self, length: usize) {
        self.nullable_array(Some(length));
    }

    fn no_tags(&mut self) {
        if self.is_flexible() {
            self.buffer().put_u8(0);
        }
    }

    fn topic(&mut self, topic: FetchedTopic) {
        if self.version >= TOPIC_IDS {
            self.buffer().put_slice(topic.id.as_bytes());
        } else {
            if self.is_flexible() {
                put_varint(self.buffer(), u32::try_from(topic.name.len()).unwrap_or(u32::MAX - 1) + 1);
            } else {
                self.buffer().put_i16(i16::try_from(topic.name.len()).unwrap_or(i16::MAX));
            }
            self.buffer().put_slice(topic.name.as_bytes());
        }
        self.array(topic.partitions.len());
        for partition in topic.partitions {
            self.partition(partition);
        }
        self.no_tags();
    }

    fn partition(&mut self, partition: FetchedPartition) {
        let version = self.version;
        let buffer = self.buffer();
        buffer.put_i32(partition.partition);
        buffer.put_i16(code(partition.error));
        buffer.put_i64(partition.high_watermark);
        buffer.put_i64(partition.last_stable_offset);
        if version >= 5 {
            buffer.put_i64(partition.log_start_offset);
        }
        self.nullable_array(partition.aborted.as_ref().map(Vec::len));
        for (producer_id, first_offset) in partition.aborted.into_iter().flatten() {
            self.buffer().put_i64(producer_id.0);
            self.buffer().put_i64(first_offset.get());
            self.no_tags();
        }
        if version >= 11 {
            // The preferred replica to read from: this one.
            self.buffer().put_i32(-1);
        }
        self.array(partition.records.length());
        match partition.records {
            FetchedRecords::None => {}
            FetchedRecords::File(slice) => self.builder.put_file(slice),
            FetchedRecords::Memory(pieces) => pieces.into_iter().for_each(|piece| self.builder.put_shared(piece)),
        }
        match partition.diverging.filter(|_| self.is_flexible()) {
            Some((epoch, end_offset)) => {
                // One tagged field, number 0, of 13 bytes: epoch, end offset, no tags of its own.
                self.buffer().put_slice(&[1, 0, 13]);
                self.buffer().put_i32(epoch.get());
                self.buffer().put_i64(end_offset.get());
                self.buffer().put_u8(0);
            }
            None => self.no_tags(),
        }
    }
}

/// Seven bits a byte, the lowest first.
fn put_varint(buffer: &mut BytesMut, mut value: u32) {
    while value >= 0x80 {
        buffer.put_u8(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    buffer.put_u8(u8::try_from(value).unwrap_or_default());
}
