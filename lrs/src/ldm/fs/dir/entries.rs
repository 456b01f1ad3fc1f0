//! The index as the medium has it now: the lines themselves, not what memory says of them.

use super::ground::Ground;
use super::index::Slot;
use super::label::LabelFile;
use super::lines::{Lines, path};
use super::record::{Record, from_line};
use super::survey::{Change, Survey, survey};
use crate::ldm::disk::Role;
use crate::ldm::fs::IndexEntry;
use crate::ldm::{MediaResult, Op};
use dss::model::ExtentId;
use std::collections::HashSet;
use std::vec;

/// Reads the line of one extent.
pub(super) fn read_line(ground: &Ground, op: Op, extent: ExtentId, slot: Slot) -> MediaResult<IndexEntry> {
    let path = path(slot.segment);
    let mut text = vec![0; slot.length as usize];
    let filled = ground.call(op, &path, |disk| {
        let file = disk.open(&path, &Role::Manifest)?;
        disk.drop_cache(file, slot.offset, u64::from(slot.length));
        let mut filled = 0;
        let outcome = loop {
            match disk.read_at(file, slot.offset + filled as u64, &mut text[filled..]) {
                Ok(count) if count == 0 || filled + count == text.len() => break Ok(filled + count),
                Ok(count) => filled += count,
                Err(errno) => break Err(errno),
            }
        };
        disk.close(file);
        outcome
    })?;
    match from_line(&text[..filled]) {
        Some(Record::Extent(entry)) if entry.tag.extent == extent => Ok(*entry),
        Some(_) | None => Err(ground.damaged(
            op,
            &path,
            format!("the line of extent {extent} at byte {}", slot.offset),
        )),
    }
}

/// Every extent that the sealed manifest names and has not taken back.
pub(super) struct Entries {
    ground: Ground,
    op: Op,
    rest: vec::IntoIter<(u32, u64)>,
    open: Option<(Lines, u32, u64)>,
    gone: HashSet<ExtentId>,
}

impl Entries {
    /// Reads the manifest once to learn what of it is sealed and what was taken back; the entries come of a second
    /// reading. Damage is answered beside what precedes it.
    pub(super) fn open(ground: &Ground, op: Op, label: &LabelFile) -> MediaResult<(Self, Survey)> {
        let mut gone = HashSet::new();
        let survey = survey(ground, op, label, &mut |change| match change {
            Change::Added { .. } => {}
            Change::Removed { extent, .. } => {
                gone.insert(extent);
            }
            Change::Isolated(isolation) => {
                gone.insert(isolation.extent);
            }
        })?;
        let entries = Self {
            ground: ground.clone(),
            op,
            rest: survey.sealed.clone().into_iter(),
            open: None,
            gone,
        };
        Ok((entries, survey))
    }

    fn step(&mut self) -> MediaResult<Option<IndexEntry>> {
        loop {
            let Some((lines, segment, end)) = &mut self.open else {
                let Some((segment, end)) = self.rest.next() else {
                    return Ok(None);
                };
                let lines = Lines::open(&self.ground, self.op, segment, 0)?;
                self.open = Some((lines, segment, end));
                continue;
            };
            let (segment, end) = (*segment, *end);
            let line = lines.next(self.op)?.filter(|line| line.offset < end);
            let Some(line) = line else {
                self.open = None;
                continue;
            };
            match from_line(line.text) {
                Some(Record::Extent(entry)) if !self.gone.contains(&entry.tag.extent) => return Ok(Some(*entry)),
                Some(_) => {}
                None if line.text.is_empty() => {}
                None => {
                    let what = format!("the line at byte {}", line.offset);
                    return Err(self.ground.damaged(self.op, &path(segment), what));
                }
            }
        }
    }
}

impl Iterator for Entries {
    type Item = MediaResult<IndexEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            // One failure ends it: what follows a line that cannot be read is not to be trusted to be all.
            self.rest = Vec::new().into_iter();
            self.open = None;
        }
        step.transpose()
    }
}
