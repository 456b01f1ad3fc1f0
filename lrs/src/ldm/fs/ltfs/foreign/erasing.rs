//! Erasing: what is known of the volume is made sure of, then the tape is laid out anew and made a medium of respool's. From
//! the first write on there is no way back: the cartridge's memory says that this medium is being erased, as it does of
//! respool's own (`medium/FORMAT.md`), so that a medium that was cut off in the middle is found and erased again.

use super::volume::ForeignVolume;
use super::{FORMAT, place, tree};
use crate::ldm::drive::{Drive, DriveResult, Layout, Partition};
use crate::ldm::fs::ltfs::attributes;
use crate::ldm::fs::ltfs::index::{File, Lock, Node, walk};
use crate::ldm::fs::ltfs::medium::{self, Shape, mark, notes};
use crate::ldm::fs::{EraseStep, Label, Volume, Wanted, describe};
use crate::ldm::{Fault, MediaResult, Op};
use dss::model::{Address, ByteCount, Generation, Span};
use std::collections::BTreeMap;

/// So many files that nobody knows are named.
const MOST_NAMED: usize = 3;

impl ForeignVolume {
    pub(super) fn erase_all(
        &mut self,
        label: Label,
        orphans: &mut dyn Iterator<Item = Wanted>,
        between: &mut dyn FnMut(EraseStep),
    ) -> MediaResult<Vec<Address>> {
        let label = Label {
            format: match label.format.as_str() {
                FORMAT => medium::FORMAT.to_owned(),
                _ => label.format,
            },
            ..label
        };
        if label == self.label {
            return Ok(Vec::new());
        }
        self.present(Op::Delete)?;
        self.refuse_another_label(&label)?;
        self.identify()?;
        self.refuse_protected()?;
        self.refuse_doubtful()?;
        self.refuse_unknown(orphans)?;
        // Whatever comes of it, this is no volume of others any more.
        self.lost = true;
        self.reading.clear();
        self.lay_out(&label, between)?;
        self.label = label;
        Ok(Vec::new())
    }

    fn refuse_another_label(&self, label: &Label) -> MediaResult<()> {
        let mine = &self.label;
        let next = Generation(mine.generation.0 + 1);
        // The catalogue may have counted on already, when the erasure before this one was cut off.
        let fits = label.generation == next || label.generation == mine.generation;
        if fits && label.medium == mine.medium && label.format == medium::FORMAT {
            return Ok(());
        }
        let fault = Fault::WrongMedium {
            expected: describe(label),
            found: describe(mine),
        };
        Err(self.seat.fault(Op::Delete, None, fault))
    }

    fn unfit<T>(&self, words: String) -> MediaResult<T> {
        Err(self.seat.fault(Op::Delete, None, Fault::Unfit(words)))
    }

    /// A cartridge or a volume that must not be written.
    fn refuse_protected(&mut self) -> MediaResult<()> {
        let asked = self.seat.ask(Op::Delete, |drive| {
            let lock = drive.attribute(Partition(0), attributes::LOCK)?;
            Ok((drive.load()?, lock))
        });
        self.records.forget();
        let (cartridge, lock) = self.heed(asked)?;
        if cartridge.worm {
            return self.unfit("it is a cartridge that is written once, and can never be erased".to_owned());
        }
        if cartridge.write_protected {
            return self.unfit("it is write-protected: move its tab, unless it is protected on purpose".to_owned());
        }
        let remembered = match lock.and_then(|lock| lock.value.first().copied()) {
            Some(1) => Some(Lock::Locked),
            Some(3) => Some(Lock::Permanently),
            Some(_) | None => None,
        };
        match remembered.or(self.mounted.tree.head.lock) {
            None | Some(Lock::Unlocked) => Ok(()),
            Some(lock) => self.unfit(format!(
                "the volume on it is {}: it is not erased before it is unlocked by the software that locked it",
                lock.word()
            )),
        }
    }

