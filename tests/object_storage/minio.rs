//! A MinIO process of a test's own, which can be killed, stopped and started again. `TIDELOG_TEST_MINIO` names the
//! binary; where it does not, the test says that it is skipped.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tidelog::clock::{Clock as _, SystemClock};
use tokio::net::{TcpListener, TcpStream};

use crate::home::keys;

/// The server; it ends with this value.
pub struct Minio {
    pub address: SocketAddr,
    binary: String,
    folder: TempDir,
    process: Child,
}

impl Minio {
    /// `None`, and a word about it, where there is no binary.
    pub async fn start() -> Option<Self> {
        let Ok(binary) = std::env::var("TIDELOG_TEST_MINIO") else {
            eprintln!("skipped: TIDELOG_TEST_MINIO names no MinIO (tests/run s3 sets it)");
            return None;
        };
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let folder = tempfile::tempdir().unwrap();
        // A folder is a bucket.
        std::fs::create_dir_all(folder.path().join("history")).unwrap();
        let process = spawn(&binary, address, &folder);
        let minio = Self { address, binary, folder, process };
        minio.listens().await;
        Some(minio)
    }

    async fn listens(&self) {
        let clock = SystemClock::new();
        while TcpStream::connect(self.address).await.is_err() {
            clock.sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Nothing is told to anybody.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub async fn start_again(&mut self) {
        self.process = spawn(&self.binary, self.address, &self.folder);
        self.listens().await;
    }

    /// Connections stand, and are made by the system; nothing is answered.
    pub fn hold(&self) {
        self.signal(Signal::STOP);
    }

    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }
}

impl Drop for Minio {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(binary: &str, address: SocketAddr, folder: &TempDir) -> Child {
    let keys = keys();
    Command::new(binary)
        .args(["server", "--address", &address.to_string()])
        .arg(folder.path())
        .env("MINIO_ROOT_USER", keys.access_key_id)
        .env("MINIO_ROOT_PASSWORD", keys.secret_access_key)
        .env("MINIO_BROWSER", "off")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
