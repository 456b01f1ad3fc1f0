//! Reads a document as a stream of elements. Whoever reads asks for the next child of the element he is in, and for each
//! child either goes in, takes its text, keeps it as it is, or skips it.

use super::meter::Meter;
use super::{Limits, Tag, XmlError, XmlFault, XmlResult};
use crate::ldm::fs::ltfs::name;
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use std::io::BufRead;

/// How much of a wrong value a message shows, in characters.
const SHOWN: usize = 60;

/// A document being read.
pub struct Xml<R> {
    reader: Reader<Meter<R>>,
    /// What an event is read into. It is lent to whoever looks at events, which borrow it.
    buffer: Vec<u8>,
    /// What a value is gathered in that is not kept as text.
    scratch: String,
    depth: usize,
    limits: Limits,
}

/// Whether a text has a control character that XML does not have.
fn has_controls(text: &str) -> bool {
    let control = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\r' | b'\n');
    // All of it is looked at, many bytes at once: there hardly ever is one.
    text.bytes().fold(false, |found, byte| found | control(byte))
}

/// Whether a text has one of the only two characters beyond the controls that XML does not have; they pass as UTF-8.
fn has_noncharacters(text: &str) -> bool {
    text.as_bytes().contains(&0xef) && text.contains(['\u{fffe}', '\u{ffff}'])
}

/// An event as it is written, without its brackets.
fn written<'e>(event: &'e Event<'_>) -> &'e str {
    match event {
        Event::Start(start) | Event::Empty(start) => start,
        Event::End(end) => end,
        Event::Text(text) | Event::Comment(text) | Event::DocType(text) => text,
        Event::CData(text) => text,
        Event::Decl(declaration) => declaration,
        Event::PI(instruction) => instruction,
        Event::GeneralRef(reference) => reference,
        Event::Eof => "",
    }
}

fn blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// What a reference stands for. Only characters and XML's own five entities are known.
fn referred(reference: &BytesRef<'_>) -> Result<char, XmlFault> {
    let malformed = || XmlFault::Malformed(format!("&{}; is no character", &**reference));
    match reference.resolve_char_ref() {
        Ok(Some(character)) if name::is_xml(character) => Ok(character),
        Ok(Some(_)) | Err(_) => Err(malformed()),
        Ok(None) => match &**reference {
            "amp" => Ok('&'),
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "quot" => Ok('"'),
            "apos" => Ok('\''),
            other => Err(XmlFault::Entity(format!("the entity &{other};"))),
        },
    }
}

/// A declared encoding must be the one that is read; without one it is UTF-8 by XML's own rule.
fn utf8(declaration: &BytesDecl<'_>) -> Result<(), XmlFault> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(Ok(encoding)) => Err(XmlFault::Malformed(format!("its encoding is {encoding}"))),
        Some(Err(error)) => Err(XmlFault::Malformed(error.to_string())),
    }
}

impl<R: BufRead> Xml<R> {
    /// Begins to read.
    pub fn new(source: R, limits: Limits) -> Self {
        let mut reader = Reader::from_reader(Meter::new(source, limits));
        let config = reader.config_mut();
        config.enable_all_checks(true);
        config.expand_empty_elements = true;
        Self {
            reader,
            buffer: Vec::new(),
            scratch: String::new(),
            depth: 0,
            limits,
        }
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.reader.buffer_position()
    }

    /// An error here.
    pub fn error(&self, fault: XmlFault) -> XmlError {
        XmlError {
            at: self.position(),
            fault,
        }
    }

    fn failed(&self, error: &quick_xml::Error) -> XmlError {
        let fault = match (self.reader.get_ref().passed(), error) {
            (Some((what, most)), _) => XmlFault::TooLarge { what, most },
            (None, quick_xml::Error::Io(error)) => XmlFault::Source(error.to_string()),
            (None, other) => XmlFault::Malformed(other.to_string()),
        };
        XmlError {
            at: self.reader.error_position().max(self.reader.buffer_position()),
            fault,
        }
    }

