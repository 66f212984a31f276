//! The loop that ties one socket to a service: frames in, answers out in the order of the frames.
//!
//! A service answers at once, or with a wait. Behind an [`Answer::Later`] further frames are taken (what it had to do
//! in order is done, it only waits); behind an [`Answer::Alone`] none is taken until it has ended, behind an
//! [`Answer::Begun`] none until what has to be done in order is done, elsewhere. Of the waits only the first is polled:
//! what the others wait for goes on by itself, and their replies could not leave anyway.
//!
//! Invariants: at most `in_flight_max` answers wait; nothing is read while the peer does not take what it asked for;
//! a peer that does nothing is let go after `idle_timeout`, one that holds memory others wait for much sooner, be it of a
//! frame that it does not finish or of a reply that it does not take.
//!
//! # Cancellation
//! Dropping [`Connection::run`] drops the waits. The `hurry` token tells waits that nobody will read their reply, or
//! that the broker stops: they should end early by themselves.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::sync::CancellationToken;

use super::contention::Contention;
use super::frame::{FrameBound, FrameError, FrameMemory, FrameReader};
use super::listener::Slot;
use super::metrics;
use super::response::Response;
use super::writer::FrameWriter;
use crate::clock::Clock;

/// How often a connection looks whether its peer is still there.
const TICK: Duration = Duration::from_secs(1);
/// The same while nothing is in flight.
const TICK_IDLE: Duration = Duration::from_secs(10);
/// How long half a frame may stand still while other connections wait for memory.
const STALLED_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a reply in memory from which on it counts as held.
const HELD_REPLY_BYTES_MIN: usize = 64 * 1024;
/// What a peer that holds a reply others wait for must take of it within [`STALLED_TIMEOUT`].
const TAKEN_BYTES_MIN: u64 = 256 * 1024;
/// Bytes of replies that may wait for the peer before further frames are read.
const REPLY_BYTES_MAX: usize = 1024 * 1024;

/// What a service makes of a frame.
pub enum Answer {
    /// The reply.
    Now(Response),
    /// The reply will come; further frames are taken meanwhile.
    Later(BoxFuture<'static, Reply>),
    /// The reply will come; no further frame is taken before.
    Alone(BoxFuture<'static, Reply>),
    /// What must be done in order is being done on another thread; no further frame is taken before that has ended, in
    /// the answer itself.
    Begun(BoxFuture<'static, Self>),
    /// No reply is due.
    Silent,
    /// Nothing more can be said: replies before this one are sent, then the connection is closed.
    Close,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now",
            Self::Later(_) => "Later",
            Self::Alone(_) => "Alone",
            Self::Begun(_) => "Begun",
            Self::Silent => "Silent",
            Self::Close => "Close",
        })
    }
}

/// How a wait ends.
#[derive(Debug)]
pub enum Reply {
    /// The reply.
    Response(Response),
    /// No reply is due.
    Silent,
    /// Close, once what came before is sent.
    Close,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Response(response) => Self::Now(response),
            Reply::Silent => Self::Silent,
            Reply::Close => Self::Close,
        }
    }
}

/// Takes the frames of one connection, in order.
pub trait Service: Send {
    /// Does what must be done in order, and says what becomes of the rest.
    fn answer(&mut self, frame: Bytes) -> Answer;
}

