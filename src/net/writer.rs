//! Sends responses in order: memory by vectored writes, files by `sendfile`, as much as the socket takes.
//!
//! What a file slice holds is nearly always in the page cache; where it is not, it is brought there by a thread that
//! may wait for a disk, so that the connections that share a worker with this one do not.
//!
//! [`FrameWriter::flush`] may be dropped at any await: what was not sent stays queued.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Buf;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::response::{FileSlice, Part, Response};

/// Parts in one vectored write.
const PARTS_PER_WRITE: usize = 32;
/// Parts that wait before the connection takes no further frame.
const PARTS_MAX: usize = 256;
/// Bytes of a file in one call: long enough that the call is nothing, short enough to share a worker.
const FILE_CHUNK_BYTES: usize = 512 * 1024;
/// Bytes sent before others on the same worker get a turn.
const TURN_BYTES: usize = 2 * 1024 * 1024;
/// Bytes read at once where a file must first be brought into memory.
const WARM_STEP_BYTES: usize = 128 * 1024;

/// Responses on their way out of one connection.
#[derive(Debug, Default)]
pub struct FrameWriter {
    queue: VecDeque<Part>,
    memory_bytes: usize,
    sent_bytes: u64,
    warming: Option<JoinHandle<io::Result<()>>>,
    /// How much of the first part, a file, is known to be in the page cache.
    warm_bytes: usize,
}

/// How far an attempt to send came.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Done,
    SocketFull,
    NotInMemory,
    TurnOver,
}

impl FrameWriter {
    /// Puts a response behind those before it.
    pub fn push(&mut self, response: Response) {
        self.memory_bytes += response.first.len();
        self.queue.push_back(Part::Bytes(response.first));
        for part in response.rest {
            if let Part::Bytes(bytes) = &part {
                self.memory_bytes += bytes.len();
            }
            self.queue.push_back(part);
        }
    }

    /// Whether everything was given to the socket.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether so many parts wait that no more should be asked for.
    pub fn is_long(&self) -> bool {
        self.queue.len() >= PARTS_MAX
    }

    /// Bytes of memory that wait to be sent.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Bytes given to the socket so far.
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Sends what the socket takes without waiting.
    pub fn try_flush(&mut self, stream: &TcpStream) -> io::Result<()> {
        if self.warming.is_none() {
            self.send(stream)?;
        }
        Ok(())
    }

    /// Sends everything.
    pub async fn flush(&mut self, stream: &TcpStream) -> io::Result<()> {
        loop {
            if let Some(warming) = &mut self.warming {
                let warmed = warming.await;
                self.warming = None;
                warmed.map_err(io::Error::other)??;
                self.warm_bytes = self.first_file_chunk();
            }
            match self.send(stream)? {
                Progress::Done => return Ok(()),
                Progress::SocketFull => stream.writable().await?,
                Progress::TurnOver => tokio::task::yield_now().await,
                Progress::NotInMemory => self.begin_warming(),
            }
        }
    }

    fn send(&mut self, stream: &TcpStream) -> io::Result<Progress> {
        let turn_ends = self.sent_bytes + TURN_BYTES as u64;
        while let Some(first) = self.queue.front() {
            if self.sent_bytes >= turn_ends {
                return Ok(Progress::TurnOver);
            }
            let sent = match first {
                Part::Bytes(_) => send_memory(stream, &self.queue),
                Part::File(slice) => {
                    let chunk = slice.length.min(FILE_CHUNK_BYTES);
                    if self.warm_bytes == 0 && !is_in_memory(slice, chunk) {
                        return Ok(Progress::NotInMemory);
                    }
                    send_file(stream, slice, chunk)
                }
            };
            match sent {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                Ok(sent) => self.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Progress::SocketFull),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Progress::Done)
    }

    fn first_file_chunk(&self) -> usize {
        match self.queue.front() {
            Some(Part::File(slice)) => slice.length.min(FILE_CHUNK_BYTES),
            Some(Part::Bytes(_)) | None => 0,
        }
    }

    fn begin_warming(&mut self) {
        if let Some(Part::File(slice)) = self.queue.front() {
            let (slice, chunk) = (slice.clone(), self.first_file_chunk());
            self.warming = Some(tokio::task::spawn_blocking(move || bring_into_memory(&slice, chunk)));
        }
    }

