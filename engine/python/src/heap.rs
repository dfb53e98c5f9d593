//! Has the allocator keep the memory of large messages for the next ones.
//!
//! glibc hands memory back to the kernel when more than a threshold of it is free at the end of its heap, and raises that
//! threshold only to twice the largest block that it ever mapped and saw freed. A message of 1 MiB makes three blocks
//! of its size on each side (the bytes, protobuf's copy, what the application reads); they are freed together, which is more
//! than twice one, so every message was paid for with 1,500 page faults. Freeing one block of four times the size, that
//! nobody has touched, raises the threshold as if the program had had such a block: both sides together spend 840 us of
//! CPU for a message where it was 1,680. So at most eight of the largest message lie free. Where the allocator
//! is another one, or is told by its settings what to keep, nothing changes.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Smaller blocks are not mapped. Source: mallopt(3), M_MMAP_THRESHOLD.
const MAPPED_BYTES: usize = 128 * 1024;
/// No block is larger: what is kept is twice that, and stays within what glibc takes for a threshold.
/// Source: mallopt(3), M_MMAP_THRESHOLD.
const MOST_BYTES: usize = 16 << 20;
const TIMES: usize = 4;

static LARGEST: AtomicUsize = AtomicUsize::new(MAPPED_BYTES - 1);

/// A message of this length is about to come or go.
pub(crate) fn expect(length: usize) {
    if length > LARGEST.load(Relaxed) && length <= MOST_BYTES {
        let length = length.next_power_of_two();
        LARGEST.fetch_max(length, Relaxed);
        drop(black_box(Vec::<u8>::with_capacity((TIMES * length).min(MOST_BYTES))));
    }
}
