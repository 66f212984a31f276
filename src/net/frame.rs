//! Frames: four bytes of length, big-endian, then that many bytes.
//!
//! Small frames are slices of the connection's own buffer. A larger one gets a buffer of its own once the small one
//! is full, and is charged to the [`ByteBudget`] step by step, never for more than twice what has arrived. The room
//! is reserved whole, so nothing is moved when it grows; memory that was never written to is not the machine's.
//!
//! [`FrameReader::next`] may be dropped at any await: what was read stays.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::budget::{ByteBudget, FramePermit};
use super::buffers::{BufferPool, into_bytes};

/// What every connection may hold without asking.
pub const SMALL_BUFFER_BYTES: usize = 16 * 1024;
/// The length before each frame.
const PREFIX_BYTES: usize = 4;
/// The largest step that a frame is charged for at once.
const STEP_BYTES_MAX: usize = 1024 * 1024;

/// Why no frame comes any more.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The peer closed between two frames.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer closed within a frame.
    #[error("the peer closed the connection within a frame")]
    Cut,
    /// The length is negative.
    #[error("a frame claims {0} bytes")]
    Negative(i32),
    /// The length is over the bound.
    #[error("a frame of {length} bytes is over the bound of {bound} bytes")]
    TooLarge {
        /// What the frame claims.
        length: usize,
        /// What it may.
        bound: usize,
    },
    /// The socket failed.
    #[error("reading from the socket: {0}")]
    Io(#[from] std::io::Error),
}

/// What frames share: the budget and the warm buffers.
#[derive(Clone, Debug)]
pub struct FrameMemory {
    /// What all frames may hold.
    pub budget: Arc<ByteBudget>,
    /// Buffers to use again.
    pub pool: Arc<BufferPool>,
}

impl FrameMemory {
    /// A budget of `bytes`, and an empty pool.
    pub fn new(bytes: usize) -> Self {
        Self { budget: ByteBudget::new(bytes), pool: BufferPool::new() }
    }
}

/// The largest frame that begins with these bytes (at least two are there).
pub type FrameBound = fn(head: &[u8], bytes_max: usize) -> usize;

/// Reads frames from one connection.
#[derive(Debug)]
pub struct FrameReader<R> {
    stream: R,
    memory: FrameMemory,
    bytes_max: usize,
    bound: FrameBound,
    small: BytesMut,
    large: Option<LargeFrame>,
}

/// A frame that has outgrown the small buffer.
#[derive(Debug)]
struct LargeFrame {
    buffer: Vec<u8>,
    length: usize,
    granted: usize,
    permit: FramePermit,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads from `stream` frames of at most `bytes_max`, or less where `bound` says so.
    pub fn new(stream: R, memory: FrameMemory, bytes_max: usize, bound: FrameBound) -> Self {
        Self { stream, memory, bytes_max, bound, small: BytesMut::new(), large: None }
    }

    /// The next frame.
    pub async fn next(&mut self) -> Result<Bytes, FrameError> {
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(frame);
            }
            self.read_more().await?;
        }
    }

    /// The next frame, if it has already arrived.
    pub fn buffered(&mut self) -> Result<Option<Bytes>, FrameError> {
        if let Some(large) = self.large.take_if(|large| large.buffer.len() >= large.length) {
            return Ok(Some(into_bytes(large.buffer, &self.memory.pool, large.permit)));
        }
        if self.large.is_some() {
            return Ok(None);
        }
        let Some(length) = self.announced_bytes()? else { return Ok(None) };
        if self.small.len() >= PREFIX_BYTES + length {
            self.small.advance(PREFIX_BYTES);
            return Ok(Some(self.small.split_to(length).freeze()));
        }
        Ok(None)
    }

    /// Bytes of a frame that has begun to arrive and is not whole.
    pub fn partial_bytes(&self) -> usize {
        self.large.as_ref().map_or(self.small.len(), |large| large.buffer.len())
    }

    /// Whether a frame has begun to arrive that holds memory others may wait for.
    pub fn holds_budget(&self) -> bool {
        self.large.is_some()
    }

    /// The length of the frame that the small buffer begins with, once it is there and found to be in bounds.
    fn announced_bytes(&self) -> Result<Option<usize>, FrameError> {
        let Some((prefix, head)) = self.small.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let claimed = i32::from_be_bytes(*prefix);
        let length = usize::try_from(claimed).map_err(|_| FrameError::Negative(claimed))?;
        let bound = if head.len() < 2 { self.bytes_max } else { (self.bound)(head, self.bytes_max) };
        if length > bound {
            return Err(FrameError::TooLarge { length, bound });
        }
        Ok(Some(length))
    }

    async fn read_more(&mut self) -> Result<(), FrameError> {
        if self.large.is_none() && self.small.len() >= SMALL_BUFFER_BYTES {
            self.begin_large()?;
        }
        let read = match &mut self.large {
            Some(large) => {
                let arrived = large.buffer.len();
                if large.granted <= arrived {
                    let step = (large.length - arrived).min(arrived.clamp(SMALL_BUFFER_BYTES, STEP_BYTES_MAX));
                    large.permit.grow(step).await;
                    large.granted = arrived + step;
                }
                let room = large.granted - arrived;
                self.stream.read_buf(&mut (&mut large.buffer).limit(room)).await?
            }
            None => {
                let room = SMALL_BUFFER_BYTES - self.small.len();
                self.small.reserve(room);
                self.stream.read_buf(&mut (&mut self.small).limit(room)).await?
            }
        };
        match read {
            0 if self.partial_bytes() == 0 => Err(FrameError::Closed),
            0 => Err(FrameError::Cut),
            _ => Ok(()),
        }
    }

    /// Moves what has arrived of a large frame into a buffer of its own.
    fn begin_large(&mut self) -> Result<(), FrameError> {
        let Some(length) = self.announced_bytes()? else { return Ok(()) };
        self.small.advance(PREFIX_BYTES);
        let mut buffer = self.memory.pool.take(length);
        buffer.extend_from_slice(&self.small);
        self.small.clear();
        let granted = buffer.len();
        let permit = FramePermit::new(&self.memory.budget);
        self.large = Some(LargeFrame { buffer, length, granted, permit });
        Ok(())
    }
}
