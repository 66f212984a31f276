//! A server that answers what it was told to, in turn, and keeps what it was asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// An answer.
#[derive(Clone)]
pub struct Canned {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: bytes::Bytes,
}

impl Canned {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: bytes::Bytes::new() }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<bytes::Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method, path and query.
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: bytes::Bytes,
}

impl Asked {
    /// A header's value; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }
}

/// A running server; it ends with this value.
pub struct Stub {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    _serving: JoinSet<()>,
}

impl Stub {
    pub async fn start(answers: Vec<Canned>) -> Self {
        let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let app = Router::new().fallback(move |request: Request| {
            let (answers, seen) = (Arc::clone(&answers), Arc::clone(&seen));
            async move { answer(request, &answers, &seen).await }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, asked, _serving: serving }
    }

    pub fn requests(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }

    /// The requests' first lines.
    pub fn lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|asked| asked.line).collect()
    }
}

async fn answer(request: Request, answers: &Mutex<VecDeque<Canned>>, seen: &Mutex<Vec<Asked>>) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 64 << 20).await.unwrap();
    let prefix = head.uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("prefix="));
    let prefix = prefix.unwrap_or_default().replace("%2F", "/");
    let value = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    seen.lock().push(Asked {
        line: format!("{} {}", head.method, head.uri),
        headers: head.headers.iter().map(|(name, text)| (name.to_string(), value(text))).collect(),
        body,
    });
    // More than was expected is answered so that a test fails at once and not at a deadline.
    let canned = answers.lock().pop_front().unwrap_or_else(|| Canned::status(418));
    let mut response = Response::builder().status(canned.status);
    for (name, value) in &canned.headers {
        response = response.header(*name, value);
    }
    // A listing may have to name what the test cannot know: `{prefix}` stands for the one that was asked for.
    let body = match std::str::from_utf8(&canned.body) {
        Ok(text) => text.replace("{prefix}", &prefix).into(),
        Err(_) => canned.body,
    };
    response.body(Body::from(body)).unwrap()
}
