//! Numbers and texts in what a device sent, big-endian as all of SCSI. Nothing here trusts an offset or a length.

/// Why an answer cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Malformed {
    /// Which answer: "READ POSITION, long form".
    pub what: &'static str,
    /// What is wrong with it.
    pub why: String,
}

/// What a device sent, and what it is called in messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data<'a> {
    what: &'static str,
    bytes: &'a [u8],
}

impl<'a> Data<'a> {
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn wrong(&self, why: impl Into<String>) -> Malformed {
        Malformed {
            what: self.what,
            why: why.into(),
        }
    }

    /// A number of up to 8 bytes.
    pub(crate) fn number(&self, at: usize, bytes: usize) -> Result<u64, Malformed> {
        Ok(number(self.slice(at, bytes)?))
    }

    pub(crate) fn u8(&self, at: usize) -> Result<u8, Malformed> {
        Ok(self.slice(at, 1)?[0])
    }

    pub(crate) fn u16(&self, at: usize) -> Result<u16, Malformed> {
        let [a, b] = self.array(at)?;
        Ok(u16::from_be_bytes([a, b]))
    }

    pub(crate) fn u32(&self, at: usize) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array(at)?))
    }

    pub(crate) fn u64(&self, at: usize) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array(at)?))
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], Malformed> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(at, N)?);
        Ok(array)
    }

    pub(crate) fn slice(&self, at: usize, bytes: usize) -> Result<&'a [u8], Malformed> {
        at.checked_add(bytes)
            .and_then(|end| self.bytes.get(at..end))
            .ok_or_else(|| self.wrong(format!("{} bytes, and {bytes} at offset {at} are wanted", self.len())))
    }

    /// At most so many bytes from an offset: what is missing at the end is left out.
    pub(crate) fn at_most(&self, at: usize, bytes: usize) -> Self {
        let rest = self.bytes.get(at..).unwrap_or_default();
        Self::new(self.what, &rest[..bytes.min(rest.len())])
    }

    /// A field of text, without the padding around it.
    pub(crate) fn text(&self, at: usize, bytes: usize) -> Result<String, Malformed> {
        Ok(text(self.slice(at, bytes)?))
    }
}

/// A big-endian number; of more than 8 bytes the last ones count.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Text as devices pad it, with spaces or NULs; what is not printable ASCII becomes `?`, so that a message stays one line.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let printable = |byte: &u8| match byte {
        0x20..=0x7e => char::from(*byte),
        _ => '?',
    };
    let text: String = bytes[..end].iter().map(printable).collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_beyond_the_end() {
        let data = Data::new("it", &[1, 2, 3]);
        assert_eq!(data.u16(1), Ok(0x0203));
        assert!(data.u16(2).is_err() && data.u8(usize::MAX).is_err() && data.slice(1, usize::MAX).is_err());
        assert_eq!(data.at_most(2, 9).bytes(), [3]);
        assert!(data.at_most(9, 9).is_empty());
        assert_eq!(
            data.u64(0).unwrap_err().to_string(),
            "it: 3 bytes, and 8 at offset 0 are wanted"
        );
    }

    #[test]
    fn text_loses_its_padding_and_what_would_break_a_line() {
        assert_eq!(text(b"  TAP001L8  \0\0junk"), "TAP001L8");
        assert_eq!(text(b"a\nb"), "a?b");
        assert_eq!(text(b""), "");
    }
}
