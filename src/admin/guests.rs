//! Who is connected over HTTP, and who goes when there is no room: whoever has been longest without a request.
//!
//! Invariant: never more than the bound are listed; the newest is always among them, and nobody is spared for a request
//! that is not whole. So nobody keeps health checks out by connecting, however often and however slowly.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// All who are connected.
#[derive(Debug)]
pub(super) struct Guests {
    most: usize,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    /// Counts arrivals and requests: who has the lower number has been silent for longer.
    turn: u64,
    known: HashMap<u64, Known>,
}

#[derive(Debug)]
struct Known {
    /// When it came, or last asked.
    turn: u64,
    /// Requests that it has made.
    asked: u64,
    /// Requests that came whole and are worked on.
    open: u32,
    leave: CancellationToken,
}

impl Guests {
    /// Room for so many.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, list: Mutex::default() })
    }

    /// One more; where there is no room, another is asked to leave.
    pub(super) fn admit(self: &Arc<Self>) -> Guest {
        let mut list = self.list.lock();
        while list.known.len() >= self.most.max(1) {
            // Whoever waits for an answer goes last.
            let longest = list.known.iter().min_by_key(|(_, known)| (known.open, known.turn)).map(|(id, _)| *id);
            let Some(left) = longest.and_then(|id| list.known.remove(&id)) else { break };
            left.leave.cancel();
        }
        list.turn += 1;
        let (id, leave) = (list.turn, CancellationToken::new());
        list.known.insert(id, Known { turn: id, asked: 0, open: 0, leave: leave.clone() });
        Guest { all: Arc::clone(self), id, leave }
    }

    /// Asks all to leave who have never asked for anything.
    pub(super) fn dismiss_silent(&self) {
        self.list.lock().known.values().filter(|known| known.asked == 0).for_each(|known| known.leave.cancel());
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Known, u64)) {
        let mut list = self.list.lock();
        list.turn += 1;
        let turn = list.turn;
        if let Some(known) = list.known.get_mut(&id) {
            change(known, turn);
        }
    }
}

/// One who is connected; forgotten when dropped.
#[derive(Debug)]
pub(super) struct Guest {
    all: Arc<Guests>,
    id: u64,
    leave: CancellationToken,
}

impl Guest {
    /// Ends when the room is needed.
    pub(super) async fn asked_to_leave(&self) {
        self.leave.cancelled().await;
    }

    /// It asks for something: the head of a request is there.
    pub(super) fn asks(&self) {
        self.all.change(self.id, |known, turn| {
            known.turn = turn;
            known.asked += 1;
        });
    }

    /// What it asks for is whole, and worked on until what is returned is dropped.
    pub(super) fn waits(self: &Arc<Self>) -> Waiting {
        self.all.change(self.id, |known, _| known.open += 1);
        Waiting(Arc::clone(self))
    }

    /// Whether it has ever asked for anything.
    pub(super) fn has_asked(&self) -> bool {
        self.all.list.lock().known.get(&self.id).is_some_and(|known| known.asked > 0)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.all.list.lock().known.remove(&self.id);
    }
}

/// A request that is worked on.
#[derive(Debug)]
pub(super) struct Waiting(Arc<Guest>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.all.change(self.0.id, |known, _| known.open -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_longest_without_a_request_goes_first() {
        let guests = Guests::new(3);
        let came: Vec<Arc<Guest>> = (0..3).map(|_| Arc::new(guests.admit())).collect();
        let gone = || came.iter().map(|guest| guest.leave.is_cancelled()).collect::<Vec<_>>();
        came[0].asks();
        let waiting = came[0].waits();
        came[1].asks();
        assert!(came[1].has_asked() && !came[2].has_asked());
        let newer = guests.admit();
        assert_eq!(gone(), [false, false, true], "the one that never asked");
        let newest = guests.admit();
        assert_eq!(gone(), [false, true, true], "then the one that asks for nothing now");
        drop(newer);
        let _last = guests.admit();
        assert_eq!(gone(), [false, true, true], "there was room");
        assert!(!newest.leave.is_cancelled());
        drop(waiting);
        drop(came);
        assert_eq!(guests.list.lock().known.len(), 2);
    }

    #[test]
    fn where_all_wait_for_an_answer_the_first_goes() {
        let guests = Guests::new(2);
        let came: Vec<Arc<Guest>> = (0..2).map(|_| Arc::new(guests.admit())).collect();
        came.iter().for_each(|guest| guest.asks());
        let _waiting: Vec<Waiting> = came.iter().map(Guest::waits).collect();
        let _third = guests.admit();
        assert!(came[0].leave.is_cancelled() && !came[1].leave.is_cancelled());
        guests.dismiss_silent();
        assert!(!came[1].leave.is_cancelled(), "it has asked");
    }
}
