//! Writes a document, element by element, each on a line of its own.

use crate::ldm::fs::ltfs::name;
use std::fmt;
use std::io::{self, Write};

/// A document being written. Text that XML cannot hold is an error (`InvalidData`), never left out.
pub struct XmlWriter<W> {
    out: W,
}

impl<W: Write> XmlWriter<W> {
    /// Begins a document: the declaration.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
        Ok(Self { out })
    }

    /// What it was written to.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// Begins an element that holds others.
    pub fn open(&mut self, name: &str) -> io::Result<()> {
        writeln!(self.out, "<{name}>")
    }

    /// Begins an element with attributes.
    pub fn open_with<'a>(
        &mut self,
        name: &str,
        attributes: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> io::Result<()> {
        write!(self.out, "<{name}")?;
        for (key, value) in attributes {
            write!(self.out, " {key}=\"")?;
            self.escaped(value)?;
            write!(self.out, "\"")?;
        }
        writeln!(self.out, ">")
    }

    /// Ends it.
    pub fn close(&mut self, name: &str) -> io::Result<()> {
        writeln!(self.out, "</{name}>")
    }

    /// An element with a value that needs no escapes: a number, a boolean, a time.
    pub fn plain(&mut self, name: &str, value: impl fmt::Display) -> io::Result<()> {
        writeln!(self.out, "<{name}>{value}</{name}>")
    }

    /// An element with text.
    pub fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.element(name, "", text)
    }

    /// An element with text and attributes as they are written, each with a space before it.
    pub fn element(&mut self, name: &str, attributes: &str, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return writeln!(self.out, "<{name}{attributes}/>");
        }
        write!(self.out, "<{name}{attributes}>")?;
        self.escaped(text)?;
        writeln!(self.out, "</{name}>")
    }

    /// An element under the rules of names.
    pub fn name(&mut self, element: &str, text: &str) -> io::Result<()> {
        if name::wants_encoding(text) {
            self.element(element, " percentencoded=\"true\"", &name::encode(text))
        } else {
            self.text(element, text)
        }
    }

    /// An element with base64 in lines, as they are.
    pub fn lines(&mut self, name: &str, attributes: &str, text: &str) -> io::Result<()> {
        writeln!(self.out, "<{name}{attributes}>{text}</{name}>")
    }

    /// An element as it was read.
    pub fn raw(&mut self, element: &str) -> io::Result<()> {
        writeln!(self.out, "{element}")
    }

    /// CR would come back as LF, and is therefore written as a reference.
    fn escaped(&mut self, text: &str) -> io::Result<()> {
        if let Some(foreign) = text.chars().find(|character| !name::is_xml(*character)) {
            let message = format!("XML has no character {:#x}", u32::from(foreign));
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let mut rest = text;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\r']) {
            self.out.write_all(&rest.as_bytes()[..at])?;
            self.out.write_all(match rest.as_bytes()[at] {
                b'&' => b"&amp;",
                b'<' => b"&lt;",
                b'>' => b"&gt;",
                b'"' => b"&quot;",
                _ => b"&#13;",
            })?;
            rest = &rest[at + 1..];
        }
        self.out.write_all(rest.as_bytes())
    }
}
