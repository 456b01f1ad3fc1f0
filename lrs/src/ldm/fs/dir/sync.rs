//! Making writes durable: files, their names, the manifest's lines, in this order. A failure voids the window.

use super::index::Slot;
use super::removal::ISOLATED;
use super::volume::DirVolume;
use crate::ldm::disk::FileId;
use crate::ldm::fs::name::OBJECTS;
use crate::ldm::fs::{IndexStamp, Volume};
use crate::ldm::{Fault, MediaResult, Op};
use dss::model::ExtentId;
use dss::model::evidence::{SyncReceipt, WriteSerial};
use std::collections::BTreeSet;

/// What happened since the last good sync.
#[derive(Default)]
pub(super) struct Window {
    /// Finished files that are not known durable.
    pub(super) files: Vec<FileId>,
    /// Finished extents.
    pub(super) added: Vec<(ExtentId, Slot)>,
    /// Deleted and isolated extents.
    pub(super) removed: BTreeSet<ExtentId>,
    /// Whether names among the extents changed.
    pub(super) objects: bool,
    /// Whether names among the isolated bytes changed.
    pub(super) isolated: bool,
}

impl DirVolume {
    pub(super) fn sync_window(&mut self) -> MediaResult<SyncReceipt> {
        self.seal_window(None)?;
        let through = WriteSerial {
            mount: self.mount,
            count: self.finished,
        };
        let label = &self.label.label;
        Ok(SyncReceipt::durable(label.medium, label.generation, through))
    }

    pub(super) fn seal_window(&mut self, stamp: Option<IndexStamp>) -> MediaResult<()> {
        if self.broken {
            return Err(self.ground.fault(Op::Sync, None, Fault::NeedsReopen));
        }
        let sealed = self.try_seal(stamp);
        if sealed.is_err() {
            self.void_window();
        }
        sealed
    }

    fn try_seal(&mut self, stamp: Option<IndexStamp>) -> MediaResult<()> {
        self.identify()?;
        self.sync_finished_files()?;
        // A finished extent's name is in the folder; so may be names of unfinished ones, which do no harm.
        for (changed, folder) in [(self.window.objects, OBJECTS), (self.window.isolated, ISOLATED)] {
            if changed {
                self.ground.call(Op::Sync, folder, |disk| disk.sync_dir(folder))?;
            }
        }
        let news = stamp.filter(|stamp| Some(*stamp) != self.stamp);
        if !self.writer.is_clean() || news.is_some() {
            self.writer.seal(stamp)?;
            // The directory may have been replaced while the device was busy: what was synced then counts for nothing.
            self.stands()?;
        } else {
            // Nothing to add may be so because of lines that are only in the host's memory.
            self.writer.settle()?;
        }
        self.apply(stamp);
        Ok(())
    }

    fn apply(&mut self, stamp: Option<IndexStamp>) {
        let window = std::mem::take(&mut self.window);
        for (extent, slot) in window.added {
            self.index.add(extent, slot);
        }
        for extent in window.removed {
            self.index.remove(extent);
        }
        if let Some(stamp) = stamp {
            self.revision = self.revision.max(stamp.revision);
            self.stamp = Some(stamp);
        }
    }

    /// Makes every finished file durable. A failure voids the window.
    pub(super) fn sync_finished_files(&mut self) -> MediaResult<()> {
        let files = std::mem::take(&mut self.window.files);
        if files.is_empty() {
            return Ok(());
        }
        let synced = self.ground.call(Op::Sync, "the extents' files", |disk| {
            let synced = disk.sync_files(&files);
            files.iter().for_each(|file| disk.close(*file));
            synced
        });
        if synced.is_err() {
            self.void_window();
        }
        synced
    }

    /// Nothing since the last good sync counts, and nothing more is written before the medium is mounted anew.
    pub(super) fn void_window(&mut self) {
        self.broken = true;
        self.writer.leave();
        let window = std::mem::take(&mut self.window);
        let mut disk = self.ground.disk();
        for file in window.files {
            disk.close(file);
        }
    }
}
