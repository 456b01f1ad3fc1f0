//! Reads what is inside `directory` and `file`.

use super::{Directory, Entry, Extent, File, Meta, Times, Xattr, XattrValue};
use crate::ldm::fs::ltfs::label::{PartitionId, once};
use crate::ldm::fs::ltfs::time::Time;
use crate::ldm::fs::ltfs::xml::{Tag, Xml, XmlFault, XmlResult};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::BufRead;

/// The five times, in the order they are written in.
pub(super) const TIMES: [&str; 5] = ["creationtime", "changetime", "modifytime", "accesstime", "backuptime"];

/// What files and directories have in common, as far as it was read.
#[derive(Default)]
pub(super) struct MetaDraft {
    name: Option<String>,
    readonly: Option<bool>,
    times: [Option<Time>; 5],
    uid: Option<u64>,
    xattrs: Option<Vec<Xattr>>,
    unknown: Vec<String>,
}

impl MetaDraft {
    /// Takes a child; unknown ones are kept.
    pub(super) fn element<R: BufRead>(&mut self, xml: &mut Xml<R>, tag: &Tag) -> XmlResult<()> {
        if let Some(which) = TIMES.iter().position(|name| tag.name == *name) {
            let value = xml.parsed(tag, "not a time", |text| text.parse().ok())?;
            return once(xml, &mut self.times[which], tag, value);
        }
        match tag.name.as_str() {
            "name" => {
                let value = xml.name(tag)?;
                once(xml, &mut self.name, tag, value)
            }
            "readonly" => {
                let value = xml.boolean(tag)?;
                once(xml, &mut self.readonly, tag, value)
            }
            "fileuid" => {
                let value = xml.number(tag)?;
                once(xml, &mut self.uid, tag, value)
            }
            "extendedattributes" => {
                let value = xattrs(xml)?;
                once(xml, &mut self.xattrs, tag, value)
            }
            _ => {
                self.unknown.push(xml.raw(tag)?);
                Ok(())
            }
        }
    }

    fn finish<R: BufRead>(self, xml: &Xml<R>, within: &'static str) -> XmlResult<Meta> {
        let missing = |element| xml.error(XmlFault::Missing { element, within });
        let time = |which: usize| self.times[which].ok_or_else(|| missing(TIMES[which]));
        Ok(Meta {
            times: Times {
                creation: time(0)?,
                change: time(1)?,
                modify: time(2)?,
                access: time(3)?,
                backup: time(4)?,
            },
            name: self.name.ok_or_else(|| missing("name"))?,
            readonly: self.readonly.ok_or_else(|| missing("readonly"))?,
            uid: self.uid.ok_or_else(|| missing("fileuid"))?,
            xattrs: self.xattrs.unwrap_or_default(),
            unknown: self.unknown,
        })
    }
}

fn xattrs<R: BufRead>(xml: &mut Xml<R>) -> XmlResult<Vec<Xattr>> {
    let mut all = Vec::new();
    while let Some(tag) = xml.child()? {
        if tag.name == "xattr" {
            all.push(xattr(xml)?);
        } else {
            xml.skip()?;
        }
    }
    all.shrink_to_fit();
    Ok(all)
}

fn xattr<R: BufRead>(xml: &mut Xml<R>) -> XmlResult<Xattr> {
    let (mut key, mut value) = (None, None);
    while let Some(tag) = xml.child()? {
        match tag.name.as_str() {
            "key" => {
                let text = xml.name(&tag)?;
                once(xml, &mut key, &tag, text)?;
            }
            "value" => {
                let stored = xattr_value(xml, &tag)?;
                once(xml, &mut value, &tag, stored)?;
            }
            _ => xml.skip()?,
        }
    }
    let missing = |element| {
        xml.error(XmlFault::Missing {
            element,
            within: "xattr",
        })
    };
    Ok(Xattr {
        key: key.ok_or_else(|| missing("key"))?,
        value: value.ok_or_else(|| missing("value"))?,
    })
}

fn xattr_value<R: BufRead>(xml: &mut Xml<R>, tag: &Tag) -> XmlResult<XattrValue> {
    match tag.attribute("type").as_deref() {
        None | Some("text") => Ok(XattrValue::Text(xml.text(tag)?)),
        Some("base64") => xml.parsed(tag, "not base64", |text| {
            let dense: String = text.split_ascii_whitespace().collect();
            STANDARD.decode(dense).ok().map(XattrValue::Binary)
        }),
        Some(other) => Err(xml.value(tag, other, "no type of values")),
    }
}

