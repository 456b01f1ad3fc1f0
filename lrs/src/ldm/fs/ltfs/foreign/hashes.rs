//! Digests that other software left beside a file, in the attributes that LTFS names for them (LTFS format specification,
//! reserved extended attributes). They are evidence of what the file was once, and nothing more. Pure.

use super::entry::StoredValue;

/// An algorithm whose digests are known by their attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlgorithm {
    /// CRC-32.
    Crc32,
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl HashAlgorithm {
    /// Each with its attribute and the number of its hexadecimal digits.
    const ALL: [(Self, &'static str, usize); 5] = [
        (Self::Crc32, "ltfs.hash.crc32sum", 8),
        (Self::Md5, "ltfs.hash.md5sum", 32),
        (Self::Sha1, "ltfs.hash.sha1sum", 40),
        (Self::Sha256, "ltfs.hash.sha256sum", 64),
        (Self::Sha512, "ltfs.hash.sha512sum", 128),
    ];

    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "crc32",
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

/// The digest that an attribute holds, in small letters; None: it is not one of these, or not of such a digest's form.
pub(super) fn hash(key: &str, value: &StoredValue) -> Option<(HashAlgorithm, String)> {
    let (algorithm, _, digits) = HashAlgorithm::ALL.into_iter().find(|(_, known, _)| *known == key)?;
    match value {
        StoredValue::Text(text) if text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Some((algorithm, text.to_ascii_lowercase()))
        }
        StoredValue::Text(_) | StoredValue::Base64(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_its_attribute_and_its_length_and_is_text() {
        for (algorithm, key, digits) in HashAlgorithm::ALL {
            let text = |length: usize| StoredValue::Text("aB".repeat(length / 2));
            let small = "ab".repeat(digits / 2);
            assert_eq!(hash(key, &text(digits)), Some((algorithm, small.clone())));
            assert_eq!(hash(key, &text(digits + 2)), None);
            assert_eq!(hash(key, &text(digits - 2)), None);
            assert_eq!(hash(key, &StoredValue::Base64(small.clone())), None);
            assert_eq!(hash(key, &StoredValue::Text("g".repeat(digits))), None);
            assert_eq!(hash(&format!("user.{key}"), &text(digits)), None);
        }
    }
}
