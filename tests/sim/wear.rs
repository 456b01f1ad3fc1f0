//! What a platter does that no file system asked for: pages that never come down although the device says so, bits that
//! turn over, files that lose their ends. A file that was struck in a way nobody was told of says so for ever: only such
//! a file may be missing its bytes (see `FAULTS.md`).

use super::cut::{PAGE, lay, pages};
use super::{File, Key, Platter};
use crate::chance::Chance;
use lrs::ldm::disk::DiskResult;
use std::collections::BTreeSet;

/// What is wrong with a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Wear {
    /// Pages, by number, that the host's memory has and the device does not take, whatever it answers.
    lost: BTreeSet<u64>,
    /// Struck without anybody being told.
    struck: bool,
}

impl Wear {
    /// What is written again is on its way again.
    pub(super) fn written(&mut self, offset: u64, bytes: usize) {
        if bytes > 0 {
            let pages = offset / PAGE..=(offset + bytes as u64 - 1) / PAGE;
            pages.for_each(|page| _ = self.lost.remove(&page));
        }
    }

    pub(super) fn loses(&self, offset: u64) -> bool {
        self.lost.contains(&(offset / PAGE))
    }

    /// The host's memory is gone, and with it what differed.
    pub(super) fn after_cut(&self) -> Self {
        Self {
            lost: BTreeSet::new(),
            struck: self.struck,
        }
    }
}

impl File {
    /// What the device holds once it said that it holds all.
    pub(super) fn after_sync(&self) -> Vec<u8> {
        let mut held = self.now.clone();
        for page in &self.wear.lost {
            let (start, count) = ((page * PAGE) as usize, PAGE as usize);
            for (at, byte) in held.iter_mut().enumerate().skip(start).take(count) {
                *byte = self.durable.get(at).copied().unwrap_or(0);
            }
        }
        held
    }
}

/// A file as its device holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub bytes: Vec<u8>,
    /// Whether it was struck without anybody being told.
    pub struck: bool,
}

impl Platter {
    /// A sync that fails: some of what was written came down, the rest never will, and the host forgets that it did not.
    pub fn fail_sync(&mut self, key: Key, chance: &mut Chance) -> DiskResult<()> {
        let file = self.file_mut(key)?;
        for (offset, bytes) in std::mem::take(&mut file.writes) {
            for (at, piece) in pages(offset, &bytes) {
                if chance.quarters(2) && !file.wear.loses(at) {
                    lay(&mut file.durable, at, piece);
                } else {
                    file.wear.lost.insert(at / PAGE);
                }
            }
        }
        Ok(())
    }

    /// The device takes a write, says so, and forgets one page of it.
    pub fn lose(&mut self, key: Key, offset: u64, bytes: usize, chance: &mut Chance) -> DiskResult<()> {
        let file = self.file_mut(key)?;
        if bytes > 0 {
            let at = offset + chance.below(bytes) as u64;
            file.wear.lost.insert(at / PAGE);
            file.wear.struck = true;
        }
        Ok(())
    }

    /// What is clean is forgotten; the next read comes from the device.
    pub fn drop_cache(&mut self, key: Key) -> DiskResult<()> {
        let file = self.file_mut(key)?;
        if file.writes.is_empty() {
            file.now = file.durable.clone();
            file.wear.lost.clear();
        }
        Ok(())
    }

    /// One bit turns over, on the device and in the host's memory. Nothing happens to a file without bytes.
    pub fn flip(&mut self, path: &str, chance: &mut Chance) -> DiskResult<bool> {
        let Some(key) = self.find(path)? else { return Ok(false) };
        let file = self.file_mut(key)?;
        if file.durable.is_empty() || !file.writes.is_empty() {
            return Ok(false);
        }
        let (at, bit) = (chance.below(file.durable.len()), chance.below(8));
        file.durable[at] ^= 1 << bit;
        if let Some(byte) = file.now.get_mut(at) {
            *byte ^= 1 << bit;
        }
        file.wear.struck = true;
        Ok(true)
    }

    /// The end of a file is gone.
    pub fn shorten(&mut self, path: &str, chance: &mut Chance) -> DiskResult<bool> {
        let Some(key) = self.find(path)? else { return Ok(false) };
        let file = self.file_mut(key)?;
        if file.durable.is_empty() || !file.writes.is_empty() {
            return Ok(false);
        }
        let left = chance.below(file.durable.len());
        file.durable.truncate(left);
        file.now.truncate(left);
        file.wear.struck = true;
        Ok(true)
    }

    /// Every name in a folder, as a reader sees it now; none when there is no such folder.
    pub fn names(&self, path: &str) -> Vec<String> {
        self.list(path).unwrap_or_default()
    }

    /// A file as it would be after the worst power cut; None when its name would be gone.
    pub fn durable(&self, path: &str) -> Option<Held> {
        let mut here = super::TOP;
        for part in path.split('/') {
            here = *self.folder(here).ok()?.durable.get(part)?;
        }
        let file = self.file(here).ok()?;
        Some(Held {
            bytes: file.durable.clone(),
            struck: file.wear.struck,
        })
    }
}
