//! Layer 0: where memory comes from. Small blocks come from mimalloc, large ones from the system and straight back to it.
//!
//! The wire crate reserves memory for as many array entries as a frame *claims*. Here such a reservation is virtual and the
//! decode fails cleanly; with the system's allocator, forty bytes abort the process. It stands in the library so that test
//! binaries have it too.
//!
//! Large blocks are rare, and are gone soon: a batch that unfolds to hundreds of megabytes, and its copies. An allocator
//! that keeps what was freed keeps hundreds of megabytes then, and where a block grows it copies what nobody has written
//! to. Of the system, memory is taken as it is written to, moved without a copy, and given back at once.
//!
//! Invariant: whether a block is large follows from its layout alone, so that it goes back where it came from.

use mimalloc::MiMalloc;

#[cfg(not(target_os = "linux"))]
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: linux::BySize = linux::BySize;

#[cfg(target_os = "linux")]
mod linux {
    use std::alloc::{GlobalAlloc, Layout};
    use std::ptr::{self, null_mut};

    use rustix::mm::{Advice, MapFlags, MremapFlags, ProtFlags, madvise, mmap_anonymous, mremap, munmap};

    use super::MiMalloc;

    /// Blocks of this size and more are large: beyond what is used again and again, as buffers of parts and row groups are.
    pub(super) const LARGE_BYTES: usize = 32 * 1024 * 1024;
    /// What the system aligns to anyhow, on every machine.
    const PAGE_BYTES: usize = 4096;

    /// Takes large blocks from the system, others from mimalloc.
    pub(super) struct BySize;

    fn is_large(size: usize, align: usize) -> bool {
        size >= LARGE_BYTES && align <= PAGE_BYTES
    }

    fn map(size: usize) -> *mut u8 {
        let (access, how) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
        #[expect(unsafe_code, reason = "an allocator")]
        // SAFETY: no address is asked for, so nothing that is mapped is replaced.
        let mapped = unsafe { mmap_anonymous(null_mut(), size, access, how) };
        mapped.map_or(null_mut(), |block| block.cast())
    }

    /// Neighbouring mappings are one to the system, so unmapping may cut one in two, and fails where there are as many as may
    /// be (`vm.max_map_count`). Then the memory goes back, and addresses alone are lost.
    #[expect(unsafe_code, reason = "an allocator")]
    unsafe fn give_back(block: *mut u8, size: usize) {
        // SAFETY: the caller says that it is a mapping of that size, of which nothing is used any more.
        if unsafe { munmap(block.cast(), size) }.is_err() {
            // SAFETY: the same.
            let _ = unsafe { madvise(block.cast(), size, Advice::LinuxDontNeed) };
        }
    }

    #[expect(unsafe_code, reason = "an allocator")]
    // SAFETY: blocks are fresh mappings, or mimalloc's; each goes back, by its layout, to where it came from. A mapping is
    // zeroed, aligned to a page, and nothing here allocates or unwinds.
    unsafe impl GlobalAlloc for BySize {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            if is_large(layout.size(), layout.align()) {
                return map(layout.size());
            }
            // SAFETY: the caller's promises are passed on.
            unsafe { MiMalloc.alloc(layout) }
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            if is_large(layout.size(), layout.align()) {
                return map(layout.size());
            }
            // SAFETY: the caller's promises are passed on.
            unsafe { MiMalloc.alloc_zeroed(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            if is_large(layout.size(), layout.align()) {
                // SAFETY: it was mapped with this size, and nobody has it any more.
                unsafe { give_back(block, layout.size()) };
                return;
            }
            // SAFETY: the caller's promises are passed on, and mimalloc made it.
            unsafe { MiMalloc.dealloc(block, layout) }
        }

        unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            match (is_large(layout.size(), layout.align()), is_large(size, layout.align())) {
                // SAFETY: the caller's promises are passed on, and mimalloc made it.
                (false, false) => unsafe { MiMalloc.realloc(block, layout, size) },
                (true, true) => {
                    // SAFETY: it was mapped with this size, and nobody else knows where.
                    let moved = unsafe { mremap(block.cast(), layout.size(), size, MremapFlags::MAYMOVE) };
                    moved.map_or(null_mut(), |block| block.cast())
                }
                // SAFETY: both blocks are at least as long as what is copied, and apart; the old one is not used again.
                _ => unsafe {
                    let other = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                    if !other.is_null() {
                        ptr::copy_nonoverlapping(block, other, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                    other
                },
            }
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::linux::LARGE_BYTES;

    fn pattern(at: usize) -> u8 {
        u8::try_from(at % 251).unwrap()
    }

    #[test]
    fn blocks_keep_what_is_in_them_while_they_grow_and_shrink_across_the_bound() {
        let mut block: Vec<u8> = Vec::new();
        for length in [1, LARGE_BYTES - 1, LARGE_BYTES, LARGE_BYTES + 4097, 3 * LARGE_BYTES] {
            block.reserve_exact(length - block.len());
            block.extend((block.len()..length).map(pattern));
        }
        for length in [2 * LARGE_BYTES, LARGE_BYTES, LARGE_BYTES - 1, 100] {
            block.truncate(length);
            block.shrink_to_fit();
            assert!(block.iter().enumerate().step_by(997).all(|(at, &byte)| byte == pattern(at)), "{length}");
            assert_eq!(block.last(), Some(&pattern(length - 1)), "{length}");
        }
    }

    #[test]
    fn what_is_asked_for_zeroed_is_and_what_is_only_claimed_costs_nothing() {
        let zeroed = vec![0u8; LARGE_BYTES + 1];
        assert!(zeroed.iter().all(|&byte| byte == 0));
        let mut claimed: Vec<u8> = Vec::with_capacity(1 << 40);
        claimed.push(1);
        assert_eq!(claimed, [1]);
    }

    #[test]
    fn more_than_there_can_be_is_refused_and_not_an_abort() {
        let mut block = vec![1u8];
        assert!(block.try_reserve_exact(1 << 62).is_err());
        assert_eq!(block, [1]);
    }

    #[test]
    fn blocks_with_an_alignment_of_their_own_have_it() {
        #[repr(align(16384))]
        struct Page(u8);
        let mut pages: Vec<Page> = Vec::with_capacity(LARGE_BYTES / size_of::<Page>() + 1);
        pages.push(Page(7));
        assert_eq!((pages[0].0, pages.as_ptr().addr() % 16384), (7, 0));
    }
}
