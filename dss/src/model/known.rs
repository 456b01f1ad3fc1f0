//! What is known of bytes before they are read: the digests that this catalogue made of them once, or, of what other
//! software wrote and nobody read since, their length and whichever digests that software left beside them.

use super::words::words;
use super::{ByteCount, Digests};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

words! {
    /// What made a digest that other software left.
    HashAlgorithm = "hash_algorithm" {
        /// CRC-32/ISO-HDLC.
        Crc32 = "crc32",
        /// MD5.
        Md5 = "md5",
        /// SHA-1.
        Sha1 = "sha1",
        /// SHA-256.
        Sha256 = "sha256",
        /// SHA-512.
        Sha512 = "sha512",
    }
}

/// A digest that other software left: evidence of what the bytes were once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct KnownHash {
    /// What made it.
    pub algorithm: HashAlgorithm,
    /// In base 16, small letters.
    pub value: String,
}

/// All that is known of the bytes of one extent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// How many there are.
    pub bytes: ByteCount,
    /// What they digest to; None: they were imported, and nobody read them whole since.
    pub digests: Option<Digests>,
    /// What other software said of them. None needed where there are digests: those were made of bytes that agreed.
    pub hashes: Vec<KnownHash>,
}

impl From<Digests> for Expected {
    fn from(digests: Digests) -> Self {
        Self {
            bytes: digests.bytes,
            digests: Some(digests),
            hashes: Vec::new(),
        }
    }
}

impl Expected {
    /// Whether bytes that digest so are the ones.
    pub fn admits(&self, digests: &Digests, hashes: &[KnownHash]) -> bool {
        let known = self.digests.as_ref().is_none_or(|known| known == digests);
        digests.bytes == self.bytes && known && all_among(&self.hashes, hashes)
    }
}

/// Whether everything known was found. An algorithm whose digest was not made counts as one that differs.
pub(super) fn all_among(known: &[KnownHash], found: &[KnownHash]) -> bool {
    known.iter().all(|hash| found.contains(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn md5(value: &str) -> KnownHash {
        KnownHash {
            algorithm: HashAlgorithm::Md5,
            value: value.to_owned(),
        }
    }

    #[test]
    fn x07_bytes_are_the_ones_only_when_all_that_is_known_agrees() {
        let (good, other) = (Digests::of(b"abc"), Digests::of(b"abd"));
        assert!(Expected::from(good.clone()).admits(&good, &[]));
        assert!(!Expected::from(good.clone()).admits(&other, &[]));
        let imported = Expected {
            bytes: ByteCount(3),
            digests: None,
            hashes: vec![md5("aa")],
        };
        assert!(imported.admits(&other, &[md5("aa")]), "nothing else is known of them");
        assert!(!imported.admits(&other, &[md5("ab")]));
        assert!(!imported.admits(&other, &[]), "nobody made the digest that is known");
        assert!(!imported.admits(&Digests::of(b"ab"), &[md5("aa")]));
    }
}
