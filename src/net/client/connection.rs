//! One connection to a broker. Requests overlap: each is known by its correlation id, and an answer finds who asked.
//!
//! ```text
//! call ── permit ── frame ──▶ queue ──▶ writing task ──▶ socket
//!   ▲                                                      │
//!   └── one-shot ◀── waiting, by correlation id ◀── reading task
//! ```
//!
//! # Cancellation
//! A call may be dropped at any time; its answer is thrown away when it comes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes, VersionRange};
use parking_lot::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::model::host_name;
use crate::net::frame::{FrameError, FrameMemory, FrameReader};

use super::error::ClientError;
use super::options::ClientOptions;
use super::versions;

/// What a request's buffer begins with: most fit.
const CAPACITY_BYTES: usize = 512;

/// Who waits for which answer. Gone once the connection is.
#[derive(Debug, Default)]
struct Waiting {
    answers: HashMap<i32, oneshot::Sender<Bytes>>,
    closed: Option<String>,
}

/// A connection to a broker.
#[derive(Debug)]
pub struct ClientConnection {
    address: String,
    options: ClientOptions,
    clock: Arc<dyn Clock>,
    queue: mpsc::Sender<Bytes>,
    waiting: Arc<Mutex<Waiting>>,
    in_flight: Arc<Semaphore>,
    correlation_id: AtomicI32,
    versions: HashMap<i16, VersionRange>,
    tasks: [JoinHandle<()>; 2],
}

impl ClientConnection {
    /// Connects to `host:port`, and asks which versions it serves.
    pub async fn open(address: &str, options: &ClientOptions, clock: &Arc<dyn Clock>) -> Result<Self, ClientError> {
        let unreachable = |reason: String| ClientError::Unreachable { address: address.to_owned(), reason };
        let stream = tokio::select! {
            connected = TcpStream::connect(address) => connected.map_err(|error| match error.to_string() {
                reason if host_name::is_unknown(&reason) => ClientError::UnknownHost { address: address.to_owned(), reason },
                reason => unreachable(reason),
            })?,
            () = clock.sleep(options.connect_timeout) => {
                return Err(unreachable(format!("nothing within {} s", options.connect_timeout.as_secs_f32())));
            }
        };
        stream.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
        let (read, write) = stream.into_split();
        let (queue, queued) = mpsc::channel(options.in_flight_max.max(1));
        let waiting = Arc::<Mutex<Waiting>>::default();
        let reader = FrameReader::new(
            read,
            FrameMemory::new(options.frame_bytes_max),
            options.frame_bytes_max,
            |_head, bytes_max| bytes_max,
        );
        let tasks = [
            tokio::spawn(receive(reader, Arc::clone(&waiting))),
            tokio::spawn(send(queued, write, Arc::clone(&waiting))),
        ];
        let mut connection = Self {
            address: address.to_owned(),
            in_flight: Arc::new(Semaphore::new(options.in_flight_max.max(1))),
            options: options.clone(),
            clock: Arc::clone(clock),
            queue,
            waiting,
            correlation_id: AtomicI32::new(1),
            versions: HashMap::new(),
            tasks,
        };
        connection.versions = versions::ask(&connection).await?;
        Ok(connection)
    }

    /// Where it leads.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether nothing can be asked any more.
    pub fn is_closed(&self) -> bool {
        self.waiting.lock().closed.is_some()
    }

    /// The newest version of a request that both sides speak, at most `most`.
    pub fn version<R: Request>(&self, most: i16) -> Result<i16, ClientError> {
        let ours = VersionRange { min: R::VERSIONS.min, max: R::VERSIONS.max.min(most) };
        let unsupported = |theirs: String| ClientError::Unsupported {
            address: self.address.clone(),
            api: api_name::<R>(),
            ours: ours.to_string(),
            theirs,
        };
        let theirs = self.versions.get(&R::KEY).ok_or_else(|| unsupported("none".to_owned()))?;
        let both = ours.intersect(theirs);
        if both.is_empty() { Err(unsupported(theirs.to_string())) } else { Ok(both.max) }
    }

    /// Asks, and waits for the answer: `longer` than for others, where the request itself says so.
    pub async fn call<R: Request>(
        &self,
        request: &R,
        version: i16,
        longer: Duration,
    ) -> Result<R::Response, ClientError> {
        let mut frame = self.call_raw(request, version, longer).await?;
        let undecodable =
            |reason: String| ClientError::Undecodable { address: self.address.clone(), api: api_name::<R>(), reason };
        ResponseHeader::decode(&mut frame, R::Response::header_version(version))
            .map_err(|error| undecodable(error.to_string()))?;
        let response = R::Response::decode(&mut frame, version).map_err(|error| undecodable(error.to_string()))?;
        if frame.is_empty() {
            return Ok(response);
        }
        Err(undecodable(format!("{} bytes follow it", frame.len())))
    }

    /// Asks, and returns the answer's frame, its header included.
    pub(super) async fn call_raw<R: Request>(
        &self,
        request: &R,
        version: i16,
        longer: Duration,
    ) -> Result<Bytes, ClientError> {
        let after = self.options.timeout + longer;
        tokio::select! {
            answer = self.ask(request, version) => answer,
            () = self.clock.sleep(after) => {
                Err(ClientError::TimedOut { address: self.address.clone(), api: api_name::<R>(), after })
            }
        }
    }

