//! Taking extents away: only those that the catalogue means, by index, name and generation. Nothing of the tape gets free.

use super::tag::{Deletion, Isolation, Record};
use super::volume::LtfsVolume;
use crate::ldm::fs::{Deleted, Wanted, name};
use crate::ldm::{Fault, MediaResult, Op};
use dss::model::ExtentId;

impl LtfsVolume {
    pub(super) fn delete_extent(&mut self, wanted: &Wanted) -> MediaResult<Deleted> {
        self.writable(Op::Delete)?;
        if !self.find_exactly(wanted)? {
            return Ok(Deleted::Absent);
        }
        let deletion = Deletion {
            extent: wanted.extent,
            address: wanted.address.clone(),
        };
        self.note(Op::Delete, Record::Deleted(deletion))?;
        Ok(Deleted::Gone)
    }

    pub(super) fn isolate_extent(&mut self, wanted: &Wanted, reason: &str) -> MediaResult<()> {
        self.writable(Op::Delete)?;
        if !self.find_exactly(wanted)? {
            return Err(self.deck.fault(Op::Delete, Some(&wanted.address.0), Fault::Absent));
        }
        let isolation = Isolation {
            extent: wanted.extent,
            address: wanted.address.clone(),
            kept: self.kept_name(wanted.extent),
            reason: reason.to_owned(),
        };
        self.note(Op::Delete, Record::Isolated(isolation))
    }

    /// A name among the isolated files that none of them has.
    fn kept_name(&self, extent: ExtentId) -> String {
        let base = extent.to_string();
        (1..)
            .map(|number| name::attempt(&base, number))
            .find(|name| !self.shelf.keeps(name))
            .expect("there are more names than files")
    }

    /// Whether the extent that is meant, and no other, is there.
    fn find_exactly(&self, wanted: &Wanted) -> MediaResult<bool> {
        if self.window.removed(wanted.extent) {
            return Ok(false);
        }
        self.refuse_if_evidently_other(Op::Delete, wanted)?;
        let refuse = |why: &str| {
            let fault = Fault::NotThisExtent(why.to_owned());
            Err(self.deck.fault(Op::Delete, Some(&wanted.address.0), fault))
        };
        if self.writing.values().any(|writing| writing.extent() == wanted.extent) {
            return refuse("it is being written");
        }
        let entry = self
            .shelf
            .entry(wanted.extent)
            .or_else(|| self.window.written(wanted.extent).cloned());
        match entry {
            None => Ok(false),
            Some(entry) if entry.address != wanted.address => refuse("the index says otherwise"),
            Some(entry) if wanted.span.is_some() && entry.span != wanted.span => {
                refuse("it does not lie where the catalogue says")
            }
            Some(_) => Ok(true),
        }
    }
}
