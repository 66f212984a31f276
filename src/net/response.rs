//! What goes out for one frame: parts in memory, and slices of files that never pass through memory.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use crate::disk::DiskFile;

/// The length before each frame.
const PREFIX_BYTES: usize = 4;

/// A range of a file that will not change under it.
#[derive(Clone, Debug)]
pub struct FileSlice {
    /// The file; it stays open as long as the slice lives.
    pub file: Arc<dyn DiskFile>,
    /// Where the range begins.
    pub position: u64,
    /// How long it is.
    pub length: usize,
}

/// One stretch of a response.
#[derive(Clone, Debug)]
pub enum Part {
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    File(FileSlice),
}

impl Part {
    /// How long it is.
    pub fn length(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File(slice) => slice.length,
        }
    }
}

/// A whole frame, its length prefix included.
#[derive(Clone, Debug)]
pub struct Response {
    pub(super) first: Bytes,
    pub(super) rest: Vec<Part>,
}

impl Response {
    /// How long it is, with its prefix.
    pub fn length(&self) -> usize {
        self.first.len() + self.rest.iter().map(Part::length).sum::<usize>()
    }

    /// All of it in memory: for tests, and for those who would look inside.
    pub fn into_bytes(self) -> std::io::Result<Bytes> {
        let mut all = BytesMut::with_capacity(self.length());
        all.put(self.first);
        for part in self.rest {
            match part {
                Part::Bytes(bytes) => all.put(bytes),
                Part::File(slice) => {
                    let start = all.len();
                    all.resize(start + slice.length, 0);
                    let room = all.get_mut(start..).unwrap_or_default();
                    slice.file.read_exact_at(room, slice.position)?;
                }
            }
        }
        Ok(all.freeze())
    }
}

/// A response would be longer than a frame can say.
#[derive(Debug, thiserror::Error)]
#[error("a response of {0} bytes does not fit a frame")]
pub struct ResponseTooLong(usize);

/// Puts a response together, front to back.
#[derive(Debug)]
pub struct ResponseBuilder {
    /// What is written now; begins with room for the prefix as long as nothing was cut off before it.
    open: BytesMut,
    done: Vec<Part>,
    done_bytes: usize,
}

impl ResponseBuilder {
    /// A response that has room for `capacity` bytes before it grows.
    pub fn new(capacity: usize) -> Self {
        let mut open = BytesMut::with_capacity(PREFIX_BYTES + capacity);
        open.put_i32(0);
        Self { open, done: Vec::new(), done_bytes: 0 }
    }

    /// Where to write what comes next.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.open
    }

    /// Puts a range of a file next.
    pub fn put_file(&mut self, slice: FileSlice) {
        if slice.length > 0 {
            self.close_open();
            self.push(Part::File(slice));
        }
    }

    /// Puts bytes next without copying them.
    pub fn put_shared(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.close_open();
            self.push(Part::Bytes(bytes));
        }
    }

    /// The frame, with its length in front.
    pub fn build(mut self) -> Result<Response, ResponseTooLong> {
        let total = self.done_bytes + self.open.len();
        let length = i32::try_from(total.saturating_sub(PREFIX_BYTES)).map_err(|_| ResponseTooLong(total))?;
        if self.done.is_empty() {
            set_prefix(&mut self.open, length);
            return Ok(Response { first: self.open.freeze(), rest: Vec::new() });
        }
        self.close_open();
        let mut parts = self.done.into_iter();
        let mut first = match parts.next() {
            Some(Part::Bytes(first)) => BytesMut::from(first),
            Some(Part::File(_)) | None => BytesMut::new(),
        };
        set_prefix(&mut first, length);
        Ok(Response { first: first.freeze(), rest: parts.collect() })
    }

    fn close_open(&mut self) {
        if !self.open.is_empty() {
            let part = self.open.split().freeze();
            self.push(Part::Bytes(part));
        }
    }

    fn push(&mut self, part: Part) {
        self.done_bytes += part.length();
        self.done.push(part);
    }
}

fn set_prefix(first: &mut BytesMut, length: i32) {
    if let Some(prefix) = first.first_chunk_mut::<PREFIX_BYTES>() {
        *prefix = length.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk, Open, RealDisk};

    #[test]
    fn parts_follow_each_other_behind_the_length_of_them_all() {
        let dir = tempfile::tempdir().unwrap();
        let file = RealDisk.open(&dir.path().join("x"), Open::CreateNew).unwrap();
        file.write_all_at(b"0123456789", 0).unwrap();

        let mut builder = ResponseBuilder::new(16);
        builder.buffer().put_slice(b"head");
        builder.put_file(FileSlice { file, position: 3, length: 4 });
        builder.buffer().put_slice(b"tail");
        builder.put_shared(Bytes::from_static(b"shared"));
        let response = builder.build().unwrap();
        assert_eq!(response.length(), 22);
        assert_eq!(&response.into_bytes().unwrap()[..], b"\0\0\0\x12head3456tailshared");
    }

    #[test]
    fn a_response_in_memory_is_one_part() {
        let mut builder = ResponseBuilder::new(4);
        builder.buffer().put_slice(b"all");
        let response = builder.build().unwrap();
        assert!(response.rest.is_empty());
        assert_eq!(&response.first[..], b"\0\0\0\x03all");
    }
}
