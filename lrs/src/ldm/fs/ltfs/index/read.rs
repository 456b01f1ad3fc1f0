//! Reads an index. Everything mandatory must be there once and mean something; one thing missing makes it none, as an
//! older one may be whole. Rules that a tree can break and still be of use are `rules`, not here.

use super::entries::{DirectoryDraft, FileDraft};
use super::{Directory, Entry, Head, Index, Location, Lock, Policy};
use crate::ldm::fs::ltfs::label::{PartitionId, major, once, uuid};
use crate::ldm::fs::ltfs::xml::{Limits, Tag, Xml, XmlFault, XmlResult};
use std::io::BufRead;

const INDEX: &str = "ltfsindex";

/// Whether the tree is kept or only looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The whole tree.
    Tree,
    /// The root without its contents, in little memory. Every element is looked at all the same.
    Head,
}

/// An index that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The index; its root is empty where only the head was kept.
    pub index: Index,
    /// Files and links in the tree.
    pub files: u64,
}

#[derive(Default)]
struct Draft {
    creator: Option<String>,
    comment: Option<String>,
    volume: Option<uuid::Uuid>,
    generation: Option<u64>,
    update_time: Option<super::Time>,
    location: Option<Location>,
    previous: Option<Location>,
    allow_policy_update: Option<bool>,
    policy: Option<Policy>,
    highest_uid: Option<u64>,
    lock: Option<Lock>,
    unknown: Vec<String>,
    root: Option<Directory>,
    files: u64,
}

/// Reads an index to its end.
pub fn read(source: impl BufRead, keep: Keep) -> XmlResult<Read> {
    let mut xml = Xml::new(source, Limits::INDEX);
    let root = xml.root(INDEX)?;
    let version = root.attribute("version").unwrap_or_default();
    match major(&version) {
        Some(2) => {}
        Some(1) => return Err(xml.error(XmlFault::Older(version))),
        Some(0) | None => return Err(xml.error(XmlFault::NoVersion(version))),
        Some(_) => return Err(xml.error(XmlFault::Newer(version))),
    }
    let mut draft = Draft::default();
    while let Some(tag) = xml.child()? {
        element(&mut xml, &tag, keep, &mut draft)?;
    }
    xml.end()?;
    finish(
        &xml,
        draft,
        root.attributes().filter(|(key, _)| key != "version").collect(),
    )
}

fn element<R: BufRead>(xml: &mut Xml<R>, tag: &Tag, keep: Keep, draft: &mut Draft) -> XmlResult<()> {
    match tag.name.as_str() {
        "creator" => {
            let value = xml.text(tag)?;
            once(xml, &mut draft.creator, tag, value)
        }
        "comment" => {
            let value = xml.text(tag)?;
            once(xml, &mut draft.comment, tag, value)
        }
        "volumeuuid" => {
            let value = xml.parsed(tag, "not a UUID", uuid)?;
            once(xml, &mut draft.volume, tag, value)
        }
        "generationnumber" => {
            let value = xml.number(tag)?;
            once(xml, &mut draft.generation, tag, value)
        }
        "updatetime" => {
            let value = xml.parsed(tag, "not a time", |text| text.parse().ok())?;
            once(xml, &mut draft.update_time, tag, value)
        }
        "location" => {
            let value = location(xml)?;
            once(xml, &mut draft.location, tag, value)
        }
        "previousgenerationlocation" => {
            let value = location(xml)?;
            once(xml, &mut draft.previous, tag, value)
        }
        "allowpolicyupdate" => {
            let value = xml.boolean(tag)?;
            once(xml, &mut draft.allow_policy_update, tag, value)
        }
        _ => less_common(xml, tag, keep, draft),
    }
}

fn less_common<R: BufRead>(xml: &mut Xml<R>, tag: &Tag, keep: Keep, draft: &mut Draft) -> XmlResult<()> {
    match tag.name.as_str() {
        "dataplacementpolicy" => {
            let value = policy(xml)?;
            once(xml, &mut draft.policy, tag, value)
        }
        "highestfileuid" => {
            let value = xml.number(tag)?;
            once(xml, &mut draft.highest_uid, tag, value)
        }
        "volumelockstate" => {
            let value = xml.parsed(tag, "not a lock state", Lock::of)?;
            once(xml, &mut draft.lock, tag, value)
        }
        "directory" => {
            let value = tree(xml, keep, &mut draft.files)?;
            once(xml, &mut draft.root, tag, value)
        }
        _ => {
            draft.unknown.push(xml.raw(tag)?);
            Ok(())
        }
    }
}

