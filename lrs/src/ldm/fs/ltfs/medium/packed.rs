//! Lines in memory. A tape holds millions of extents, and nearly half of an extent's line is the same in all of them:
//! such pieces are one byte each, one that no line has. Pure.

use std::sync::Arc;

/// What most lines have in common. The number of a piece is the control character it is kept as; JSON has none in a line.
const PIECES: [&str; 28] = [
    "{\"crc32\":\"",
    "\",\"extent\":{\"tag\":{\"extent\":\"",
    "\",\"origin\":{\"object\":\"",
    "\",\"oid\":\"",
    "\",\"version\":",
    ",\"copy\":",
    ",\"index\":",
    "},\"bytes\":",
    ",\"header\":{\"bytes\":",
    ",\"copies\":",
    ",\"copy_extents\":",
    ",\"grouping\":",
    ",\"metadata\":{",
    "\"ltfs\":{\"path\":\"",
    "\",\"kind\":\"file\",\"readonly\":",
    ",\"times\":{\"creation\":\"",
    "Z\",\"change\":\"",
    "Z\",\"modify\":\"",
    "Z\",\"access\":\"",
    "Z\",\"backup\":\"",
    "\"},\"address\":\"",
    "\",\"digests\":{\"bytes\":",
    "\"xattrs\":[{\"key\":\"",
    ",\"inode\":null,\"span\":\"",
    ",\"created_at\":\"",
    ",\"blake3\":\"",
    "\",\"crc32\":",
    ",\"chunk_crcs\":[",
];

/// With which bytes they begin.
const BEGINNINGS: &[u8] = b"{}\",Z";

/// Begins a line that is kept as it is.
const AS_IT_IS: u8 = 0;

/// A line. Another one of it costs nothing: whoever goes through an index holds all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packed(Arc<[u8]>);

impl Packed {
    /// Keeps a line.
    pub(super) fn of(line: &[u8]) -> Self {
        let mut packed = Vec::with_capacity(line.len() + 1);
        // No line that respool wrote has one.
        if line.iter().any(u8::is_ascii_control) {
            packed.push(AS_IT_IS);
            packed.extend_from_slice(line);
            return Self(packed.into());
        }
        let mut rest = line;
        while let Some((first, tail)) = rest.split_first() {
            let mut pieces = (1_u8..).zip(PIECES);
            let found = match BEGINNINGS.contains(first) {
                true => pieces.find(|(_, piece)| rest.starts_with(piece.as_bytes())),
                false => None,
            };
            match found {
                Some((number, piece)) => {
                    packed.push(number);
                    rest = &rest[piece.len()..];
                }
                None => {
                    packed.push(*first);
                    rest = tail;
                }
            }
        }
        Self(packed.into())
    }

    /// The line as it was.
    pub(super) fn line(&self) -> Vec<u8> {
        if let Some((&AS_IT_IS, line)) = self.0.split_first() {
            return line.to_vec();
        }
        let mut line = Vec::with_capacity(self.0.len() * 2);
        for byte in self.0.iter() {
            match byte.checked_sub(1).and_then(|number| PIECES.get(usize::from(number))) {
                Some(piece) => line.extend_from_slice(piece.as_bytes()),
                None => line.push(*byte),
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::super::tag::Record;
    use super::super::tag::tests::{entry, imported, noted};
    use super::*;
    use dss::model::LtfsKind;
    use proptest::prelude::*;

    #[test]
    fn a_line_takes_two_thirds_of_its_length_and_comes_back() {
        for note in [
            entry("reports/2019.tar", 1000),
            noted(imported("reports/2019.tar", LtfsKind::File), 1000),
        ] {
            let line = Record::Extent(Box::new(note)).to_line();
            let packed = Packed::of(&line);
            assert_eq!(packed.line(), line);
            println!("{} of {}", packed.0.len(), line.len());
            assert!(
                packed.0.len() < line.len() * 2 / 3,
                "{}",
                String::from_utf8_lossy(&line)
            );
        }
    }

    proptest! {
        #[test]
        fn every_line_comes_back(text in "\\PC{0,200}|(\\PC|[\0-\x1f]){0,40}") {
            prop_assert_eq!(Packed::of(text.as_bytes()).line(), text.as_bytes());
        }
    }
}
