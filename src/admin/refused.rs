//! Refusals of the admin API: a status code, and one line in JSON.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::shown::Refusal;

/// A refusal.
#[derive(Debug)]
pub(super) struct Refused {
    code: StatusCode,
    text: String,
}

impl Refused {
    /// The broker does not serve yet, or a store does not answer.
    pub(super) fn unavailable(text: impl ToString) -> Self {
        Self { code: StatusCode::SERVICE_UNAVAILABLE, text: text.to_string() }
    }

    /// There is no such thing.
    pub(super) fn not_found(text: impl ToString) -> Self {
        Self { code: StatusCode::NOT_FOUND, text: text.to_string() }
    }

    /// There is such a thing, and that cannot be done with it.
    pub(super) fn no_method(text: impl ToString) -> Self {
        Self { code: StatusCode::METHOD_NOT_ALLOWED, text: text.to_string() }
    }

    /// What was asked makes no sense.
    pub(super) fn bad(text: impl ToString) -> Self {
        Self { code: StatusCode::BAD_REQUEST, text: text.to_string() }
    }

    /// What was asked did not come in time, or is longer than anything that can be asked.
    pub(super) fn body(code: StatusCode, text: impl ToString) -> Self {
        Self { code, text: text.to_string() }
    }

    /// It cannot be done as things are.
    pub(super) fn conflict(text: impl ToString) -> Self {
        Self { code: StatusCode::CONFLICT, text: text.to_string() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.code, Json(Refusal { error: self.text })).into_response()
    }
}
