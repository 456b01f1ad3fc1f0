//! Writes a document, element by element, each on a line of its own. What its own reader would not take is not written.

use super::Limits;
use crate::ldm::fs::ltfs::name;
use std::fmt;
use std::io::{self, Write};

/// A document being written. Text that XML cannot hold, and what goes beyond the reader's limits, is an error
/// (`InvalidData`), never left out.
pub struct XmlWriter<W> {
    out: Counted<W>,
    limits: Limits,
    depth: usize,
}

/// What is written, and how much of it there is.
struct Counted<W> {
    inner: W,
    bytes: u64,
    most: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        if self.bytes > self.most {
            return Err(beyond(format!("a document of more than {} bytes", self.most)));
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn beyond(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} could not be read again"))
}

/// A reader counts what stands around a value to it.
const AROUND: u64 = 256;

impl<W: Write> XmlWriter<W> {
    /// Begins a document: the declaration.
    pub fn new(out: W, limits: Limits) -> io::Result<Self> {
        let mut out = Counted {
            inner: out,
            bytes: 0,
            most: limits.document,
        };
        out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
        Ok(Self { out, limits, depth: 0 })
    }

    /// A value of so many bytes.
    fn piece(&self, bytes: usize) -> io::Result<()> {
        let most = self.limits.piece.saturating_sub(AROUND);
        match bytes as u64 > most {
            true => Err(beyond(format!("a value of {bytes} bytes"))),
            false => Ok(()),
        }
    }

    /// One element more inside the others.
    fn deeper(&mut self) -> io::Result<()> {
        self.depth += 1;
        match self.depth < self.limits.depth {
            true => Ok(()),
            false => Err(beyond(format!("{} elements inside each other", self.depth + 1))),
        }
    }

    /// What it was written to.
    pub fn into_inner(self) -> W {
        self.out.inner
    }

    /// Begins an element that holds others.
    pub fn open(&mut self, name: &str) -> io::Result<()> {
        self.deeper()?;
        writeln!(self.out, "<{name}>")
    }

    /// Begins an element with attributes.
    pub fn open_with<'a>(
        &mut self,
        name: &str,
        attributes: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> io::Result<()> {
        self.deeper()?;
        write!(self.out, "<{name}")?;
        for (key, value) in attributes {
            self.piece(key.len() + value.len())?;
            write!(self.out, " {key}=\"")?;
            self.escaped(value)?;
            write!(self.out, "\"")?;
        }
        writeln!(self.out, ">")
    }

    /// Ends it.
    pub fn close(&mut self, name: &str) -> io::Result<()> {
        self.depth -= 1;
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
        self.piece(text.len())?;
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
        self.piece(text.len())?;
        writeln!(self.out, "<{name}{attributes}>{text}</{name}>")
    }

    /// An element as it was read.
    pub fn raw(&mut self, element: &str) -> io::Result<()> {
        self.piece(element.len())?;
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
