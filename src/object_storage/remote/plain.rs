//! Requests that `object_store` has no call for: one object's removal, its uploads, a bucket's own rules. Built here, signed by
//! each cloud in its way.

use bytes::BytesMut;
use futures::TryStreamExt;
use object_store::client::{HttpRequest, HttpRequestBody, HttpResponse};
use object_store::path::Path;

use super::failure::Cause;

/// Rules of a bucket are short.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// A request without a body.
pub(super) fn request(method: &str, url: &str) -> Result<HttpRequest, Cause> {
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.method_mut() = method.parse()?;
    *request.uri_mut() = url.parse()?;
    Ok(request)
}

/// The body of an answer, as text.
pub(super) async fn text(response: HttpResponse) -> Result<String, Cause> {
    let mut bytes = BytesMut::new();
    let mut pieces = response.into_body().bytes_stream();
    while let Some(piece) = pieces.try_next().await? {
        if bytes.len() + piece.len() > TEXT_BYTES_MAX {
            return Err("the answer is too long".into());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A path as it stands in a URL: everything but letters, digits, `-._~` and `/` is escaped, as signatures want it.
pub(super) fn encoded(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut url = String::with_capacity(path.as_ref().len());
    for byte in path.as_ref().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            url.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_once() {
        let path = Path::parse("a b/ü%20/x~1.parquet").unwrap();
        assert_eq!(encoded(&path), "a%20b/%C3%BC%2520/x~1.parquet");
        let request = request("DELETE", &format!("http://h:1/b/{}", encoded(&path))).unwrap();
        assert_eq!(request.uri().path(), "/b/a%20b/%C3%BC%2520/x~1.parquet");
    }
}