fn finish<R: BufRead>(xml: &Xml<R>, draft: Draft, attributes: Vec<(String, String)>) -> XmlResult<Read> {
    let missing = |element| xml.error(XmlFault::Missing { element, within: INDEX });
    let head = Head {
        attributes,
        creator: draft.creator.ok_or_else(|| missing("creator"))?,
        comment: draft.comment,
        volume: draft.volume.ok_or_else(|| missing("volumeuuid"))?,
        generation: draft.generation.ok_or_else(|| missing("generationnumber"))?,
        update_time: draft.update_time.ok_or_else(|| missing("updatetime"))?,
        location: draft.location.ok_or_else(|| missing("location"))?,
        previous: draft.previous,
        allow_policy_update: draft.allow_policy_update.ok_or_else(|| missing("allowpolicyupdate"))?,
        policy: draft.policy,
        highest_uid: draft.highest_uid.ok_or_else(|| missing("highestfileuid"))?,
        lock: draft.lock,
        unknown: draft.unknown,
    };
    let root = draft.root.ok_or_else(|| missing("directory"))?;
    Ok(Read {
        index: Index { head, root },
        files: draft.files,
    })
}

fn location<R: BufRead>(xml: &mut Xml<R>) -> XmlResult<Location> {
    let (mut partition, mut block) = (None, None);
    while let Some(tag) = xml.child()? {
        match tag.name.as_str() {
            "partition" => {
                let value = xml.parsed(&tag, "not a letter from a to z", PartitionId::new)?;
                once(xml, &mut partition, &tag, value)?;
            }
            "startblock" => {
                let value = xml.number(&tag)?;
                once(xml, &mut block, &tag, value)?;
            }
            _ => xml.skip()?,
        }
    }
    let missing = |element| {
        xml.error(XmlFault::Missing {
            element,
            within: "location",
        })
    };
    Ok(Location {
        partition: partition.ok_or_else(|| missing("partition"))?,
        block: block.ok_or_else(|| missing("startblock"))?,
    })
}

fn policy<R: BufRead>(xml: &mut Xml<R>) -> XmlResult<Policy> {
    let (mut size, mut names) = (None, Vec::new());
    while let Some(outer) = xml.child()? {
        if outer.name != "indexpartitioncriteria" {
            xml.skip()?;
            continue;
        }
        while let Some(tag) = xml.child()? {
            match tag.name.as_str() {
                "size" => {
                    let value = xml.number(&tag)?;
                    once(xml, &mut size, &tag, value)?;
                }
                "name" => names.push(xml.name(&tag)?),
                _ => xml.skip()?,
            }
        }
    }
    let size = size.ok_or_else(|| {
        xml.error(XmlFault::Missing {
            element: "size",
            within: "dataplacementpolicy",
        })
    })?;
    Ok(Policy { size, names })
}

/// A directory that is being read, and whether the reader is inside its contents.
struct Open {
    draft: DirectoryDraft,
    inside: bool,
}

/// The tree. Directories are kept on a stack of its own, as deep trees must not use up the thread's.
fn tree<R: BufRead>(xml: &mut Xml<R>, keep: Keep, files: &mut u64) -> XmlResult<Directory> {
    let open = || Open {
        draft: DirectoryDraft::default(),
        inside: false,
    };
    let mut above = Vec::new();
    let mut here = open();
    loop {
        match (xml.child()?, here.inside) {
            (Some(tag), true) if tag.name == "directory" => above.push(std::mem::replace(&mut here, open())),
            (Some(tag), true) if tag.name == "file" => {
                let file = FileDraft::read(xml)?;
                *files += 1;
                if keep == Keep::Tree {
                    here.draft.contents.push(Entry::File(file));
                }
            }
            (Some(_), true) => xml.skip()?,
            (Some(tag), false) if tag.name == "contents" => {
                once(xml, &mut here.draft.has_contents, &tag, ())?;
                here.inside = true;
            }
            (Some(tag), false) => here.draft.meta.element(xml, &tag)?,
            (None, true) => here.inside = false,
            (None, false) => {
                let Some(parent) = above.pop() else {
                    return here.draft.finish(xml);
                };
                let done = std::mem::replace(&mut here, parent).draft.finish(xml)?;
                if keep == Keep::Tree {
                    here.draft.contents.push(Entry::Directory(done));
                }
            }
        }
    }
}

/// Reads whatever bytes as an index, and what could be read once more as it is written: for tests that look for panics.
pub fn fuzz_index(bytes: &[u8]) {
    let Ok(first) = read(bytes, Keep::Tree) else { return };
    let mut again = Vec::new();
    super::write(&first.index, &mut again).expect("what was read can be written");
    assert_eq!(read(again.as_slice(), Keep::Tree).as_ref(), Ok(&first));
    assert!(read(bytes, Keep::Head).is_ok_and(|read| read.files == first.files && read.index.head == first.index.head));
}
