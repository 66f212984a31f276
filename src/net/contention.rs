//! Whether somebody waits for memory that replies hold. Who counts that memory is another room; here it is asked.

use std::fmt;
use std::sync::Arc;

/// Asks whether somebody waits.
#[derive(Clone)]
pub struct Contention(Arc<dyn Fn() -> bool + Send + Sync>);

impl Contention {
    /// By asking that.
    pub fn told_by(is_contended: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_contended))
    }

    /// Whether somebody waits now.
    pub(super) fn is_there(&self) -> bool {
        (self.0)()
    }
}

impl Default for Contention {
    /// Nobody ever waits.
    fn default() -> Self {
        Self::told_by(|| false)
    }
}

impl fmt::Debug for Contention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Contention").field(&self.is_there()).finish()
    }
}
