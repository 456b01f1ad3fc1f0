//! Taking extents away: only those that the catalogue means, by index, name and generation. Nothing of the tape gets free.

use super::isolation;
use super::tag::{Deletion, Isolation, Record};
use super::volume::LtfsVolume;
use crate::ldm::fs::ltfs::volume::FileReader;
use crate::ldm::fs::{Deleted, IndexEntry, Wanted, name};
use crate::ldm::{Fault, MediaResult, Op};
use dss::model::ExtentId;
use std::borrow::Cow;

impl LtfsVolume {
    pub(super) fn delete_extent(&mut self, wanted: &Wanted) -> MediaResult<Deleted> {
        self.writable(Op::Delete)?;
        if self.find_exactly(wanted)?.is_none() {
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
        let Some(entry) = self.find_exactly(wanted)? else {
            return Err(self.deck.fault(Op::Delete, Some(&wanted.address.0), Fault::Absent));
        };
        let kept = self.kept_name(wanted.extent);
        if let Err(why) = self.can_keep(&entry, &kept) {
            let fault = Fault::NotThisExtent(format!("its bytes cannot be kept: {why}"));
            return Err(self.deck.fault(Op::Delete, Some(&wanted.address.0), fault));
        }
        let isolation = Isolation {
            extent: wanted.extent,
            address: wanted.address.clone(),
            kept,
            reason: reason.to_owned(),
        };
        self.note(Op::Delete, Record::Isolated(isolation))
    }

    /// Whether an index can name the bytes of an extent under another name. What is said of it may be anybody's, and an
    /// index that cannot be written takes every other extent along.
    fn can_keep(&self, entry: &IndexEntry, kept: &str) -> Result<(), String> {
        let labels = &self.mounted.labels;
        let file = isolation::file(entry, kept, labels).ok_or("its note names no place of so many bytes")?;
        let inside = FileReader::within(labels, &self.bounds(), Cow::Owned(file));
        inside.map(drop).map_err(|error| error.to_string())
    }

    /// A name among the isolated files that none of them has.
    fn kept_name(&self, extent: ExtentId) -> String {
        let base = extent.to_string();
        (1..)
            .map(|number| name::attempt(&base, number))
            .find(|name| !self.shelf.keeps(name))
            .expect("there are more names than files")
    }

    /// What is known of the extent that is meant, and of no other; None: it is not there.
    fn find_exactly(&self, wanted: &Wanted) -> MediaResult<Option<IndexEntry>> {
        if self.window.removed(wanted.extent) {
            return Ok(None);
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
            None => Ok(None),
            Some(entry) if entry.address != wanted.address => refuse("the index says otherwise"),
            Some(entry) if wanted.span.is_some() && entry.span != wanted.span => {
                refuse("it does not lie where the catalogue says")
            }
            Some(entry) => Ok(Some(entry)),
        }
    }
}
