//! Writes an index, in the order of elements that the reference writes, unknown elements last. What it wrote reads as the
//! same tree.

use super::entries::TIMES;
use super::{Directory, Entry, Extent, File, Head, Index, Location, Meta, Xattr, XattrValue};
use crate::ldm::fs::ltfs::FORMAT_VERSION;
use crate::ldm::fs::ltfs::name;
use crate::ldm::fs::ltfs::xml::{Limits, XmlWriter};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, Write};

/// Characters of base64 in a line, after which CR LF follows (README facts: every 72 characters).
const LINE: usize = 72;

/// Writes an index. A name or text that XML cannot hold is an error, except where it can be encoded; and so is what
/// [`read`](super::read) would not take.
pub fn write(index: &Index, out: impl Write) -> io::Result<()> {
    let mut xml = XmlWriter::new(out, Limits::INDEX)?;
    let own = index
        .head
        .attributes
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    xml.open_with("ltfsindex", [("version", FORMAT_VERSION)].into_iter().chain(own))?;
    head(&mut xml, &index.head)?;
    tree(&mut xml, &index.root)?;
    for element in &index.head.unknown {
        xml.raw(element)?;
    }
    xml.close("ltfsindex")?;
    xml.into_inner().flush()
}

fn head<W: Write>(xml: &mut XmlWriter<W>, head: &Head) -> io::Result<()> {
    xml.text("creator", &head.creator)?;
    if let Some(comment) = &head.comment {
        xml.text("comment", comment)?;
    }
    xml.plain("volumeuuid", head.volume.hyphenated())?;
    xml.plain("generationnumber", head.generation)?;
    xml.plain("updatetime", head.update_time)?;
    location(xml, "location", head.location)?;
    if let Some(previous) = head.previous {
        location(xml, "previousgenerationlocation", previous)?;
    }
    xml.plain("allowpolicyupdate", head.allow_policy_update)?;
    if let Some(policy) = &head.policy {
        xml.open("dataplacementpolicy")?;
        xml.open("indexpartitioncriteria")?;
        xml.plain("size", policy.size)?;
        for name in &policy.names {
            xml.name("name", name)?;
        }
        xml.close("indexpartitioncriteria")?;
        xml.close("dataplacementpolicy")?;
    }
    xml.plain("highestfileuid", head.highest_uid)?;
    if let Some(lock) = head.lock {
        xml.plain("volumelockstate", lock.word())?;
    }
    Ok(())
}

fn location<W: Write>(xml: &mut XmlWriter<W>, element: &str, at: Location) -> io::Result<()> {
    xml.open(element)?;
    xml.plain("partition", at.partition)?;
    xml.plain("startblock", at.block)?;
    xml.close(element)
}

/// The tree, with a stack of its own.
fn tree<W: Write>(xml: &mut XmlWriter<W>, root: &Directory) -> io::Result<()> {
    open_directory(xml, root)?;
    let mut stack = vec![(root, root.contents.iter())];
    while let Some((directory, rest)) = stack.last_mut() {
        match rest.next() {
            Some(Entry::File(entry)) => file(xml, entry)?,
            Some(Entry::Directory(inner)) => {
                open_directory(xml, inner)?;
                stack.push((inner, inner.contents.iter()));
            }
            None => {
                close_directory(xml, directory)?;
                stack.pop();
            }
        }
    }
    Ok(())
}

fn open_directory<W: Write>(xml: &mut XmlWriter<W>, directory: &Directory) -> io::Result<()> {
    xml.open("directory")?;
    xml.name("name", &directory.meta.name)?;
    meta(xml, &directory.meta)?;
    xml.open("contents")
}

fn close_directory<W: Write>(xml: &mut XmlWriter<W>, directory: &Directory) -> io::Result<()> {
    xml.close("contents")?;
    for element in &directory.meta.unknown {
        xml.raw(element)?;
    }
    xml.close("directory")
}

/// Everything common but the name and unknown elements.
fn meta<W: Write>(xml: &mut XmlWriter<W>, meta: &Meta) -> io::Result<()> {
    xml.plain("readonly", meta.readonly)?;
    let times = &meta.times;
    let values = [times.creation, times.change, times.modify, times.access, times.backup];
    for (element, time) in TIMES.iter().zip(values) {
        xml.plain(element, time)?;
    }
    xml.plain("fileuid", meta.uid)?;
    if !meta.xattrs.is_empty() {
        xml.open("extendedattributes")?;
        for attribute in &meta.xattrs {
            xattr(xml, attribute)?;
        }
        xml.close("extendedattributes")?;
    }
    Ok(())
}

fn xattr<W: Write>(xml: &mut XmlWriter<W>, attribute: &Xattr) -> io::Result<()> {
    xml.open("xattr")?;
    xml.name("key", &attribute.key)?;
    match &attribute.value {
        XattrValue::Text(text) if text.chars().all(name::is_xml) => xml.text("value", text)?,
        // Text that XML does not have goes as bytes: the value is the same, only its form is not.
        other => xml.lines("value", " type=\"base64\"", &in_lines(&STANDARD.encode(other.bytes())))?,
    }
    xml.close("xattr")
}

fn in_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / LINE * 2);
    for (number, line) in text.as_bytes().chunks(LINE).enumerate() {
        if number > 0 {
            out.push_str("\r\n");
        }
        out.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
    }
    out
}

fn file<W: Write>(xml: &mut XmlWriter<W>, file: &File) -> io::Result<()> {
    xml.open("file")?;
    xml.name("name", &file.meta.name)?;
    xml.plain("length", file.length)?;
    meta(xml, &file.meta)?;
    if let Some(target) = &file.symlink {
        symlink(xml, target)?;
    }
    if !file.extents.is_empty() {
        xml.open("extentinfo")?;
        for one in &file.extents {
            extent(xml, one)?;
        }
        xml.close("extentinfo")?;
    }
    if let Some(open) = file.open_for_write {
        xml.plain("openforwrite", open)?;
    }
    for element in &file.meta.unknown {
        xml.raw(element)?;
    }
    xml.close("file")
}

/// A target with a colon alone is written as it is: the reference reads an encoded one with a slash wrongly, and XML has
/// colons. Only what XML does not have is encoded.
fn symlink<W: Write>(xml: &mut XmlWriter<W>, target: &str) -> io::Result<()> {
    if target.chars().all(name::is_xml) {
        xml.text("symlink", target)
    } else {
        xml.name("symlink", target)
    }
}

fn extent<W: Write>(xml: &mut XmlWriter<W>, extent: &Extent) -> io::Result<()> {
    xml.open("extent")?;
    xml.plain("fileoffset", extent.file_offset)?;
    xml.plain("partition", extent.partition)?;
    xml.plain("startblock", extent.block)?;
    xml.plain("byteoffset", extent.byte_offset)?;
    xml.plain("bytecount", extent.bytes)?;
    xml.close("extent")
}