    /// Where files may be that no tree here names, nobody can know that nothing is lost.
    fn refuse_doubtful(&mut self) -> MediaResult<()> {
        let asked = self
            .seat
            .work(Op::Delete, |drive| notes::are_there(drive, &self.mounted));
        self.records.forget();
        if self.heed(asked)? {
            return self.unfit(
                "it is a medium of respool's, whose log may name what no index names: mount it as that to erase it"
                    .to_owned(),
            );
        }
        match &self.doubt {
            Some(why) => self.unfit(format!(
                "it is not erased, as files may be on it that cannot be seen: {why}"
            )),
            None => Ok(()),
        }
    }

    /// Files would go with the rest of which no row anywhere tells (I11).
    fn refuse_unknown(&mut self, orphans: &mut dyn Iterator<Item = Wanted>) -> MediaResult<()> {
        let known = orphans.map(|orphan| (orphan.address, (orphan.bytes, orphan.span)));
        let known: BTreeMap<Address, (ByteCount, Option<Span>)> = known.collect();
        let mut unknown = Vec::new();
        walk(&self.mounted.tree.root, |path, node| {
            if let Node::File(file) = node {
                let address = Address(path.to_owned());
                let orphan = known.get(&address);
                if !orphan.is_some_and(|(bytes, span)| self.is_known(path, file, *bytes, span.as_ref())) {
                    unknown.push(address);
                }
            }
        });
        self.unknown = unknown;
        if self.unknown.is_empty() {
            return Ok(());
        }
        let named = self.unknown.iter().take(MOST_NAMED).map(|one| format!("'{one}'"));
        let named = named.collect::<Vec<_>>().join(", ");
        let more = match self.unknown.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        self.unfit(format!(
            "it holds files that the catalogue does not know, and nothing was erased: {named}{more}"
        ))
    }

    /// Whether an orphan is this file. Where its place is not known, its path must lead to no other one.
    fn is_known(&self, path: &str, file: &File, bytes: ByteCount, span: Option<&Span>) -> bool {
        let alone = || tree::find(&self.mounted.tree.root, path).len() == 1;
        if file.symlink.is_some() {
            return alone();
        }
        let there = match span {
            Some(span) => place::span(&file.extents, &self.mounted.labels).as_ref() == Some(span),
            None => self.ambiguity.is_none() && alone(),
        };
        there && file.length == bytes.0
    }

    fn lay_out(&mut self, label: &Label, between: &mut dyn FnMut(EraseStep)) -> MediaResult<()> {
        let shape = self.seat.work(Op::Delete, |drive| {
            let barcode = drive.attribute(Partition(0), attributes::BARCODE)?;
            let barcode = barcode.map_or_else(String::new, |barcode| {
                String::from_utf8_lossy(&barcode.value)
                    .trim_matches([' ', '\0'])
                    .to_owned()
            });
            let usual = Shape::usual(&barcode);
            let most = u32::try_from(drive.record_max()).unwrap_or(u32::MAX);
            mark::set(drive, label, &barcode)?;
            drive.format(Layout::IndexAndData)?;
            // A format may have cleared the cartridge's memory.
            mark::set(drive, label, &barcode)?;
            forget(drive)?;
            Ok(Shape {
                block_size: usual.block_size.min(most),
                ..usual
            })
        })?;
        between(EraseStep::Middle);
        between(EraseStep::BeforeLabel);
        medium::format(self.seat.shared(), label, &shape)
    }
}

/// Has the cartridge forget the volume that its tape held.
fn forget(drive: &mut dyn Drive) -> DriveResult<()> {
    for partition in [Partition(0), Partition(1)] {
        if drive.attribute(partition, attributes::COHERENCY)?.is_some() {
            drive.set_attribute(partition, &attributes::binary(attributes::COHERENCY, Vec::new()))?;
        }
    }
    Ok(())
}