    /// Ends when the broker has read all that was sent before, with or without an answer: it takes requests in their order.
    pub async fn heard(&self) -> Result<(), ClientError> {
        versions::ask(self).await.map(drop)
    }

    /// Sends a request that has no answer: Produce with `acks=0`.
    pub(super) async fn tell<R: Request>(&self, request: &R, version: i16) -> Result<(), ClientError> {
        let frame = self.frame(request, version, self.next_id())?;
        self.queue.send(frame).await.map_err(|_| self.closed())
    }

    async fn ask<R: Request>(&self, request: &R, version: i16) -> Result<Bytes, ClientError> {
        let _permit = self.in_flight.acquire().await.map_err(|_| self.closed())?;
        let id = self.next_id();
        let frame = self.frame(request, version, id)?;
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock();
            if waiting.closed.is_some() {
                drop(waiting);
                return Err(self.closed());
            }
            waiting.answers.insert(id, answer);
        }
        let _forget = Forget { waiting: &self.waiting, id };
        self.queue.send(frame).await.map_err(|_| self.closed())?;
        answered.await.map_err(|_| self.closed())
    }

    fn frame<R: Request>(&self, request: &R, version: i16, id: i32) -> Result<Bytes, ClientError> {
        let unencodable = |reason: String| ClientError::Unencodable { api: api_name::<R>(), version, reason };
        let api = ApiKey::try_from(R::KEY).map_err(|()| unencodable("it has no number".to_owned()))?;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(id)
            .with_client_id(Some(StrBytes::from_string(self.options.client_id.clone())));
        let mut frame = BytesMut::with_capacity(CAPACITY_BYTES);
        frame.put_i32(0);
        header
            .encode(&mut frame, api.request_header_version(version))
            .and_then(|()| request.encode(&mut frame, version))
            .map_err(|error| unencodable(error.to_string()))?;
        let length = i32::try_from(frame.len() - 4).map_err(|_| unencodable("it is longer than a frame".to_owned()))?;
        if let Some(prefix) = frame.first_chunk_mut::<4>() {
            *prefix = length.to_be_bytes();
        }
        Ok(frame.freeze())
    }

    fn next_id(&self) -> i32 {
        self.correlation_id.fetch_add(1, Ordering::Relaxed)
    }

    fn closed(&self) -> ClientError {
        let reason = self.waiting.lock().closed.clone().unwrap_or_else(|| "it is gone".to_owned());
        ClientError::Closed { address: self.address.clone(), reason }
    }
}

impl Drop for ClientConnection {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Takes an answer off the list that nobody waits for any more.
struct Forget<'a> {
    waiting: &'a Mutex<Waiting>,
    id: i32,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.waiting.lock().answers.remove(&self.id);
    }
}

/// The request's name, for messages.
pub(super) fn api_name<R: Request>() -> &'static str {
    let name = std::any::type_name::<R>();
    let name = name.rsplit("::").next().unwrap_or(name);
    name.strip_suffix("Request").unwrap_or(name)
}

/// Brings every answer to whoever waits for it.
async fn receive(mut reader: FrameReader<OwnedReadHalf>, waiting: Arc<Mutex<Waiting>>) {
    let mut answered = false;
    let reason = loop {
        match reader.next().await {
            Ok(frame) => {
                answered = true;
                let Ok(id) = frame.clone().try_get_i32() else { break "it sent less than a header".to_owned() };
                let waits = waiting.lock().answers.remove(&id);
                // Nobody: then whoever asked has stopped waiting.
                if let Some(waits) = waits {
                    let _ = waits.send(frame);
                }
            }
            Err(error) => break ended(&error, answered),
        }
    };
    close(&waiting, reason);
}

/// Why no answer comes any more. What is read as a length says who answers where no Kafka does.
fn ended(error: &FrameError, answered: bool) -> String {
    let head = match error {
        FrameError::TooLarge { length, .. } => u32::try_from(*length).unwrap_or_default().to_be_bytes(),
        _ => [0; 4],
    };
    match head {
        [b'H', b'T', b'T', b'P'] => {
            "it speaks HTTP: this is no Kafka port (a broker's --http goes elsewhere)".to_owned()
        }
        [0x15, 0x03, ..] => "it speaks TLS, and this client does not".to_owned(),
        _ if !answered && matches!(error, FrameError::TooLarge { .. } | FrameError::Negative(_)) => {
            format!("what it says first is no answer of Kafka's ({error}): is that a Kafka port?")
        }
        _ => error.to_string(),
    }
}

/// Sends frames in the order in which they were asked.
async fn send(mut queued: mpsc::Receiver<Bytes>, mut write: OwnedWriteHalf, waiting: Arc<Mutex<Waiting>>) {
    while let Some(frame) = queued.recv().await {
        if let Err(error) = write.write_all(&frame).await {
            close(&waiting, format!("writing to the socket: {error}"));
            return;
        }
    }
}

/// Tells everybody who waits that no answer will come.
fn close(waiting: &Mutex<Waiting>, reason: String) {
    let mut waiting = waiting.lock();
    waiting.closed.get_or_insert(reason);
    waiting.answers.clear();
}
