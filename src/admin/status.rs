//! What the process says of itself: set by whoever starts and stops it, read by health checks.

use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;

use crate::broker::Broker;

use super::refused::Refused;

/// How far the process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Logs are being opened.
    #[default]
    Starting,
    /// Clients are served.
    Ready,
    /// Clients are not served, and only a restart helps.
    Failed,
    /// Clients are being let go.
    Stopping,
}

impl Phase {
    /// One word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Stopping => "stopping",
        }
    }
}

/// The process, as operators see it.
#[derive(Debug, Default)]
pub struct Status {
    phase: RwLock<Phase>,
    broker: OnceLock<Arc<Broker>>,
}

impl Status {
    /// A process that starts.
    pub fn starting() -> Arc<Self> {
        Arc::default()
    }

    /// Clients are served from now on, by this broker.
    pub fn ready(&self, broker: &Arc<Broker>) {
        // Whoever asked first stays: a process has one broker.
        let _ = self.broker.set(Arc::clone(broker));
        *self.phase.write() = Phase::Ready;
    }

    /// Clients are let go from now on.
    pub fn stopping(&self) {
        *self.phase.write() = Phase::Stopping;
    }

    /// How far it is.
    pub fn phase(&self) -> Phase {
        let phase = *self.phase.read();
        if phase == Phase::Ready && self.failure().is_some() { Phase::Failed } else { phase }
    }

    /// Why clients are not served though the process runs, if so.
    pub(super) fn failure(&self) -> Option<String> {
        self.broker.get()?.failure()
    }

    /// The broker; a refusal where it does not serve clients yet.
    pub(super) fn serving(&self) -> Result<&Arc<Broker>, Refused> {
        self.broker
            .get()
            .ok_or_else(|| Refused::unavailable("the broker is starting; ask again when /readyz says ready"))
    }
}
