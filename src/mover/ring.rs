//! The fixed ring of aligned buffers between reader and writer: the memory of the data path, all of it taken at start.

use tokio::sync::mpsc;

/// The alignment that direct I/O on common devices asks for, in bytes (open(2), O_DIRECT: the logical block size).
pub const ALIGNMENT: usize = 4096;

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
        let size = buffer_bytes.max(ALIGNMENT);
        let count = (total_bytes / size).max(2);
        let (home, idle) = mpsc::unbounded_channel();
        for _ in 0..count {
            home.send(vec![0; size + ALIGNMENT]).expect("the receiver is here");
        }
        Self {
            idle,
            home,
            count,
            size,
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

    #[tokio::test]
    async fn an_empty_ring_waits_for_a_buffer() {
        let mut ring = Ring::new(2 * ALIGNMENT, ALIGNMENT);
        let (first, second) = (ring.take().await, ring.take().await);
        let third = tokio::time::timeout(std::time::Duration::from_millis(10), ring.take()).await;
        assert!(third.is_err());
        drop((first, second));
        ring.take().await;
    }
}
