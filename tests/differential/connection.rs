//! Frames over one socket.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// How long an answer may take before the suite says that there is none.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Why there is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFrame {
    /// The broker has closed the connection.
    Closed,
    /// It says nothing.
    Silent,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
}

impl Connection {
    /// Connects; `None` where nobody listens.
    pub fn open(port: u16) -> Option<Self> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
        socket.set_nodelay(true).expect("a socket can be told not to wait");
        Some(Self { socket })
    }

    /// Sends bytes as they are. A broker that has gone is noticed by who reads.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        if self.socket.write_all(bytes).is_err() {
            // What it said before it went can still be read.
        }
    }

    /// Sends one frame.
    pub fn send(&mut self, frame: &[u8]) {
        let length = i32::try_from(frame.len()).expect("a frame of less than 2 GiB");
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend(frame);
        self.send_raw(&bytes);
    }

    /// The next frame.
    pub fn receive(&mut self, patience: Duration) -> Result<Vec<u8>, NoFrame> {
        self.socket.set_read_timeout(Some(patience)).expect("a timeout can be set");
        let mut length = [0; 4];
        self.fill(&mut length)?;
        let length = usize::try_from(i32::from_be_bytes(length)).map_err(|_| NoFrame::Closed)?;
        let mut frame = vec![0; length];
        self.fill(&mut frame)?;
        Ok(frame)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), NoFrame> {
        self.socket.read_exact(buffer).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => NoFrame::Silent,
            _ => NoFrame::Closed,
        })
    }
}
