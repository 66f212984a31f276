//! Health and readiness over a real socket.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::listening::CONNECTIONS_MAX;
use super::*;
use crate::clock::SystemClock;

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
async fn whoever_says_nothing_is_let_go_and_keeps_nobody_out() {
    let (status, clock, patience) = (Status::starting(), SystemClock::shared(), Duration::from_millis(500));
    let server = AdminServer::serve_patiently("127.0.0.1:0", status, clock, patience).await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        silent.push(TcpStream::connect(server.address()).await.unwrap());
    }
    // It waits in the system's queue until one of them has been let go.
    assert!(get(&server, "/healthz").await.starts_with("HTTP/1.1 200"));
    for mut stream in silent {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "");
    }
}
