//! Erasing a medium: the tape is formatted, and the label of the next generation in its first index makes it true. Every
//! step may be repeated after a crash: the cartridge's memory says meanwhile which medium it is.

use super::condition::Condition;
use super::format::{Shape, lay_out};
use super::readback::ReadBack;
use super::sync::Window;
use super::volume::{LogEnd, LtfsVolume, survey};
use super::{condition, mark, notes, tree};
use crate::ldm::drive::{Drive, Partition};
use crate::ldm::fs::ltfs::attributes;
use crate::ldm::fs::ltfs::volume::{LtfsResult, RecordReader};
use crate::ldm::fs::{EraseStep, Label, Volume, describe};
use crate::ldm::{Fault, MediaResult, Op};
use dss::model::{Address, Generation};

impl LtfsVolume {
    pub(super) fn erase_all(&mut self, label: Label, between: &mut dyn FnMut(EraseStep)) -> MediaResult<Vec<Address>> {
        if self.broken || self.lost {
            return Err(self.deck.fault(Op::Delete, None, Fault::NeedsReopen));
        }
        self.refuse_another_label(&label)?;
        self.identify()?;
        let again = label.generation == self.label.generation && self.condition != Condition::HalfErased;
        let erased = if again {
            self.confirm_erased()
        } else {
            self.refuse_foreign_files()?;
            self.erase_generation(label, between)
        };
        // A half erased medium is mounted again before anything else is done with it.
        self.broken |= erased.is_err();
        self.heed(erased)?;
        // A format leaves nothing that nobody names.
        Ok(Vec::new())
    }

    fn refuse_another_label(&self, label: &Label) -> MediaResult<()> {
        let mine = &self.label;
        let next = Generation(mine.generation.0 + 1);
        let fits = label.medium == mine.medium && label.format == mine.format;
        if fits && (label.generation == next || label.generation == mine.generation) && self.writing.is_empty() {
            return Ok(());
        }
        let fault = Fault::WrongMedium {
            expected: describe(label),
            found: describe(mine),
        };
        Err(self.deck.fault(Op::Delete, None, fault))
    }

    /// Files of others would go with the rest, and no row anywhere tells of them (I11). What cannot be seen may be there.
    fn refuse_foreign_files(&self) -> MediaResult<()> {
        let refuse = |why: String| Err(self.deck.fault(Op::Delete, None, Fault::Unfit(why)));
        let foreign = tree::foreign(&self.mounted.tree);
        if let Some(first) = foreign.first() {
            let more = if foreign.len() > 1 { " and more" } else { "" };
            return refuse(format!(
                "it holds files that are not respool's, and were not touched: '{first}'{more}"
            ));
        }
        let unseen = match &self.condition {
            Condition::Damaged(_) => condition::unseen(&self.mounted, self.written_with),
            // Its last index is known, or nothing of it was left when its erasure began.
            Condition::Whole | Condition::Recover | Condition::ReadOnly(_) | Condition::HalfErased => None,
        };
        match unseen {
            None => Ok(()),
            Some(why) => refuse(format!(
                "it is damaged, and may hold files that are not respool's, which were not touched: {why}"
            )),
        }
    }

    /// The label is of the new generation already: only what a crash may have left undone is done. How often it crashed is
    /// no matter: blocks that nothing names are what crashes leave, and no extent.
    fn confirm_erased(&mut self) -> MediaResult<()> {
        self.writable(Op::Delete)?;
        let named = !self.shelf.is_unused() || !self.window.changes.is_empty();
        if named || self.appender.is_some() {
            let fault = Fault::Unfit("extents were written in this generation; it is not an erased medium".to_owned());
            return Err(self.deck.fault(Op::Delete, None, fault));
        }
        // The format may have come to one partition only.
        if self.condition == Condition::Recover {
            self.commit_tree(Op::Delete, self.stamp)?;
        }
        let label = &self.label;
        self.deck.work(Op::Delete, |drive| mark::clear_left(drive, label))
    }

    fn erase_generation(&mut self, label: Label, between: &mut dyn FnMut(EraseStep)) -> MediaResult<()> {
        let old = &self.mounted.labels.label;
        let (block_size, compression) = (old.block_size, old.compression);
        let shape = Shape {
            barcode: self.deck.work(Op::Delete, barcode)?,
            block_size,
            compression,
        };
        let mounted = lay_out(&self.deck, Op::Delete, &label, &shape, between)?;
        let laid = self
            .deck
            .work(Op::Delete, |drive| match notes::find(drive, &mounted)? {
                Ok(newest) if newest.label == label => survey(drive, mounted, newest, 0).map(Some),
                Ok(_) | Err(_) => Ok(None),
            })?;
        let Some(laid) = laid.filter(|laid| laid.condition == Condition::Whole) else {
            return Err(self
                .deck
                .damaged(Op::Delete, "the label reads back otherwise than it was written"));
        };
        self.records = RecordReader::new(&laid.mounted.labels);
        (self.mounted, self.condition) = (laid.mounted, laid.condition);
        self.revision = label.revision;
        self.label = label;
        self.stamp = None;
        self.shelf = laid.shelf;
        self.window = Window::default();
        self.log = LogEnd::default();
        (self.used, self.unindexed) = (0, 0);
        (self.noted, self.written_with) = (laid.noted, laid.written_with);
        self.read_back = ReadBack::done();
        (self.appender, self.estimate, self.pen) = (None, None, None);
        (self.away, self.full) = (false, false);
        self.reading.clear();
        self.remember_identity()
    }
}

/// The barcode as the cartridge's memory has it.
fn barcode(drive: &mut dyn Drive) -> LtfsResult<String> {
    let attribute = drive.attribute(Partition(0), attributes::BARCODE)?;
    let text = attribute.map(|attribute| String::from_utf8_lossy(&attribute.value).into_owned());
    Ok(text.unwrap_or_default().trim_matches([' ', '\0']).to_owned())
}
