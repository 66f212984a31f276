//! The HTTP client between `object_store` and the network: turns every refusal of a server into an error of a known
//! type, [`ServerAnswer`], before `object_store` makes a text of it.
//!
//! Invariant: of a refusal's body only the code, the message and the region are kept; bodies are read up to a bound.
//!
//! # Cancellation
//! Dropping a call closes its connection.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
    ReqwestConnector,
};

use super::xml;

/// More of a refusal is not read.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;
/// The answer to the end of an upload is small; more is not one.
const FINISHED_BYTES_MAX: usize = 1024 * 1024;
const MESSAGE_CHARS_MAX: usize = 300;

/// A server understood a request and did not do it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ServerAnswer {
    /// HTTP's status.
    pub(super) status: u16,
    /// The store's own code; empty where it gave none.
    pub(super) code: String,
    /// The store's own words; empty where it gave none.
    pub(super) message: String,
    /// Where the bucket really is, when that was the trouble; empty otherwise.
    pub(super) region: String,
    /// Which software answered; empty where it does not say.
    pub(super) server: String,
    /// Whether the bucket's server said it, and not one that gives out credentials.
    pub(super) of_bucket: bool,
}

impl fmt::Display for ServerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.of_bucket {
            f.write_str("the server that gives out credentials answered ")?;
        }
        write!(f, "{}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if !self.region.is_empty() {
            write!(f, " (the bucket is in region {}: set AWS_REGION)", self.region)?;
        }
        Ok(())
    }
}

impl std::error::Error for ServerAnswer {}

/// Code of an answer that has all bytes where a range was asked for.
pub(super) const RANGE_IGNORED: &str = "RangeIgnored";

/// Makes clients for one bucket.
#[derive(Debug)]
pub(super) struct Connector {
    /// Host and port of the bucket's endpoint.
    authority: Arc<str>,
}

impl Connector {
    /// For a bucket behind this endpoint.
    pub(super) fn new(endpoint: &url::Url) -> Self {
        let host = endpoint.host_str().unwrap_or_default();
        let authority = endpoint.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Self { authority: authority.into() }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Answers { client, authority: Arc::clone(&self.authority) }))
    }
}

#[derive(Debug)]
struct Answers {
    client: HttpClient,
    authority: Arc<str>,
}

#[async_trait]
impl HttpService for Answers {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let ranged = request.headers().contains_key("range");
        let finishes = request.method().as_str() == "POST"
            && request.uri().query().is_some_and(|query| query.contains("uploadId="));
        let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
        let of_bucket = authority.as_deref() == Some(&*self.authority);
        let response = self.client.execute(request).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(refused(refusal(response, of_bucket).await));
        }
        if ranged && of_bucket && status.as_u16() != 206 {
            let mut answer = described(&response, of_bucket);
            RANGE_IGNORED.clone_into(&mut answer.code);
            "all of an object came where a range was asked for".clone_into(&mut answer.message);
            return Err(refused(answer));
        }
        if finishes { finished(response, of_bucket).await } else { Ok(response) }
    }
}

fn refused(answer: ServerAnswer) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, answer)
}

/// What the head of an answer says.
fn described(response: &HttpResponse, of_bucket: bool) -> ServerAnswer {
    let header = |name: &str| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let status = response.status().as_u16();
    // Told with every refusal, and worth telling only where it is the trouble.
    let region = if matches!(status, 301 | 307 | 400) { header("x-amz-bucket-region") } else { String::new() };
    ServerAnswer {
        status,
        code: header("x-ms-error-code"),
        message: String::new(),
        region,
        server: header("server"),
        of_bucket,
    }
}

async fn refusal(response: HttpResponse, of_bucket: bool) -> ServerAnswer {
    let mut answer = described(&response, of_bucket);
    // A body that does not arrive takes nothing from the status.
    if let Ok(body) = up_to(response.into_body(), REFUSAL_BYTES_MAX).await {
        worded(&mut answer, &body);
    }
    answer
}

fn worded(answer: &mut ServerAnswer, body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    if xml::root(&text) != Some("Error") {
        return;
    }
    let code = xml::text_of(&text, "Code");
    if !code.is_empty() {
        answer.code = code;
    }
    answer.message = xml::text_of(&text, "Message").chars().take(MESSAGE_CHARS_MAX).collect();
    if matches!(answer.code.as_str(), "AuthorizationHeaderMalformed" | "PermanentRedirect") && answer.region.is_empty()
    {
        answer.region = xml::text_of(&text, "Region");
    }
}

/// An upload may be refused under status 200, because the store answers before it knows.
async fn finished(response: HttpResponse, of_bucket: bool) -> Result<HttpResponse, HttpError> {
    let mut answer = described(&response, of_bucket);
    let (head, body) = response.into_parts();
    let body = up_to(body, FINISHED_BYTES_MAX).await?;
    if xml::root(&String::from_utf8_lossy(&body)) == Some("Error") {
        worded(&mut answer, &body);
        return Err(refused(answer));
    }
    Ok(HttpResponse::from_parts(head, HttpResponseBody::from(body)))
}

async fn up_to(body: HttpResponseBody, most: usize) -> Result<Bytes, HttpError> {
    let mut bytes = BytesMut::new();
    let mut pieces = body.bytes_stream();
    while let Some(piece) = pieces.try_next().await? {
        let room = most.saturating_sub(bytes.len());
        bytes.extend_from_slice(piece.get(..room).unwrap_or(&piece));
        if piece.len() >= room {
            break;
        }
    }
    Ok(bytes.freeze())
}
