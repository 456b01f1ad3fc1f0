//! The beginning of an element: its name, and its attributes as they are written.

use quick_xml::escape::unescape;
use quick_xml::events::attributes::Attributes;
use std::fmt;

/// The beginning of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its name.
    pub name: Name,
    attributes: String,
}

impl Tag {
    /// Of a name and of attributes that were read once, so that nothing of them can be wrong.
    pub(super) fn new(name: &str, attributes: &str) -> Self {
        Self {
            name: Name::new(name),
            attributes: attributes.to_owned(),
        }
    }

    /// Its attributes as they are written, with the space before them.
    pub(super) fn written(&self) -> &str {
        &self.attributes
    }

    /// The value of an attribute.
    pub fn attribute(&self, wanted: &str) -> Option<String> {
        self.attributes().find(|(key, _)| key == wanted).map(|(_, value)| value)
    }

    /// All attributes.
    pub fn attributes(&self) -> impl Iterator<Item = (String, String)> {
        Attributes::new(&self.attributes, 0)
            .filter_map(Result::ok)
            .filter_map(|attribute| {
                Some((
                    attribute.key.0.to_owned(),
                    unescape(&attribute.value).ok()?.into_owned(),
                ))
            })
    }

    /// Whether its text is percent-encoded.
    pub(super) fn is_encoded(&self) -> bool {
        matches!(self.attribute("percentencoded").as_deref(), Some("true" | "1"))
    }
}

/// The longest name that an element has which is known, and some room.
const SHORT: usize = 30;

/// The name of an element. An index has millions of elements, of few names, all of them short: those take no memory of
/// their own.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(Kept);

#[derive(Clone, PartialEq, Eq)]
enum Kept {
    /// So many of these bytes; the others are 0.
    Short([u8; SHORT], u8),
    Long(String),
}

impl Name {
    fn new(name: &str) -> Self {
        let mut bytes = [0; SHORT];
        Self(match (bytes.get_mut(..name.len()), u8::try_from(name.len())) {
            (Some(room), Ok(length)) => {
                room.copy_from_slice(name.as_bytes());
                Kept::Short(bytes, length)
            }
            (_, _) => Kept::Long(name.to_owned()),
        })
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kept::Short(bytes, length) => {
                std::str::from_utf8(&bytes[..usize::from(*length)]).expect("it was copied from a text")
            }
            Kept::Long(name) => name,
        }
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        match &self.0 {
            Kept::Short(bytes, length) => bytes[..usize::from(*length)] == *other.as_bytes(),
            Kept::Long(name) => name == other,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_it_was_however_long() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 300] {
            let text = "n".repeat(length);
            let name = Name::new(&text);
            assert_eq!((name.as_str(), name.to_string()), (text.as_str(), text.clone()));
            assert_eq!(name, text.as_str());
            assert_ne!(name, format!("{text}n").as_str());
            assert_ne!(
                name,
                Name::new(&format!("{text}\0")),
                "what is not used is not a part of it"
            );
        }
    }
}
