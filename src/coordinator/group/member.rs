//! One member of a group.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::effects::Ticket;
use super::messages::{JoinRequest, Protocol};

/// A member, and what it waits for.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) group_instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) timeouts: Timeouts,
    /// In the order of preference.
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Bytes,
    pub(super) awaiting_join: Option<Ticket>,
    pub(super) awaiting_sync: Option<Ticket>,
    /// Not yet part of any generation: it may be given up while it waits in its join.
    pub(super) is_new: bool,
    /// When its session ends; `None` while it waits for others and no longer has to be heard of.
    pub(super) session_deadline: Option<i64>,
}

/// How long a member may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timeouts {
    pub(super) session_ms: i32,
    pub(super) rebalance_ms: i32,
}

impl Member {
    pub(super) fn new(request: &JoinRequest) -> Self {
        Self {
            group_instance_id: request.group_instance_id.clone(),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            timeouts: Timeouts { session_ms: request.session_timeout_ms, rebalance_ms: request.rebalance_timeout_ms },
            protocols: owned(&request.protocols),
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: true,
            session_deadline: None,
        }
    }

    /// What it said in this join counts from now on.
    pub(super) fn renew(&mut self, request: &JoinRequest) {
        self.protocols = owned(&request.protocols);
        self.timeouts = Timeouts { session_ms: request.session_timeout_ms, rebalance_ms: request.rebalance_timeout_ms };
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|known| known.name == protocol)
    }

    /// Its subscription in a protocol.
    pub(super) fn metadata(&self, protocol: Option<&str>) -> Bytes {
        let known = self.protocols.iter().find(|known| Some(known.name.as_str()) == protocol);
        known.map(|known| known.metadata.clone()).unwrap_or_default()
    }

    /// Which of these it likes best.
    pub(super) fn vote(&self, candidates: &BTreeSet<&str>) -> Option<&str> {
        self.protocols.iter().map(|known| known.name.as_str()).find(|name| candidates.contains(name))
    }

    /// Whether the end of its session is to be overlooked: it waits for others, not they for it.
    pub(super) fn excused(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }
}

/// Copies: a slice of a request would keep the whole request in memory for as long as the member lives.
fn owned(protocols: &[Protocol]) -> Vec<Protocol> {
    let copy = |protocol: &Protocol| Protocol {
        name: protocol.name.clone(),
        metadata: Bytes::copy_from_slice(&protocol.metadata),
    };
    protocols.iter().map(copy).collect()
}
