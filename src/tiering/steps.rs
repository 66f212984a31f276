//! The durable steps of an object's life, by name, and a way for a test to stand between any two of them: there a crash
//! leaves what the next start has to find.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

/// What has just become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The topic's control file.
    TopicFile,
    /// The WRITING row.
    WritingRow,
    /// The store's upload, not noted yet.
    UploadBegun,
    /// Its id, in the row.
    UploadNoted,
    /// The object, whole.
    Uploaded,
    /// Its size and footer were read again.
    Reread,
    /// The LIVE row, not published yet.
    LiveRow,
    /// The new view.
    Published,
    /// The row of a failed attempt says DELETING.
    GivenUp,
    /// What a failed attempt sent is gone.
    Ended,
    /// The log start has moved in the catalog.
    LogStartRow,
    /// The log start has moved in the local log.
    LogStartLocal,
    /// The floor.
    Floor,
    /// The object of a DELETING row is gone, the row is not.
    ObjectGone,
    /// The row is gone.
    RowGone,
}

type Reached = dyn Fn(Step) -> BoxFuture<'static, ()> + Send + Sync;

/// Told of steps; by default nobody is.
#[derive(Clone, Default)]
pub struct StepHook(Option<Arc<Reached>>);

impl fmt::Debug for StepHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "StepHook(set)" } else { "StepHook" })
    }
}

impl StepHook {
    /// Calls `reached` at every step and waits for what it returns: for ever, where a crash is to be played.
    pub fn new(reached: impl Fn(Step) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(reached)))
    }

    /// A step is done.
    pub async fn reached(&self, step: Step) {
        if let Some(reached) = &self.0 {
            reached(step).await;
        }
    }
}