/// A directory, as far as it was read.
#[derive(Default)]
pub(super) struct DirectoryDraft {
    pub(super) meta: MetaDraft,
    pub(super) has_contents: Option<()>,
    pub(super) contents: Vec<Entry>,
}

impl DirectoryDraft {
    pub(super) fn finish<R: BufRead>(mut self, xml: &Xml<R>) -> XmlResult<Directory> {
        self.contents.shrink_to_fit();
        let within = "directory";
        if self.has_contents.is_none() {
            let element = "contents";
            return Err(xml.error(XmlFault::Missing { element, within }));
        }
        Ok(Directory {
            meta: self.meta.finish(xml, within)?,
            contents: self.contents,
        })
    }
}

/// A file, as far as it was read.
#[derive(Default)]
pub(super) struct FileDraft {
    meta: MetaDraft,
    length: Option<u64>,
    symlink: Option<String>,
    extents: Option<Vec<Extent>>,
    open_for_write: Option<bool>,
}

impl FileDraft {
    /// Reads a file that was just begun.
    pub(super) fn read<R: BufRead>(xml: &mut Xml<R>) -> XmlResult<File> {
        let mut draft = Self::default();
        while let Some(tag) = xml.child()? {
            match tag.name.as_str() {
                "length" => {
                    let value = xml.number(&tag)?;
                    once(xml, &mut draft.length, &tag, value)?;
                }
                "symlink" => {
                    let value = xml.name(&tag)?;
                    once(xml, &mut draft.symlink, &tag, value)?;
                }
                "extentinfo" => {
                    let value = extents(xml)?;
                    once(xml, &mut draft.extents, &tag, value)?;
                }
                "openforwrite" => {
                    let value = xml.boolean(&tag)?;
                    once(xml, &mut draft.open_for_write, &tag, value)?;
                }
                _ => draft.meta.element(xml, &tag)?,
            }
        }
        draft.finish(xml)
    }

    fn finish<R: BufRead>(self, xml: &Xml<R>) -> XmlResult<File> {
        let within = "file";
        let length = self.length.ok_or_else(|| {
            let element = "length";
            xml.error(XmlFault::Missing { element, within })
        })?;
        Ok(File {
            meta: self.meta.finish(xml, within)?,
            length,
            extents: self.extents.unwrap_or_default(),
            symlink: self.symlink,
            open_for_write: self.open_for_write,
        })
    }
}

fn extents<R: BufRead>(xml: &mut Xml<R>) -> XmlResult<Vec<Extent>> {
    let mut all = Vec::new();
    while let Some(tag) = xml.child()? {
        if tag.name == "extent" {
            all.push(extent(xml)?);
        } else {
            xml.skip()?;
        }
    }
    // They are written in any order, and used in that of the file. Stable: a wrong index stays as wrong as it was.
    all.sort_by_key(|extent: &Extent| extent.file_offset);
    // Nearly all files have one, and the tree has millions of files.
    all.shrink_to_fit();
    Ok(all)
}

/// The numbers of an extent.
const NUMBERS: [&str; 4] = ["fileoffset", "startblock", "byteoffset", "bytecount"];

fn extent<R: BufRead>(xml: &mut Xml<R>) -> XmlResult<Extent> {
    let mut numbers = [None; 4];
    let mut partition = None;
    while let Some(tag) = xml.child()? {
        if let Some(which) = NUMBERS.iter().position(|name| tag.name == *name) {
            let value = xml.number(&tag)?;
            once(xml, &mut numbers[which], &tag, value)?;
        } else if tag.name == "partition" {
            let value = xml.parsed(&tag, "not a letter from a to z", PartitionId::new)?;
            once(xml, &mut partition, &tag, value)?;
        } else {
            xml.skip()?;
        }
    }
    let missing = |element| {
        xml.error(XmlFault::Missing {
            element,
            within: "extent",
        })
    };
    let number = |which: usize| numbers[which].ok_or_else(|| missing(NUMBERS[which]));
    Ok(Extent {
        file_offset: number(0)?,
        block: number(1)?,
        byte_offset: number(2)?,
        bytes: number(3)?,
        partition: partition.ok_or_else(|| missing("partition"))?,
    })
}
