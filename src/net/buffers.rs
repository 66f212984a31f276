//! Where frames too large for a connection's own buffer are kept, and used again.
//!
//! Memory that goes back to the system costs several times its weight when it is touched anew, so a few buffers of
//! each size are kept warm. A buffer returns to the pool, and its frame's permit to the budget, when the last slice
//! of the frame is dropped: what a log or a handler still looks at is still paid for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

use super::budget::FramePermit;

/// The smallest buffer that is kept.
const CLASS_BYTES_MIN: usize = 32 * 1024;
/// Sizes that are kept: 32 KiB to 2 MiB, so that a batch of the default `message.max.bytes` fits with its request.
const CLASSES: usize = 7;
/// What the pool keeps at most when nobody uses it.
const IDLE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Buffers by size.
#[derive(Debug, Default)]
pub struct BufferPool {
    classes: [Mutex<Vec<Vec<u8>>>; CLASSES],
    idle_bytes: AtomicUsize,
}

impl BufferPool {
    /// An empty pool.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// An empty buffer with room for `length` bytes at least.
    pub fn take(&self, length: usize) -> Vec<u8> {
        let Some(class) = class_of(length) else {
            return Vec::with_capacity(length);
        };
        let kept = self.classes.get(class).and_then(|kept| kept.lock().pop());
        match kept {
            Some(buffer) => {
                self.idle_bytes.fetch_sub(buffer.capacity(), Ordering::Relaxed);
                buffer
            }
            None => Vec::with_capacity(CLASS_BYTES_MIN << class),
        }
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        let Some(kept) = class_of(capacity).filter(|class| CLASS_BYTES_MIN << class == capacity) else {
            return;
        };
        if self.idle_bytes.load(Ordering::Relaxed) + capacity > IDLE_BYTES_MAX {
            return;
        }
        buffer.clear();
        self.idle_bytes.fetch_add(capacity, Ordering::Relaxed);
        if let Some(kept) = self.classes.get(kept) {
            kept.lock().push(buffer);
        }
    }
}

/// The class whose buffers hold `length` bytes; none for frames that are too large to keep.
fn class_of(length: usize) -> Option<usize> {
    (0..CLASSES).find(|class| CLASS_BYTES_MIN << class >= length)
}

/// A frame's buffer with what it holds of pool and budget.
struct PooledFrame {
    buffer: Vec<u8>,
    pool: Arc<BufferPool>,
    _permit: FramePermit,
}

impl AsRef<[u8]> for PooledFrame {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for PooledFrame {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.buffer));
    }
}

/// The bytes of a whole frame; pool and budget get their own back with the last slice.
pub(super) fn into_bytes(buffer: Vec<u8>, pool: &Arc<BufferPool>, permit: FramePermit) -> Bytes {
    Bytes::from_owner(PooledFrame { buffer, pool: Arc::clone(pool), _permit: permit })
}

#[cfg(test)]
mod tests {
    use super::super::budget::ByteBudget;
    use super::*;

    #[tokio::test]
    async fn a_buffer_comes_back_with_the_last_slice_of_its_frame() {
        let pool = BufferPool::new();
        let budget = ByteBudget::new(1000);
        let mut permit = FramePermit::new(&budget);
        permit.grow(600).await;
        let mut buffer = pool.take(40_000);
        buffer.extend_from_slice(&[7; 600]);
        let at = buffer.as_ptr();

        let frame = into_bytes(buffer, &pool, permit);
        let slice = frame.slice(100..200);
        drop(frame);
        assert_eq!(budget.available_bytes(), 400, "a slice still lives");
        assert_eq!(slice.len(), 100);
        drop(slice);
        assert_eq!(budget.available_bytes(), 1000);
        let again = pool.take(60_000);
        assert_eq!(again.as_ptr(), at, "the same memory again");
    }

    #[test]
    fn the_pool_keeps_no_more_than_its_bound() {
        let pool = BufferPool::new();
        let taken: Vec<_> = (0..20).map(|_| pool.take(2 * 1024 * 1024)).collect();
        taken.into_iter().for_each(|buffer| pool.give_back(buffer));
        assert!(pool.idle_bytes.load(Ordering::Relaxed) <= IDLE_BYTES_MAX);
        pool.give_back(Vec::with_capacity(100));
        pool.give_back(Vec::with_capacity(100 * 1024 * 1024));
        assert!(pool.idle_bytes.load(Ordering::Relaxed) <= IDLE_BYTES_MAX);
    }
}
