//! Frames and connections over real sockets, with a service that does what the frame says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{BufMut, Bytes};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::connection::{Answer, Closed, Connection, ConnectionOptions, Reply, Service};
use super::contention::Contention;
use super::frame::{FrameError, FrameMemory, FrameReader};
use super::listener::{ConnectionLimits, Listener};
use super::response::{FileSlice, Response, ResponseBuilder};
use crate::clock::{ManualClock, SystemClock};
use crate::disk::{Disk, Open, RealDisk};

const FRAME_BYTES_MAX: usize = 1024 * 1024;

fn any_frame(_head: &[u8], bytes_max: usize) -> usize {
    bytes_max
}

fn framed(frame: &[u8]) -> Vec<u8> {
    let mut bytes = i32::try_from(frame.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(frame);
    bytes
}

fn response(bytes: &[u8]) -> Response {
    let mut builder = ResponseBuilder::new(bytes.len());
    builder.buffer().put_slice(bytes);
    builder.build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut(
        sizes in prop::collection::vec(0usize..70_000, 1..12),
        cut in 1usize..40_000,
        budget in 1usize..100_000,
    ) {
        let frames: Vec<Vec<u8>> =
            sizes.iter().enumerate().map(|(at, size)| vec![u8::try_from(at).unwrap(); *size]).collect();
        let wire: Vec<u8> = frames.iter().flat_map(|frame| framed(frame)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut near, far) = tokio::io::duplex(cut);
            let writing = tokio::spawn(async move { near.write_all(&wire).await.unwrap() });
            let memory = FrameMemory::new(budget);
            let mut reader = FrameReader::new(far, memory.clone(), FRAME_BYTES_MAX, any_frame);
            for frame in &frames {
                prop_assert_eq!(&reader.next().await.unwrap()[..], &frame[..]);
            }
            writing.await.unwrap();
            prop_assert!(matches!(reader.next().await, Err(FrameError::Closed)));
            prop_assert_eq!(memory.budget.available_bytes(), budget, "all of it came back");
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn lengths_out_of_bounds_and_cut_frames_are_refused() {
    let reader_of = |bytes: &'static [u8]| {
        FrameReader::new(bytes, FrameMemory::new(1000), FRAME_BYTES_MAX, |head, bytes_max| {
            if head.first() == Some(&9) { 10 } else { bytes_max }
        })
    };
    let negative = reader_of(&[0xff, 0xff, 0xff, 0xff]).next().await;
    assert!(matches!(negative, Err(FrameError::Negative(-1))));
    let large = reader_of(&[0x00, 0x10, 0x00, 0x01]).next().await;
    assert!(matches!(large, Err(FrameError::TooLarge { length: 1_048_577, bound: FRAME_BYTES_MAX })));
    let large_of_its_kind = reader_of(&[0, 0, 0, 11, 9, 9]).next().await;
    assert!(matches!(large_of_its_kind, Err(FrameError::TooLarge { length: 11, bound: 10 })));
    assert!(matches!(reader_of(&[0, 0, 0, 2, 1]).next().await, Err(FrameError::Cut)));
}

/// Frames begin with a letter: (e)cho now, (w)ait for the gate and then echo, wait (a)lone, (b)egin, which ends in a
/// wait with the gate open, (s)ilence, (c)lose, (f)ile: ten bytes from a file.
struct Letters {
    gate: watch::Receiver<bool>,
    file: FileSlice,
    hurry: CancellationToken,
}

impl Service for Letters {
    fn answer(&mut self, frame: Bytes) -> Answer {
        let mut gate = self.gate.clone();
        let hurry = self.hurry.clone();
        let reply = Reply::Response(response(&frame));
        let wait = async move {
            tokio::select! {
                _ = gate.wait_for(|open| *open) => reply,
                () = hurry.cancelled() => Reply::Response(response(b"hurried")),
            }
        };
        match frame.first() {
            Some(b'e') => Answer::Now(response(&frame)),
            Some(b'w') => Answer::Later(Box::pin(wait)),
            Some(b'a') => Answer::Alone(Box::pin(wait)),
            Some(b'b') => {
                Answer::Begun(Box::pin(async move { Answer::Later(Box::pin(std::future::ready(wait.await))) }))
            }
            Some(b's') => Answer::Silent,
            Some(b'f') => {
                let mut builder = ResponseBuilder::new(8);
                builder.buffer().put_slice(b"file:");
                builder.put_file(self.file.clone());
                builder.buffer().put_u8(b'.');
                Answer::Now(builder.build().unwrap())
            }
            _ => Answer::Close,
        }
    }
}

struct Served {
    stream: TcpStream,
    open: watch::Sender<bool>,
    drain: CancellationToken,
    clock: Arc<ManualClock>,
    ended: JoinHandle<Closed>,
    _dir: tempfile::TempDir,
}

async fn serve(memory: FrameMemory) -> Served {
    serve_among(memory, Contention::default()).await
}

async fn serve_among(memory: FrameMemory, replies: Contention) -> Served {
    let dir = tempfile::tempdir().unwrap();
    let file = RealDisk.open(&dir.path().join("x"), Open::CreateNew).unwrap();
    file.write_all_at(&vec![b'x'; 3_000_000], 0).unwrap();
    let listener = Listener::bind("127.0.0.1:0", ConnectionLimits::new(10, 10), SystemClock::shared()).await.unwrap();
    let address = listener.local_address().unwrap();
    let (stream, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (open, gate) = watch::channel(false);
    let (drain, clock) = (CancellationToken::new(), ManualClock::new(0));
    let options = ConnectionOptions {
        frame_bytes_max: FRAME_BYTES_MAX,
        frame_bound: any_frame,
        in_flight_max: 3,
        idle_timeout: Duration::from_secs(60),
        replies,
    };
    let connection = Connection::new(accepted.0, accepted.2, memory, options, Arc::<ManualClock>::clone(&clock));
    let mut service =
        Letters { gate, file: FileSlice { file, position: 0, length: 3_000_000 }, hurry: connection.hurry() };
    let draining = drain.clone();
    let ended = tokio::spawn(async move { connection.run(&mut service, &draining).await });
    Served { stream: stream.unwrap(), open, drain, clock, ended, _dir: dir }
}

impl Served {
    async fn send(&mut self, frames: &[&[u8]]) {
        let wire: Vec<u8> = frames.iter().flat_map(|frame| framed(frame)).collect();
        self.stream.write_all(&wire).await.unwrap();
    }

    async fn receive(&mut self) -> Vec<u8> {
        let length = self.stream.read_i32().await.unwrap();
        let mut frame = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut frame).await.unwrap();
        frame
    }
}

fn plenty() -> FrameMemory {
    FrameMemory::new(10_000_000)
}

#[tokio::test]
async fn replies_keep_the_order_of_the_frames_while_waits_overlap() {
    let mut served = serve(plenty()).await;
    served.send(&[b"e1", b"w2", b"e3", b"s", b"a4", b"e5", b"w6", b"e7", b"b8", b"e9"]).await;
    assert_eq!(served.receive().await, b"e1");
    let mut byte = [0];
    assert!(futures::poll!(Box::pin(served.stream.read(&mut byte))).is_pending(), "e3 is ready, w2 is not");
    served.open.send(true).unwrap();
    for expected in [b"w2", b"e3", b"a4", b"e5", b"w6", b"e7", b"b8", b"e9"] {
        assert_eq!(served.receive().await, expected);
    }
    drop(served.stream);
    assert!(matches!(served.ended.await.unwrap(), Closed::ByPeer));
}

#[tokio::test]
async fn files_are_sent_whole_to_a_peer_that_reads_slowly() {
    let mut served = serve(plenty()).await;
    served.send(&[b"f", b"f", b"e"]).await;
    for _ in 0..2 {
        let reply = served.receive().await;
        assert_eq!(reply.len(), 3_000_006);
        assert!(reply.starts_with(b"file:x") && reply.ends_with(b"x."));
    }
    assert_eq!(served.receive().await, b"e");
}

#[tokio::test]
async fn closing_answers_what_came_before() {
    let mut served = serve(plenty()).await;
    served.send(&[b"w1", b"c", b"e3"]).await;
    served.open.send(true).unwrap();
    assert_eq!(served.receive().await, b"w1");
    assert_eq!(served.stream.read(&mut [0]).await.unwrap_or(0), 0);
    assert!(matches!(served.ended.await.unwrap(), Closed::ByService));
}

#[tokio::test]
async fn draining_hurries_what_waits_and_sends_it() {
    let mut served = serve(plenty()).await;
    served.send(&[b"e0", b"a1"]).await;
    assert_eq!(served.receive().await, b"e0");
    served.drain.cancel();
    assert!(matches!(served.ended.await.unwrap(), Closed::Stopping));
    let mut rest = Vec::new();
    served.stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty() || rest == framed(b"hurried"), "a frame not yet taken is not answered");
}

#[tokio::test]
async fn a_peer_that_does_nothing_is_let_go() {
    let mut served = serve(plenty()).await;
    served.send(&[b"e"]).await;
    served.receive().await;
    while !served.ended.is_finished() {
        served.clock.advance(Duration::from_secs(5));
        tokio::task::yield_now().await;
    }
    assert!(matches!(served.ended.await.unwrap(), Closed::Idle(_)));
    assert_eq!(served.stream.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn halves_of_large_frames_go_when_others_wait_for_their_memory() {
    let memory = FrameMemory::new(20_000);
    let mut stalled = Vec::new();
    for _ in 0..3 {
        let mut one = serve(memory.clone()).await;
        one.stream.write_all(&framed(&[b'e'; 200_000])[..60_000]).await.unwrap();
        stalled.push(one);
    }
    while !memory.budget.is_contended() {
        tokio::task::yield_now().await;
    }
    let mut honest = serve(memory.clone()).await;
    honest.send(&[&[b'e'; 100_000]]).await;
    let clocks: Vec<_> = stalled.iter().map(|one| Arc::clone(&one.clock)).collect();
    let received = tokio::spawn(async move { honest.receive().await.len() });
    while !received.is_finished() {
        clocks.iter().for_each(|clock| clock.advance(Duration::from_secs(1)));
        tokio::task::yield_now().await;
    }
    assert_eq!(received.await.unwrap(), 100_000);
    for one in stalled {
        one.ended.abort();
        let ended = one.ended.await;
        assert!(matches!(ended, Ok(Closed::Stalled) | Err(_)), "{ended:?}");
    }
}

#[tokio::test]
async fn a_reply_that_is_not_taken_goes_when_others_wait_for_its_memory() {
    let waited_for = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&waited_for);
    let Served { stream, clock, ended, .. } =
        serve_among(plenty(), Contention::told_by(move || asked.load(Ordering::SeqCst))).await;
    let (mut read, mut write) = stream.into_split();
    // It asks and asks, and takes a byte at a time.
    let asking = tokio::spawn(async move { while write.write_all(&framed(&[b'e'; 500_000])).await.is_ok() {} });
    for _ in 0..20 {
        clock.advance(Duration::from_secs(1));
        read.read_u8().await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(!ended.is_finished(), "while nobody waits a slow peer is borne with");
    waited_for.store(true, Ordering::SeqCst);
    while !ended.is_finished() {
        clock.advance(Duration::from_secs(1));
        let _ = read.read_u8().await;
        tokio::task::yield_now().await;
    }
    let ended = ended.await.unwrap();
    assert!(matches!(ended, Closed::Stalled), "{ended:?}");
    asking.abort();
}
