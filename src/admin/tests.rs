//! Health and readiness over a real socket.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::listening::CONNECTIONS_MAX;
use super::*;
use crate::clock::{Clock, ManualClock, SystemClock};

async fn get(server: &AdminServer, path: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn health_is_there_before_readiness() {
    let status = Status::starting();
    let server = AdminServer::serve("127.0.0.1:0", Arc::clone(&status), SystemClock::shared()).await.unwrap();
    assert!(get(&server, "/healthz").await.starts_with("HTTP/1.1 200"));
    let waiting = get(&server, "/readyz").await;
    assert!(waiting.starts_with("HTTP/1.1 503") && waiting.ends_with("starting\n"), "{waiting}");
    status.stopping();
    assert!(get(&server, "/readyz").await.ends_with("stopping\n"));
    assert!(get(&server, "/metrics").await.contains("text/plain; version=0.0.4"));
    assert!(get(&server, "/nothing").await.starts_with("HTTP/1.1 404"));
    let address = server.address();
    server.stop(Duration::from_secs(5)).await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_port_in_use_is_told_with_the_remedy() {
    let first = AdminServer::serve("127.0.0.1:0", Status::starting(), SystemClock::shared()).await.unwrap();
    let address = first.address().to_string();
    let error = AdminServer::serve(&address, Status::starting(), SystemClock::shared()).await.unwrap_err().to_string();
    assert!(error.contains(&address) && error.contains("--http"), "{error}");
}

#[tokio::test]
async fn whoever_says_nothing_keeps_nobody_out() {
    // Time stands still: nobody is let go for having been silent for long.
    let server = AdminServer::serve("127.0.0.1:0", Status::starting(), ManualClock::new(0)).await.unwrap();
    let mut kept = TcpStream::connect(server.address()).await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        silent.push(TcpStream::connect(server.address()).await.unwrap());
        // It asks after each of them, and so has never been silent for longest.
        kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok\n") {
            assert!(kept.read_buf(&mut answer).await.unwrap() > 0, "it was closed");
        }
    }
    assert!(get(&server, "/healthz").await.starts_with("HTTP/1.1 200"));
    // The first two gave up their places, to the last of the silent ones and to the check.
    for mut stream in silent.drain(..2) {
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    }
    assert!(get(&server, "/readyz").await.starts_with("HTTP/1.1 503"));
    server.stop(Duration::from_secs(60)).await;
    for mut stream in silent {
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "who is silent does not keep the end waiting");
    }
}

/// The head of a request whose body is to follow.
const HEAD: &str = "POST /api/tier/skip HTTP/1.1\r\nHost: localhost\r\n";

/// One byte of nine, and the server waits for the rest.
async fn half_a_body(server: &AdminServer) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let begun = format!("{HEAD}Content-Length: 9\r\nExpect: 100-continue\r\n\r\n{{");
    stream.write_all(begun.as_bytes()).await.unwrap();
    let mut waited_for = [0; 25];
    stream.read_exact(&mut waited_for).await.unwrap();
    assert_eq!(&waited_for, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[tokio::test]
async fn whoever_sends_half_a_request_keeps_nobody_out() {
    // Time stands still: none of them is let go for being slow.
    let server = AdminServer::serve("127.0.0.1:0", Status::starting(), ManualClock::new(0)).await.unwrap();
    let mut half_sent = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        half_sent.push(half_a_body(&server).await);
    }
    // It has connected and not asked yet when another comes.
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    assert!(get(&server, "/healthz").await.starts_with("HTTP/1.1 200"));
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "its place was taken: {answer:?}");
    for mut stream in half_sent.drain(..2) {
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "those that were half sent first went");
    }
}

#[tokio::test]
async fn whoever_stops_half_way_is_let_go() {
    let clock = ManualClock::new(0);
    let shared = Arc::clone(&clock) as Arc<dyn Clock>;
    let server = AdminServer::serve("127.0.0.1:0", Status::starting(), shared).await.unwrap();
    let mut answers = Vec::new();
    let mut streams = Vec::new();
    for begun in ["", HEAD] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    streams.push(half_a_body(&server).await);
    for mut stream in streams {
        answers.push(tokio::spawn(async move {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        }));
    }
    while answers.iter().any(|answer| !answer.is_finished()) {
        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    let mut said = Vec::new();
    for answer in answers {
        said.push(answer.await.unwrap());
    }
    assert_eq!(said[..2], ["", ""]);
    assert!(said[2].starts_with("HTTP/1.1 408") && said[2].contains("not whole within 5 s"), "{}", said[2]);
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_as_json() {
    let server = AdminServer::serve("127.0.0.1:0", Status::starting(), SystemClock::shared()).await.unwrap();
    for (path, code, said) in [
        ("/nothing", 404, "there is no /nothing"),
        ("/api/segments", 400, "topic=T&partition=P"),
        ("/api/segments?topic=a&partition=x", 400, "topic=T&partition=P"),
        ("/api/tier/skip", 405, "does not take GET"),
    ] {
        let answer = get(&server, path).await;
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let refusal: shown::Refusal = serde_json::from_str(body).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {code}")) && refusal.error.contains(said), "{answer}");
    }
}