/// Bounds of one connection.
#[derive(Clone, Debug)]
pub struct ConnectionOptions {
    /// `socket.request.max.bytes`.
    pub frame_bytes_max: usize,
    /// A smaller bound by how a frame begins.
    pub frame_bound: FrameBound,
    /// Answers that may wait at once.
    pub in_flight_max: usize,
    /// `connections.max.idle.ms`.
    pub idle_timeout: Duration,
    /// Whether somebody waits for memory that replies hold.
    pub replies: Contention,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Closed {
    /// The peer closed it.
    #[error("the peer closed the connection")]
    ByPeer,
    /// The service closed it.
    #[error("the service closed the connection")]
    ByService,
    /// The broker stops.
    #[error("the broker stops")]
    Stopping,
    /// Nothing moved for too long.
    #[error("nothing moved for {0:?}")]
    Idle(Duration),
    /// Half a frame, or a reply, stood still while others waited for its memory.
    #[error("half a frame or a reply stood still while others waited for its memory")]
    Stalled,
    /// What came was no frame.
    #[error(transparent)]
    Frame(FrameError),
    /// Sending failed.
    #[error("sending: {0}")]
    Send(#[from] io::Error),
}

impl Closed {
    fn label(&self) -> &'static str {
        match self {
            Self::ByPeer => "peer",
            Self::ByService => "service",
            Self::Stopping => "stopping",
            Self::Idle(_) => "idle",
            Self::Stalled => "stalled",
            Self::Frame(_) => "frame",
            Self::Send(_) => "send",
        }
    }
}

/// An answer that keeps its place in the order.
enum Pending {
    Ready(Reply),
    Later(BoxFuture<'static, Reply>),
    Alone(BoxFuture<'static, Reply>),
    /// Always the last: nothing is taken behind it.
    Begun(BoxFuture<'static, Answer>),
}

/// What the waits of a connection have come to.
enum Moved {
    /// The first has its reply.
    Replied(Reply),
    /// The last knows how it is to be answered.
    Turned(Answer),
}

/// What moved last, and when.
#[derive(Debug)]
struct Movement {
    frames: u64,
    partial_bytes: usize,
    sent_bytes: u64,
    since: Duration,
}

/// One connection.
pub struct Connection {
    reader: FrameReader<OwnedReadHalf>,
    socket: OwnedWriteHalf,
    writer: FrameWriter,
    pending: VecDeque<Pending>,
    frames: u64,
    sent_reported_bytes: u64,
    ended: Option<Closed>,
    memory: FrameMemory,
    options: ConnectionOptions,
    clock: Arc<dyn Clock>,
    hurry: CancellationToken,
    _slot: Slot,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Connection {
    /// Takes a socket over.
    pub fn new(
        stream: TcpStream,
        slot: Slot,
        memory: FrameMemory,
        options: ConnectionOptions,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (read, socket) = stream.into_split();
        let reader = FrameReader::new(read, memory.clone(), options.frame_bytes_max, options.frame_bound);
        metrics::connection_opened();
        Self {
            reader,
            socket,
            writer: FrameWriter::default(),
            pending: VecDeque::new(),
            frames: 0,
            sent_reported_bytes: 0,
            ended: None,
            memory,
            options,
            clock,
            hurry: CancellationToken::new(),
            _slot: slot,
        }
    }

    /// Cancelled when waits should end early.
    pub fn hurry(&self) -> CancellationToken {
        self.hurry.clone()
    }

    /// Who is at the other end.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    /// Serves until the peer goes, the service closes or `drain` is cancelled and all replies are out.
    pub async fn run(mut self, service: &mut impl Service, drain: &CancellationToken) -> Closed {
        let _hurried_when_dropped = self.hurry.clone().drop_guard();
        let closed = self.serve(service, drain).await.unwrap_or_else(Closed::Send);
        self.report_sent();
        metrics::connection_closed(closed.label());
        closed
    }

    async fn serve(&mut self, service: &mut impl Service, drain: &CancellationToken) -> io::Result<Closed> {
        let mut movement = self.movement();
        let mut tick = self.clock.sleep(TICK);
        loop {
            self.take_buffered(service);
            self.writer.try_flush(self.socket.as_ref())?;
            if self.writer.is_empty()
                && self.pending.is_empty()
                && let Some(reason) = self.ended.take()
            {
                return Ok(reason);
            }
            let may_read = self.may_take();
            tokio::select! {
                biased;
                moved = next_move(&mut self.pending) => match moved {
                    Moved::Replied(reply) => {
                        self.pending.pop_front();
                        self.send(reply);
                    }
                    Moved::Turned(answer) => {
                        self.pending.pop_back();
                        self.settle(answer);
                    }
                },
                flushed = self.writer.flush(self.socket.as_ref()), if !self.writer.is_empty() => flushed?,
                frame = self.reader.next(), if may_read => match frame {
                    Ok(frame) => self.take(service, frame),
                    Err(error) => self.end(match error {
                        FrameError::Closed => Closed::ByPeer,
                        other => Closed::Frame(other),
                    }),
                },
                () = drain.cancelled(), if self.ended.is_none() => self.end(Closed::Stopping),
                () = &mut tick => {
                    if let Some(reason) = self.look(&mut movement) {
                        return Ok(reason);
                    }
                    let busy = !self.pending.is_empty() || !self.writer.is_empty() || self.reader.partial_bytes() > 0;
                    tick = self.clock.sleep(if busy { TICK } else { TICK_IDLE.min(self.options.idle_timeout) });
                }
            }
        }
    }

    /// Whether one more frame may be taken.
    fn may_take(&self) -> bool {
        self.ended.is_none()
            && self.pending.len() < self.options.in_flight_max
            && !matches!(self.pending.back(), Some(Pending::Alone(_) | Pending::Begun(_)))
            && self.writer.memory_bytes() < REPLY_BYTES_MAX
            && !self.writer.is_long()
    }

    /// Takes frames that have arrived already: many small ones cost one read and one write.
    fn take_buffered(&mut self, service: &mut impl Service) {
        while self.may_take() {
            match self.reader.buffered() {
                Ok(Some(frame)) => self.take(service, frame),
                Ok(None) => return,
                Err(error) => self.end(Closed::Frame(error)),
            }
        }
    }

    fn take(&mut self, service: &mut impl Service, frame: Bytes) {
        self.frames += 1;
        metrics::frame_received(frame.len() + 4);
        self.settle(service.answer(frame));
    }

    fn settle(&mut self, answer: Answer) {
        match answer {
            Answer::Now(response) => self.queue(Reply::Response(response)),
            Answer::Silent => {}
            Answer::Close => self.queue(Reply::Close),
            Answer::Later(wait) => self.pending.push_back(Pending::Later(wait)),
            Answer::Alone(wait) => self.pending.push_back(Pending::Alone(wait)),
            Answer::Begun(work) => self.pending.push_back(Pending::Begun(work)),
        }
    }

    /// A reply that is there, behind those that are not.
    fn queue(&mut self, reply: Reply) {
        if self.pending.is_empty() {
            self.send(reply);
        } else {
            self.pending.push_back(Pending::Ready(reply));
        }
    }

    /// The first of the order: to the writer, and with it those behind that are ready.
    fn send(&mut self, reply: Reply) {
        let mut next = Some(reply);
        while let Some(reply) = next {
            match reply {
                Reply::Response(response) => self.writer.push(response),
                Reply::Silent => {}
                Reply::Close => {
                    self.pending.clear();
                    self.end(Closed::ByService);
                }
            }
            next = match self.pending.pop_front_if(|pending| matches!(pending, Pending::Ready(_))) {
                Some(Pending::Ready(reply)) => Some(reply),
                _ => None,
            };
        }
    }

    /// Takes no more frames; what is in flight is still answered.
    fn end(&mut self, reason: Closed) {
        self.hurry.cancel();
        self.ended.get_or_insert(reason);
    }

    fn report_sent(&mut self) {
        let sent = self.writer.sent_bytes();
        metrics::sent(sent - self.sent_reported_bytes);
        self.sent_reported_bytes = sent;
    }

    fn movement(&self) -> Movement {
        Movement {
            frames: self.frames,
            partial_bytes: self.reader.partial_bytes(),
            sent_bytes: self.writer.sent_bytes(),
            since: self.clock.monotonic(),
        }
    }

    /// Looks whether the peer is still there and still does something.
    fn look(&mut self, last: &mut Movement) -> Option<Closed> {
        self.report_sent();
        if !self.pending.is_empty() && self.peer_has_closed() {
            self.end(Closed::ByPeer);
        }
        let now = self.movement();
        let holds_reply = self.writer.memory_bytes() >= HELD_REPLY_BYTES_MIN && self.options.replies.is_there();
        // A trickle is no movement while others wait.
        let enough_bytes = if holds_reply { TAKEN_BYTES_MIN } else { 1 };
        let moved = now.frames != last.frames
            || now.partial_bytes != last.partial_bytes
            || now.sent_bytes - last.sent_bytes >= enough_bytes;
        let working_for_it = !self.pending.is_empty() && self.writer.is_empty();
        if moved || working_for_it {
            *last = now;
            return None;
        }
        let still = now.since.saturating_sub(last.since);
        let holds_frame = self.reader.holds_budget() && self.memory.budget.is_contended();
        if (holds_frame || holds_reply) && still >= STALLED_TIMEOUT {
            return Some(Closed::Stalled);
        }
        (still >= self.options.idle_timeout).then_some(Closed::Idle(still))
    }

    fn peer_has_closed(&self) -> bool {
        let ready = self.socket.as_ref().ready(Interest::READABLE).now_or_never();
        matches!(ready, Some(Ok(ready)) if ready.is_read_closed())
    }
}

/// Ends with the first wait or with the work of the last; never where there is neither. May be dropped: both stay where
/// they are.
async fn next_move(pending: &mut VecDeque<Pending>) -> Moved {
    poll_fn(|context| {
        if let Some(Pending::Begun(work)) = pending.back_mut()
            && let Poll::Ready(answer) = work.poll_unpin(context)
        {
            return Poll::Ready(Moved::Turned(answer));
        }
        match pending.front_mut() {
            Some(Pending::Later(wait) | Pending::Alone(wait)) => wait.poll_unpin(context).map(Moved::Replied),
            Some(Pending::Ready(_) | Pending::Begun(_)) | None => Poll::Pending,
        }
    })
    .await
}
