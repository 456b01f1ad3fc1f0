//! Names: of files, directories, volumes, links' targets and attributes' keys, as LTFS allows and encodes them.

use std::borrow::Cow;
use std::fmt::Write;
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// A name has at most so many characters (LTFS format specification, name format).
pub const NAME_MAX: usize = 255;

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// It has no characters.
    #[error("the name is empty")]
    Empty,
    /// `.` or `..`.
    #[error("the name is one that every directory has")]
    Reserved,
    /// It holds a slash or NUL.
    #[error("the name holds a slash or NUL")]
    Forbidden,
    /// It has more than 255 characters.
    #[error("the name has {_0} characters, and 255 are allowed")]
    TooLong(usize),
    /// It is not in the normal form C of Unicode.
    #[error("the name is not in normal form C")]
    NotNormal,
}

/// What is wrong with percent-encoded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodingFault {
    /// `%` without two hexadecimal digits.
    #[error("% without two hexadecimal digits")]
    Digits,
    /// The decoded bytes are not UTF-8.
    #[error("the decoded bytes are not UTF-8")]
    Utf8,
}

/// Checks the name of a file or directory.
pub fn check(name: &str) -> Result<(), NameFault> {
    let length = name.chars().count();
    if name.is_empty() {
        Err(NameFault::Empty)
    } else if matches!(name, "." | "..") {
        Err(NameFault::Reserved)
    } else if name.contains(['/', '\0']) {
        Err(NameFault::Forbidden)
    } else if length > NAME_MAX {
        Err(NameFault::TooLong(length))
    } else if !is_nfc(name) {
        Err(NameFault::NotNormal)
    } else {
        Ok(())
    }
}

/// The normal form C of a name, in which it is compared and written.
pub fn normal(name: &str) -> Cow<'_, str> {
    if is_nfc(name) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.nfc().collect())
    }
}

/// Whether XML 1.0 has the character at all (XML 1.0, section 2.2).
pub fn is_xml(character: char) -> bool {
    !matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether a name must be percent-encoded: it holds a colon or what XML does not have.
pub fn wants_encoding(name: &str) -> bool {
    name.chars()
        .any(|character| character == ':' || character == '\u{7f}' || !is_xml(character))
}

/// The percent-encoded form: colons, percent signs, spaces, controls and everything beyond ASCII as %XX of UTF-8 bytes.
/// Slashes stay, as targets of links need them.
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len() * 2);
    for byte in name.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' && byte != b':' {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes what is written to it");
        }
    }
    out
}

/// What percent-encoded text means, once XML's own encoding is off it.
pub fn decode(text: &str) -> Result<String, EncodingFault> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let digits = tail.get(..2).ok_or(EncodingFault::Digits)?;
            let value = |digit: u8| char::from(digit).to_digit(16).ok_or(EncodingFault::Digits);
            let code = value(digits[0])? * 16 + value(digits[1])?;
            bytes.push(u8::try_from(code).expect("two hexadecimal digits"));
            rest = &tail[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| EncodingFault::Utf8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rules_of_names() {
        assert_eq!(check("a b\tc\nd "), Ok(()));
        assert_eq!(check(""), Err(NameFault::Empty));
        assert_eq!(check(".."), Err(NameFault::Reserved));
        assert_eq!(check("a/b"), Err(NameFault::Forbidden));
        assert_eq!(check("a\0"), Err(NameFault::Forbidden));
        assert_eq!(check(&"é".repeat(255)), Ok(()));
        assert_eq!(check(&"é".repeat(256)), Err(NameFault::TooLong(256)));
        assert_eq!(check("cafe\u{301}"), Err(NameFault::NotNormal));
        assert_eq!(normal("cafe\u{301}"), "caf\u{e9}");
    }

    #[test]
    fn only_names_that_need_it_are_encoded() {
        assert!(!wants_encoding("100% plain é\t\n\r"));
        assert!(wants_encoding("12:30") && wants_encoding("\u{1}") && wants_encoding("\u{ffff}"));
        assert_eq!(encode("time 12:30 100%.é/x"), "time%2012%3A30%20100%25.%C3%A9/x");
        assert_eq!(decode("%41%c3%A9b"), Ok("Aéb".to_owned()));
        for bad in ["%", "%4", "%4g", "%+1", "a%é"] {
            assert_eq!(decode(bad), Err(EncodingFault::Digits), "{bad}");
        }
        assert_eq!(decode("%ff"), Err(EncodingFault::Utf8));
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in any::<String>()) {
            prop_assert!(encode(&name).chars().all(|c| c.is_ascii_graphic()));
            prop_assert_eq!(decode(&encode(&name)).unwrap(), name);
        }
    }
}
