//! The line to a server, which can be cut, held and let go: what networks do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What happens to the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// They pass.
    Open,
    /// Each connection is cut when so many bytes have come back over it.
    CutAfter(u64),
    /// Connections stand and nothing passes, either way.
    Held,
}

/// A line; it ends with this value.
pub struct Line {
    pub address: SocketAddr,
    state: watch::Sender<State>,
    cuts: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
    _running: JoinSet<()>,
}

impl Line {
    /// To the server at `to`.
    pub async fn to(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = watch::Sender::new(State::Open);
        let (cuts, connections) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (seen, counted, open) = (state.clone(), Arc::clone(&cuts), Arc::clone(&connections));
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut ends = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let state = seen.clone();
                let (cuts, open) = (Arc::clone(&counted), Arc::clone(&open));
                ends.spawn(async move {
                    open.fetch_add(1, Ordering::SeqCst);
                    if carry(client, to, state).await {
                        cuts.fetch_add(1, Ordering::SeqCst);
                    }
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, state, cuts, connections, _running: running }
    }

    pub fn set(&self, state: State) {
        self.state.send_replace(state);
    }

    /// Connections that were cut so far.
    pub fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::SeqCst)
    }

    /// Connections that stand.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Carries one connection to its end; whether it was cut.
async fn carry(client: TcpStream, to: SocketAddr, state: watch::Sender<State>) -> bool {
    let Ok(server) = TcpStream::connect(to).await else { return false };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut up, mut down) = (state.subscribe(), state.subscribe());
    let upwards = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            if up.wait_for(|state| *state != State::Held).await.is_err()
                || to_server.write_all(&buffer[..read]).await.is_err()
            {
                break;
            }
        }
        false
    };
    let downwards = async {
        let mut buffer = vec![0; 16 * 1024];
        let mut came = 0u64;
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            let Ok(now) = down.wait_for(|state| *state != State::Held).await.map(|state| *state) else { break };
            came += read as u64;
            if matches!(now, State::CutAfter(most) if came > most) {
                return true;
            }
            if to_client.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
        false
    };
    // Either end closes both: a client that hangs up is seen even while the line is held.
    tokio::select! {
        cut = upwards => cut,
        cut = downwards => cut,
    }
}
