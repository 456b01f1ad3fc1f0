//! Length and digests in stream: whether the bytes read are those that the catalogue names.

use super::hashes::Hashes;
use dss::model::evidence::DigestReceipt;
use dss::model::{Digester, Expected};

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

/// Compares a stream with all that is known of it.
#[derive(Debug)]
pub struct Verifier {
    expected: Expected,
    digester: Digester,
    hashes: Hashes,
    compared: usize,
}

impl Verifier {
    /// Before the first byte.
    pub fn new(expected: impl Into<Expected>) -> Self {
        let expected = expected.into();
        Self {
            hashes: Hashes::like(&expected.hashes),
            expected,
            digester: Digester::new(),
            compared: 0,
        }
    }

    /// Takes the next piece. Fails at the end of the first chunk that differs.
    pub fn take(&mut self, piece: &[u8]) -> Result<(), Mismatch> {
        self.digester.update(piece);
        self.hashes.update(piece);
        let Some(expected) = &self.expected.digests else {
            return Ok(());
        };
        let complete = self.digester.complete_chunks();
        for (chunk, crc) in complete.iter().enumerate().skip(self.compared) {
            if expected.chunk_crcs.get(chunk) != Some(crc) {
                return Err(Mismatch::Chunk { chunk });
            }
        }
        self.compared = complete.len();
        Ok(())
    }

    /// After the last byte: the receipt, if everything agrees.
    pub fn finish(self) -> Result<DigestReceipt, Mismatch> {
        let found = self.digester.finish();
        let hashes = self.hashes.finish();
        if !self.expected.admits(&found, &hashes) {
            return Err(Mismatch::Whole);
        }
        Ok(DigestReceipt::of_stream(found).with_hashes(hashes))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use dss::model::{ByteCount, Digests, HashAlgorithm, KnownHash};

    pub(in crate::mover) fn receipt(bytes: &[u8]) -> DigestReceipt {
        let mut verifier = Verifier::new(Digests::of(bytes));
        verifier.take(bytes).unwrap();
        verifier.finish().unwrap()
    }

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

    /// Of what other software wrote, its own digests and the length are all that can be compared.
    #[test]
    fn x07_what_other_software_said_of_the_bytes_is_compared() {
        let imported = Expected {
            bytes: ByteCount(3),
            digests: None,
            hashes: vec![KnownHash {
                algorithm: HashAlgorithm::Md5,
                value: "900150983cd24fb0d6963f7d28e17f72".to_owned(),
            }],
        };
        let verified = |bytes: &[u8]| {
            let mut verifier = Verifier::new(imported.clone());
            verifier.take(bytes).unwrap();
            verifier.finish()
        };
        assert_eq!(verified(b"abc").unwrap().digests(), &Digests::of(b"abc"));
        assert_eq!(verified(b"abd").unwrap_err(), Mismatch::Whole);
        assert_eq!(verified(b"ab").unwrap_err(), Mismatch::Whole);
    }
}