    fn advance(&mut self, sent: usize) {
        self.sent_bytes += sent as u64;
        let mut left = sent;
        while left > 0 {
            let Some(first) = self.queue.front_mut() else { return };
            let taken = left.min(first.length());
            left -= taken;
            match first {
                Part::Bytes(bytes) => {
                    bytes.advance(taken);
                    self.memory_bytes -= taken;
                }
                Part::File(slice) => {
                    slice.position += taken as u64;
                    slice.length -= taken;
                    self.warm_bytes = self.warm_bytes.saturating_sub(taken);
                }
            }
            if first.length() == 0 {
                self.queue.pop_front();
                self.warm_bytes = 0;
            }
        }
    }
}

/// Writes the parts in memory at the head of the queue.
fn send_memory(stream: &TcpStream, queue: &VecDeque<Part>) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); PARTS_PER_WRITE];
    let mut parts = queue.iter().peekable();
    let mut filled = 0;
    for (slice, part) in slices.iter_mut().zip(std::iter::from_fn(|| parts.next_if(|p| matches!(p, Part::Bytes(_))))) {
        if let Part::Bytes(bytes) = part {
            *slice = IoSlice::new(bytes);
            filled += 1;
        }
    }
    let more_follows = parts.peek().is_some();
    write_slices(stream, slices.get(..filled).unwrap_or_default(), more_follows)
}

/// `MSG_MORE` keeps the few bytes before a file from leaving as a packet of their own.
#[cfg(target_os = "linux")]
fn write_slices(stream: &TcpStream, slices: &[IoSlice<'_>], more_follows: bool) -> io::Result<usize> {
    use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
    let mut flags = SendFlags::NOSIGNAL;
    flags.set(SendFlags::MORE, more_follows);
    stream.try_io(Interest::WRITABLE, || Ok(sendmsg(stream, slices, &mut SendAncillaryBuffer::default(), flags)?))
}

#[cfg(not(target_os = "linux"))]
fn write_slices(stream: &TcpStream, slices: &[IoSlice<'_>], _more_follows: bool) -> io::Result<usize> {
    stream.try_write_vectored(slices)
}

#[cfg(target_os = "linux")]
fn send_file(stream: &TcpStream, slice: &FileSlice, chunk: usize) -> io::Result<usize> {
    let mut position = slice.position;
    let sent = stream.try_io(Interest::WRITABLE, || {
        Ok(rustix::fs::sendfile(stream, slice.file.as_fd(), Some(&mut position), chunk)?)
    })?;
    if sent == 0 { Err(file_too_short(slice)) } else { Ok(sent) }
}

#[cfg(not(target_os = "linux"))]
fn send_file(stream: &TcpStream, slice: &FileSlice, chunk: usize) -> io::Result<usize> {
    let mut buffer = vec![0; chunk.min(WARM_STEP_BYTES)];
    let read = slice.file.read_at(&mut buffer, slice.position)?;
    match buffer.get(..read) {
        None | Some([]) => Err(file_too_short(slice)),
        Some(bytes) => stream.try_write(bytes),
    }
}

fn file_too_short(slice: &FileSlice) -> io::Error {
    let FileSlice { position, length, .. } = slice;
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("the file ends before {length} bytes from {position}"))
}

/// Whether both ends of the chunk can be read without a disk. What lies between came with them.
#[cfg(target_os = "linux")]
fn is_in_memory(slice: &FileSlice, chunk: usize) -> bool {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    let last = slice.position + (chunk as u64).saturating_sub(1);
    [slice.position, last].into_iter().all(|position| {
        let mut byte = [0];
        let probe = &mut [io::IoSliceMut::new(&mut byte)];
        // A file system that cannot tell is taken at its word: sendfile will wait for it.
        !matches!(preadv2(slice.file.as_fd(), probe, position, ReadWriteFlags::NOWAIT), Err(Errno::AGAIN))
    })
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_slice: &FileSlice, _chunk: usize) -> bool {
    true
}

/// Reads the chunk once, for what that leaves in the page cache.
fn bring_into_memory(slice: &FileSlice, chunk: usize) -> io::Result<()> {
    let mut buffer = vec![0; chunk.min(WARM_STEP_BYTES)];
    let (mut position, end) = (slice.position, slice.position + chunk as u64);
    while position < end {
        match slice.file.read_at(&mut buffer, position)? {
            0 => return Err(file_too_short(slice)),
            read => position += read as u64,
        }
    }
    Ok(())
}
