//! Digests of the kinds that other software leaves beside its files, made in stream. Only those that are to be compared.

use dss::model::{HashAlgorithm, KnownHash};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use std::fmt::Write;

/// One that is being made.
#[derive(Clone)]
enum Hash {
    Crc32(crc32fast::Hasher),
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hash {
    fn new(algorithm: HashAlgorithm) -> Self {
        match algorithm {
            HashAlgorithm::Crc32 => Self::Crc32(crc32fast::Hasher::new()),
            HashAlgorithm::Md5 => Self::Md5(Md5::new()),
            HashAlgorithm::Sha1 => Self::Sha1(Sha1::new()),
            HashAlgorithm::Sha256 => Self::Sha256(Sha256::new()),
            HashAlgorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    fn update(&mut self, piece: &[u8]) {
        match self {
            Self::Crc32(hash) => hash.update(piece),
            Self::Md5(hash) => hash.update(piece),
            Self::Sha1(hash) => hash.update(piece),
            Self::Sha256(hash) => hash.update(piece),
            Self::Sha512(hash) => hash.update(piece),
        }
    }

    fn finish(self) -> KnownHash {
        let (algorithm, value) = match self {
            Self::Crc32(hash) => (HashAlgorithm::Crc32, hex(&hash.finalize().to_be_bytes())),
            Self::Md5(hash) => (HashAlgorithm::Md5, hex(&hash.finalize())),
            Self::Sha1(hash) => (HashAlgorithm::Sha1, hex(&hash.finalize())),
            Self::Sha256(hash) => (HashAlgorithm::Sha256, hex(&hash.finalize())),
            Self::Sha512(hash) => (HashAlgorithm::Sha512, hex(&hash.finalize())),
        };
        KnownHash { algorithm, value }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes whatever is written");
        text
    })
}

/// Makes the digests that are known of a stream, in pieces of any size.
#[derive(Clone, Default)]
pub struct Hashes(Vec<Hash>);

impl Hashes {
    /// Those that can be compared with these, before the first byte.
    pub fn like(known: &[KnownHash]) -> Self {
        Self(known.iter().map(|hash| Hash::new(hash.algorithm)).collect())
    }

    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.iter_mut().for_each(|hash| hash.update(piece));
    }

    /// After the last byte.
    pub fn finish(self) -> Vec<KnownHash> {
        self.0.into_iter().map(Hash::finish).collect()
    }
}

impl std::fmt::Debug for Hashes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hashes({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digests of "abc" in the standards of these algorithms; the CRC is that of ISO-HDLC.
    pub(in crate::mover) const ABC: [(HashAlgorithm, &str); 5] = [
        (HashAlgorithm::Crc32, "352441c2"),
        (HashAlgorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
        (HashAlgorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            HashAlgorithm::Sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            HashAlgorithm::Sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ];

    #[test]
    fn every_kind_of_digest_is_made_whatever_the_pieces() {
        let known: Vec<KnownHash> = ABC
            .into_iter()
            .map(|(algorithm, value)| KnownHash {
                algorithm,
                value: value.to_owned(),
            })
            .collect();
        assert_eq!(known.len(), HashAlgorithm::ALL.len());
        for pieces in [&[b"abc".as_slice()][..], &[b"a", b"", b"bc"]] {
            let mut hashes = Hashes::like(&known);
            pieces.iter().for_each(|piece| hashes.update(piece));
            assert_eq!(hashes.finish(), known);
        }
        assert_eq!(Hashes::like(&[]).finish(), []);
    }
}