    /// Lends the buffer.
    fn lending<T>(&mut self, work: impl FnOnce(&mut Self, &mut Vec<u8>) -> XmlResult<T>) -> XmlResult<T> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let outcome = work(self, &mut buffer);
        self.buffer = buffer;
        outcome
    }

    /// The next event; its bytes are characters of XML.
    fn event<'b>(&mut self, buffer: &'b mut Vec<u8>) -> XmlResult<Event<'b>> {
        buffer.clear();
        self.reader.get_mut().next_piece();
        let event = match self.reader.read_event_into(buffer) {
            Ok(event) => event,
            Err(error) => return Err(self.failed(&error)),
        };
        if has_controls(written(&event)) {
            return Err(self.error(XmlFault::Malformed("a control character".to_owned())));
        }
        match &event {
            Event::Start(_) => self.depth += 1,
            Event::End(_) => self.depth -= 1,
            Event::DocType(_) => return Err(self.error(XmlFault::Entity("a document type".to_owned()))),
            _ => {}
        }
        if self.depth > self.limits.depth {
            return Err(self.error(XmlFault::TooDeep(self.limits.depth)));
        }
        Ok(event)
    }

    fn tag(&self, start: &BytesStart<'_>) -> XmlResult<Tag> {
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| self.error(XmlFault::Malformed(error.to_string())))?;
            unescape(&attribute.value).map_err(|error| self.error(XmlFault::Malformed(error.to_string())))?;
        }
        Ok(Tag::new(start.name().0, start.attributes_raw()))
    }

    /// The top element, which must have that name.
    pub fn root(&mut self, wanted: &'static str) -> XmlResult<Tag> {
        self.lending(|xml, buffer| {
            loop {
                let begun = xml.position() > 0;
                match xml.event(buffer)? {
                    Event::Decl(declaration) if !begun => utf8(&declaration).map_err(|fault| xml.error(fault))?,
                    Event::Start(start) if start.name().0 == wanted => return xml.tag(&start),
                    Event::Start(start) => return Err(xml.error(XmlFault::OtherRoot(start.name().0.to_owned()))),
                    Event::Comment(_) | Event::PI(_) => {}
                    Event::Text(text) if blank(&text) => {}
                    _ => return Err(xml.error(XmlFault::Malformed(format!("no <{wanted}>")))),
                }
            }
        })
    }

    /// After the top element's end: nothing may follow.
    pub fn end(&mut self) -> XmlResult<()> {
        self.lending(|xml, buffer| {
            loop {
                match xml.event(buffer)? {
                    Event::Eof => return Ok(()),
                    Event::Comment(_) | Event::PI(_) => {}
                    Event::Text(text) if blank(&text) => {}
                    _ => return Err(xml.error(XmlFault::Malformed("something follows the end".to_owned()))),
                }
            }
        })
    }

    /// The next child of the present element; None: the element ended.
    pub fn child(&mut self) -> XmlResult<Option<Tag>> {
        self.lending(|xml, buffer| {
            loop {
                match xml.event(buffer)? {
                    Event::Start(start) => return xml.tag(&start).map(Some),
                    Event::End(_) => return Ok(None),
                    Event::Comment(_) | Event::PI(_) => {}
                    Event::Text(text) if blank(&text) => {}
                    Event::Eof => return Err(xml.error(XmlFault::Malformed("it ends too early".to_owned()))),
                    _ => return Err(xml.error(XmlFault::Malformed("text between elements".to_owned()))),
                }
            }
        })
    }

    /// The text of an element that was just begun, up to its end, without any trimming.
    pub fn text(&mut self, tag: &Tag) -> XmlResult<String> {
        let mut out = String::new();
        self.text_into(tag, &mut out)?;
        Ok(out)
    }

    fn text_into(&mut self, tag: &Tag, out: &mut String) -> XmlResult<()> {
        self.lending(|xml, buffer| {
            loop {
                match xml.event(buffer)? {
                    Event::Text(text) => out.push_str(&text.xml10_content()),
                    Event::CData(text) => out.push_str(&text.xml10_content()),
                    Event::GeneralRef(reference) => out.push(referred(&reference).map_err(|fault| xml.error(fault))?),
                    Event::Comment(_) | Event::PI(_) => {}
                    Event::End(_) => break,
                    Event::Start(_) => return Err(xml.value(tag, out, "it has elements inside")),
                    _ => return Err(xml.error(XmlFault::Malformed("it ends too early".to_owned()))),
                }
                xml.bounded(out.len())?;
            }
            match has_noncharacters(out) {
                true => Err(xml.error(XmlFault::Malformed("a character that XML does not have".to_owned()))),
                false => Ok(()),
            }
        })
    }

    fn bounded(&self, length: usize) -> XmlResult<()> {
        let most = self.limits.piece;
        if length as u64 > most {
            return Err(self.error(XmlFault::TooLarge { what: "a piece", most }));
        }
        Ok(())
    }

    /// An element that was just begun, up to its end, as it is written.
    pub fn raw(&mut self, tag: &Tag) -> XmlResult<String> {
        let mut out = format!("<{}{}>", tag.name, tag.written());
        let outside = self.depth - 1;
        self.lending(|xml, buffer| {
            while xml.depth > outside {
                match xml.event(buffer)? {
                    Event::Start(start) => {
                        xml.tag(&start)?;
                        out.push_str(&format!("<{}>", &*start));
                    }
                    Event::End(end) => out.push_str(&format!("</{}>", end.name().0)),
                    Event::Text(text) => out.push_str(&text),
                    Event::CData(text) => out.push_str(&format!("<![CDATA[{}]]>", &*text)),
                    Event::Comment(text) => out.push_str(&format!("<!--{}-->", &*text)),
                    Event::PI(instruction) => out.push_str(&format!("<?{}?>", &*instruction)),
                    Event::GeneralRef(reference) => {
                        referred(&reference).map_err(|fault| xml.error(fault))?;
                        out.push_str(&format!("&{};", &*reference));
                    }
                    _ => return Err(xml.error(XmlFault::Malformed("it ends too early".to_owned()))),
                }
                xml.bounded(out.len())?;
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// Passes over an element that was just begun, to its end.
    pub fn skip(&mut self) -> XmlResult<()> {
        let outside = self.depth - 1;
        self.lending(|xml, buffer| {
            while xml.depth > outside {
                if let Event::Eof = xml.event(buffer)? {
                    return Err(xml.error(XmlFault::Malformed("it ends too early".to_owned())));
                }
            }
            Ok(())
        })
    }

    /// An error of a value.
    pub fn value(&self, tag: &Tag, value: &str, why: &'static str) -> XmlError {
        self.error(XmlFault::Value {
            element: tag.name.to_string(),
            value: value.chars().take(SHOWN).collect(),
            why,
        })
    }

    /// The text of an element as a value of some type.
    pub fn parsed<T>(&mut self, tag: &Tag, why: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> XmlResult<T> {
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        let outcome = self.text_into(tag, &mut text);
        let value = outcome.and_then(|()| parse(&text).ok_or_else(|| self.value(tag, &text, why)));
        self.scratch = text;
        value
    }

    /// The text of an element as a number.
    pub fn number(&mut self, tag: &Tag) -> XmlResult<u64> {
        self.parsed(tag, "not an unsigned number of 64 bits", |text| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().ok())?
        })
    }

    /// The text of an element as a boolean.
    pub fn boolean(&mut self, tag: &Tag) -> XmlResult<bool> {
        self.parsed(tag, "neither true nor false", |text| match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        })
    }

    /// The text of an element under the rules of names: percent-encoded where it says so.
    pub fn name(&mut self, tag: &Tag) -> XmlResult<String> {
        let text = self.text(tag)?;
        if !tag.is_encoded() {
            return Ok(text);
        }
        name::decode(&text).map_err(|fault| {
            self.error(XmlFault::Name {
                element: tag.name.to_string(),
                fault,
            })
        })
    }
}
