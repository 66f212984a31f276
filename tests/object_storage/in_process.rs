//! An S3 server in this process, over a folder of its own. Its conditional writes are not atomic, so no race is run on
//! it; it makes a bucket that it does not know; and of an upload that it does not know it says that access is denied,
//! which is put right here.

use std::net::SocketAddr;

use axum::Router;
use axum::error_handling::HandleError;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tidelog::object_storage::options::S3Options;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::home::keys;

/// A running server; it ends with this value.
pub struct Server {
    pub address: SocketAddr,
    pub bucket: String,
    _folder: TempDir,
    _serving: JoinSet<()>,
}

impl Server {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bucket = "history".to_owned();
        std::fs::create_dir(folder.path().join(&bucket)).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        let keys = keys();
        builder.set_auth(SimpleAuth::from_single(keys.access_key_id, keys.secret_access_key));
        let failed = |error: s3s::HttpError| async move { (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}")) };
        let app =
            Router::new().fallback_service(HandleError::new(builder.build(), failed)).layer(from_fn(as_s3_says_it));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, bucket, _folder: folder, _serving: serving }
    }

    /// How to reach it.
    pub fn options(&self) -> S3Options {
        options(self.address)
    }
}

async fn as_s3_says_it(request: Request, next: Next) -> Response {
    let of_upload = request.uri().query().is_some_and(|query| query.contains("uploadId="));
    let response = next.run(request).await;
    if of_upload && response.status() == StatusCode::FORBIDDEN {
        return (StatusCode::NOT_FOUND, "<Error><Code>NoSuchUpload</Code></Error>").into_response();
    }
    response
}

/// How to reach an S3 server at an address.
pub fn options(address: SocketAddr) -> S3Options {
    S3Options {
        endpoint: Some(format!("http://{address}")),
        region: Some("us-east-1".to_owned()),
        credentials: Some(keys()),
        ..S3Options::default()
    }
}
