//! A source that stops a document which is too large, or a piece of it, before it is in memory.

use std::io::{self, BufRead, Read};

/// Counts what is taken from a source.
pub(super) struct Meter<R> {
    inner: R,
    piece: u64,
    document: u64,
    limits: super::Limits,
}

impl<R> Meter<R> {
    pub(super) fn new(inner: R, limits: super::Limits) -> Self {
        Self {
            inner,
            piece: 0,
            document: 0,
            limits,
        }
    }

    /// A new piece begins.
    pub(super) fn next_piece(&mut self) {
        self.piece = 0;
    }

    /// Which limit was passed, and its bytes.
    pub(super) fn passed(&self) -> Option<(&'static str, u64)> {
        if self.document > self.limits.document {
            Some(("a document", self.limits.document))
        } else if self.piece > self.limits.piece {
            Some(("a piece", self.limits.piece))
        } else {
            None
        }
    }
}

impl<R: BufRead> Read for Meter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = {
            let mut available = self.fill_buf()?;
            available.read(buffer)?
        };
        self.consume(length);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Meter<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.passed().is_some() {
            return Err(io::Error::other("too large"));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.piece += amount as u64;
        self.document += amount as u64;
        self.inner.consume(amount);
    }
}
