//! The ring of aligned buffers between reader and writer: the memory of the data path, all of it taken before anything is
//! read. While bytes flow it stays as it is; between two plans it may be parted into buffers of another size.

use dss::model::ByteCount;
use tokio::sync::mpsc;

/// The alignment that direct I/O on common devices asks for, in bytes (open(2), O_DIRECT: the logical block size).
pub const ALIGNMENT: usize = 4096;

/// How many buffers make one for large extents.
const PIECE: usize = 4;
/// Fewer buffers than these would have reader, verifier and writer wait for each other.
const PIECES_MIN: usize = 8;

/// One buffer of the ring. It goes back when dropped.
#[derive(Debug)]
pub struct Buffer {
    storage: Vec<u8>,
    start: usize,
    /// How many bytes it holds: the same for all, wherever their storage came to lie.
    size: usize,
    filled: usize,
    home: mpsc::UnboundedSender<Vec<u8>>,
}

impl Buffer {
    /// All of its room, to be filled.
    pub fn room(&mut self) -> &mut [u8] {
        self.filled = 0;
        &mut self.storage[self.start..self.start + self.size]
    }

    /// Says how much of the room was filled.
    pub fn set_filled(&mut self, bytes: usize) {
        assert!(bytes <= self.size, "a buffer holds no more than its room");
        self.filled = bytes;
    }

    /// What was filled.
    pub fn bytes(&self) -> &[u8] {
        &self.storage[self.start..self.start + self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // The ring may be gone already; then so is the need for the buffer.
        let _ = self.home.send(std::mem::take(&mut self.storage));
    }
}

/// A fixed number of buffers of a fixed size.
#[derive(Debug)]
pub struct Ring {
    idle: mpsc::UnboundedReceiver<Vec<u8>>,
    home: mpsc::UnboundedSender<Vec<u8>>,
    count: usize,
    size: usize,
}

impl Ring {
    /// At least two buffers, so that reading and writing overlap.
    pub fn new(total_bytes: usize, buffer_bytes: usize) -> Self {
        let (home, idle) = mpsc::unbounded_channel();
        let mut ring = Self {
            idle,
            home,
            count: 0,
            size: buffer_bytes.max(ALIGNMENT),
        };
        ring.fill(total_bytes);
        ring
    }

    /// As it suits extents of so many bytes on average. Each piece costs system calls and wakes three threads, whatever its
    /// size: large extents go in pieces of several buffers, as long as enough of them fit that nobody waits for one. Where
    /// it has that size already it stays.
    pub fn resize(&mut self, total_bytes: usize, buffer_bytes: usize, mean: ByteCount) {
        let piece = buffer_bytes.saturating_mul(PIECE);
        let (large, many) = (mean.0 / 4 >= piece as u64, total_bytes / piece.max(1) >= PIECES_MIN);
        let size = (if large && many { piece } else { buffer_bytes }).max(ALIGNMENT);
        if size == self.size {
            return;
        }
        // The old buffers go before the new ones are taken: there is no memory for both. Those that are still out come back
        // to a closed channel, and end there.
        (self.home, self.idle) = mpsc::unbounded_channel();
        self.size = size;
        self.fill(total_bytes);
    }

    fn fill(&mut self, total_bytes: usize) {
        self.count = (total_bytes / self.size).max(2);
        for _ in 0..self.count {
            let storage = vec![0; self.size + ALIGNMENT];
            self.home.send(storage).expect("the receiver is here");
        }
    }

    /// How many buffers there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many bytes one buffer holds.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The next idle buffer, as soon as there is one.
    pub async fn take(&mut self) -> Buffer {
        let storage = self.idle.recv().await.expect("the ring keeps a sender of its own");
        let start = storage.as_ptr().align_offset(ALIGNMENT);
        Buffer {
            start,
            storage,
            size: self.size,
            filled: 0,
            home: self.home.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn buffers_are_aligned_and_come_back() {
        let mut ring = Ring::new(4 * ALIGNMENT, ALIGNMENT);
        assert_eq!(ring.count(), 4);
        for _ in 0..100 {
            let mut buffer = ring.take().await;
            assert_eq!(buffer.room().as_ptr() as usize % ALIGNMENT, 0);
            assert_eq!(
                buffer.room().len(),
                ALIGNMENT,
                "pieces are the same size wherever their storage lies"
            );
        }
    }

    #[test]
    fn only_large_extents_have_large_buffers_and_only_where_enough_of_them_fit() {
        let size = |total: usize, mean: u64| {
            let mut ring = Ring::new(total * ALIGNMENT, ALIGNMENT);
            ring.resize(total * ALIGNMENT, ALIGNMENT, ByteCount(mean * ALIGNMENT as u64));
            ring.size()
        };
        assert_eq!(size(32, 16), 4 * ALIGNMENT);
        assert_eq!(size(32, 15), ALIGNMENT, "small extents each have a buffer");
        assert_eq!(size(31, 16), ALIGNMENT, "seven would be too few");
    }

    async fn is_empty(ring: &mut Ring) -> bool {
        let taken = tokio::time::timeout(std::time::Duration::from_millis(10), ring.take()).await;
        taken.is_err()
    }

    #[tokio::test]
    async fn an_empty_ring_waits_for_a_buffer() {
        let mut ring = Ring::new(2 * ALIGNMENT, ALIGNMENT);
        let (first, second) = (ring.take().await, ring.take().await);
        assert!(is_empty(&mut ring).await);
        drop((first, second));
        ring.take().await;
    }

    #[tokio::test]
    async fn a_ring_of_another_size_has_none_of_the_buffers_before() {
        let mut ring = Ring::new(32 * ALIGNMENT, ALIGNMENT);
        let old = ring.take().await;
        ring.resize(32 * ALIGNMENT, ALIGNMENT, ByteCount(16 * ALIGNMENT as u64));
        assert_eq!((ring.count(), ring.size()), (8, 4 * ALIGNMENT));
        drop(old);
        let mut out = Vec::new();
        for _ in 0..8 {
            let mut buffer = ring.take().await;
            assert_eq!(buffer.room().len(), 4 * ALIGNMENT);
            out.push(buffer);
        }
        assert!(is_empty(&mut ring).await, "the old one did not come back");
    }

    #[tokio::test]
    async fn a_ring_of_the_same_size_keeps_its_buffers() {
        let mut ring = Ring::new(2 * ALIGNMENT, ALIGNMENT);
        let (first, second) = (ring.take().await, ring.take().await);
        ring.resize(2 * ALIGNMENT, ALIGNMENT, ByteCount(1));
        assert!(is_empty(&mut ring).await, "no new ones were taken");
        drop((first, second));
        ring.take().await;
    }
}
