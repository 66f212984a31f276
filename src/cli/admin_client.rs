//! Asks a broker's admin API: JSON over plain HTTP, one connection a question.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use crate::admin::shown::{Refusal, ShownBroker};
use crate::clock::{Clock, SystemClock};
use crate::config::listeners::{host_and_port, shown, without_scheme};

use super::outcome::{Exit, Failure};

/// The largest answer: a thousand segments with the longest names are a hundredth of it.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// So much of an answer that is not understood is shown.
const ANSWER_SHOWN_MAX: usize = 80;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Where the broker's HTTP is.
#[derive(Clone, Debug, Args)]
pub struct AdminArgs {
    /// The broker's HTTP address
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9600",
        env = "TIDELOG_HTTP",
        hide_env_values = true
    )]
    pub http: String,
}

/// Asks a broker.
#[derive(Debug)]
pub struct AdminClient {
    address: String,
    clock: Arc<dyn Clock>,
}

impl AdminClient {
    /// Asks whoever answers at `args`.
    pub fn new(args: &AdminArgs) -> Result<Self, Failure> {
        let wrong = |reason| Failure::usage(format!("--http {}: {reason}", args.http));
        let address = shown(&host_and_port(without_scheme(&args.http)).map_err(wrong)?);
        Ok(Self { address, clock: SystemClock::shared() })
    }

    /// Who answers.
    pub async fn broker(&self) -> Result<ShownBroker, Failure> {
        self.get("/api/broker").await
    }

    /// Asks for something.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// Asks to do something.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, wish: &impl Serialize) -> Result<T, Failure> {
        let body = serde_json::to_vec(wish).map_err(Failure::failed)?;
        self.ask(Method::POST, path, Bytes::from(body)).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T, Failure> {
        let (code, answer) = tokio::select! {
            answer = self.exchange(method, path, body) => answer?,
            () = self.clock.sleep(TIMEOUT) => {
                return Err(self.unreachable(format!("no answer within {} s", TIMEOUT.as_secs())));
            }
        };
        if code.is_success() {
            return serde_json::from_slice(&answer).map_err(|error| {
                Failure::failed(format!("the answer of http://{}{path} makes no sense: {error}", self.address))
            });
        }
        let exit = match code {
            StatusCode::NOT_FOUND => Exit::NotFound,
            StatusCode::SERVICE_UNAVAILABLE => Exit::Unreachable,
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Exit::Usage,
            _ => Exit::Failed,
        };
        match serde_json::from_slice::<Refusal>(&answer) {
            Ok(refusal) => Err(Failure::new(exit, refusal.error.trim())),
            Err(_) => Err(Failure::new(Exit::Unreachable, self.another(code, &answer))),
        }
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), Failure> {
        let stream = TcpStream::connect(&self.address).await.map_err(|error| self.unreachable(error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.unreachable(error))?;
        let driving = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.address)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(Failure::failed)?;
        let answer = sender.send_request(request).await.map_err(|error| self.no_answer(&error))?;
        let code = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| self.unreachable(error))?.to_bytes();
        driving.abort();
        Ok((code, body))
    }

    /// Whoever answers so is no broker, or one that is only half there.
    fn another(&self, code: StatusCode, answer: &[u8]) -> String {
        let words: String = String::from_utf8_lossy(answer).chars().take(ANSWER_SHOWN_MAX).collect();
        let line = words.lines().next().unwrap_or_default().trim();
        format!(
            "http://{} answers {code} {line}: that is no broker's answer; --http names the HTTP address of one, 9600 where \
             nobody says otherwise",
            self.address
        )
    }

    /// A Kafka port takes the request for a frame that is far too long, and hangs up.
    fn no_answer(&self, error: &hyper::Error) -> Failure {
        if !error.is_incomplete_message() && !error.is_parse() {
            return self.unreachable(error);
        }
        let text = format!(
            "{} does not speak HTTP ({error}): it may be a Kafka port, which --bootstrap-server names; --http is another, \
             9600 where nobody says otherwise",
            self.address
        );
        Failure::new(Exit::Unreachable, text)
    }

    fn unreachable(&self, error: impl ToString) -> Failure {
        let text = format!(
            "no broker answers at http://{}: {}; say --http, or start one: tidelog serve",
            self.address,
            error.to_string()
        );
        Failure::new(Exit::Unreachable, text)
    }
}

/// A text as part of a URL's query.
pub fn query(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
