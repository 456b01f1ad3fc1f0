//! Length and digests in stream: whether the bytes read are those that the catalogue names.

use dss::model::evidence::DigestReceipt;
use dss::model::{Digester, Digests};

/// The bytes differ from what the catalogue names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A chunk's CRC-32 differs.
    #[error("chunk {chunk} does not digest to what the catalogue says")]
    Chunk {
        /// Which, counted from 0.
        chunk: usize,
    },
    /// The chunks agree or there are none, but the whole differs.
    #[error("its bytes do not digest to what the catalogue says")]
    Whole,
}

/// Compares a stream with the digests it should have.
#[derive(Debug)]
pub struct Verifier {
    expected: Digests,
    digester: Digester,
    compared: usize,
}

impl Verifier {
    /// Before the first byte.
    pub fn new(expected: Digests) -> Self {
        Self {
            expected,
            digester: Digester::new(),
            compared: 0,
        }
    }

    /// Takes the next piece. Fails at the end of the first chunk that differs.
    pub fn take(&mut self, piece: &[u8]) -> Result<(), Mismatch> {
        self.digester.update(piece);
        let complete = self.digester.complete_chunks();
        for (chunk, crc) in complete.iter().enumerate().skip(self.compared) {
            if self.expected.chunk_crcs.get(chunk) != Some(crc) {
                return Err(Mismatch::Chunk { chunk });
            }
        }
        self.compared = complete.len();
        Ok(())
    }

    /// After the last byte: the receipt, if everything agrees.
    pub fn finish(self) -> Result<DigestReceipt, Mismatch> {
        let found = self.digester.finish();
        if found != self.expected {
            return Err(Mismatch::Whole);
        }
        Ok(DigestReceipt::of_stream(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x07_one_flipped_byte_is_noticed() {
        let good = vec![1u8; 100_000];
        let mut bad = good.clone();
        bad[77_777] ^= 4;
        let mut verifier = Verifier::new(Digests::of(&good));
        verifier.take(&bad).unwrap();
        assert_eq!(verifier.finish().unwrap_err(), Mismatch::Whole);
    }

    #[test]
    fn x08_a_short_stream_is_noticed() {
        let good = vec![1u8; 100_000];
        let mut verifier = Verifier::new(Digests::of(&good));
        verifier.take(&good[..99_999]).unwrap();
        assert!(verifier.finish().is_err());
    }

    #[test]
    fn a_bad_chunk_ends_the_reading_early() {
        let good = vec![1u8; (dss::model::CHUNK_BYTES * 3) as usize];
        let mut verifier = Verifier::new(Digests::of(&good));
        let bad = vec![2u8; dss::model::CHUNK_BYTES as usize];
        assert_eq!(verifier.take(&bad), Err(Mismatch::Chunk { chunk: 0 }));
    }
}
