//! Erasing a medium: what the index or the catalogue names goes, what neither names stays and is told, and the label of
//! the next generation makes it true. Every step may be repeated after a crash.

use super::entries::Entries;
use super::index::Index;
use super::label::{self, LabelFile};
use super::lines;
use super::removal::ISOLATED;
use super::survey::{Change, segments, survey};
use super::volume::DirVolume;
use super::writer::Writer;
use crate::ldm::disk::{Kind, LabelRead, Role, Subject};
use crate::ldm::fs::name::OBJECTS;
use crate::ldm::fs::name::Owner;
use crate::ldm::fs::{EraseStep, Label, Wanted, describe};
use crate::ldm::{Fault, MediaResult, Op};
use dss::model::{Address, ExtentId, Generation, Oid};

/// Counts removals and tells once that some are done.
struct Progress<'a> {
    removed: usize,
    middle: usize,
    between: &'a mut dyn FnMut(EraseStep),
}

impl Progress<'_> {
    fn one_more(&mut self) {
        self.removed += 1;
        if self.removed == self.middle {
            (self.between)(EraseStep::Middle);
        }
    }
}

impl DirVolume {
    pub(super) fn erase_all(
        &mut self,
        label: Label,
        orphans: &mut dyn Iterator<Item = Wanted>,
        between: &mut dyn FnMut(EraseStep),
    ) -> MediaResult<Vec<Address>> {
        self.refuse_another_label(&label)?;
        self.seal_window(None)?;
        let erased = if label.generation == self.label.label.generation {
            self.confirm_erased()
        } else {
            self.erase_generation(label, orphans, between)
        };
        // A half erased medium is mounted again before anything else is done with it.
        self.broken |= erased.is_err();
        erased
    }

    fn refuse_another_label(&self, label: &Label) -> MediaResult<()> {
        let mine = &self.label.label;
        let next = Generation(mine.generation.0 + 1);
        let fits = label.medium == mine.medium && label.format == mine.format;
        if fits && (label.generation == next || label.generation == mine.generation) && self.writing.is_empty() {
            return Ok(());
        }
        let fault = Fault::WrongMedium {
            expected: describe(label),
            found: describe(mine),
        };
        Err(self.ground.fault(Op::Delete, None, fault))
    }

    /// The label is of the new generation already: only what a crash may have left undone is done.
    fn confirm_erased(&mut self) -> MediaResult<Vec<Address>> {
        self.legible(Op::Delete)?;
        if self.index.len() > 0 {
            let fault = Fault::Unfit("extents were written in this generation; it is not an erased medium".to_owned());
            return Err(self.ground.fault(Op::Delete, None, fault));
        }
        // Whoever hears that it is erased will expect this generation, and no other, from now on.
        label::confirm(&self.ground, Op::Sync)?;
        self.drop_old_segments()?;
        self.list_strangers()
    }

    fn erase_generation(
        &mut self,
        label: Label,
        orphans: &mut dyn Iterator<Item = Wanted>,
        between: &mut dyn FnMut(EraseStep),
    ) -> MediaResult<Vec<Address>> {
        let mut progress = Progress {
            removed: 0,
            middle: (self.index.len() / 2).max(1),
            between,
        };
        for orphan in orphans {
            self.erase_orphan(&orphan, &mut progress)?;
        }
        self.erase_named(&mut progress)?;
        self.erase_isolated(&mut progress)?;
        let (removed, middle) = (progress.removed, progress.middle);
        for folder in [OBJECTS, ISOLATED] {
            self.ground.call(Op::Sync, folder, |disk| disk.sync_dir(folder))?;
        }
        if removed < middle {
            between(EraseStep::Middle);
        }
        self.relabel(label, between)?;
        self.list_strangers()
    }

    /// An orphan that the index does not name: bytes of an attempt that was never sealed.
    fn erase_orphan(&mut self, orphan: &Wanted, progress: &mut Progress<'_>) -> MediaResult<()> {
        // A row of an earlier generation speaks of bytes that are gone.
        if orphan.generation != self.label.label.generation || self.index.get(orphan.extent).is_some() {
            return Ok(());
        }
        let name = self.ground.name_of(Op::Delete, &orphan.address)?;
        match self.index.owner(name) {
            Owner::Extent(other) if other != orphan.extent => Ok(()),
            Owner::Extent(_) | Owner::Free | Owner::Spent => self.remove(
                &orphan.address.0,
                orphan.inode,
                Subject {
                    oid: orphan.oid.clone(),
                    extent: orphan.extent,
                },
                progress,
            ),
        }
    }

    fn erase_named(&mut self, progress: &mut Progress<'_>) -> MediaResult<()> {
        let (entries, survey) = Entries::open(&self.ground, Op::Delete, &self.label)?;
        self.refuse_new_damage(survey.damage)?;
        for entry in entries {
            let entry = entry?;
            let subject = Subject {
                oid: entry.tag.origin.oid.clone(),
                extent: entry.tag.extent,
            };
            self.ground.name_of(Op::Delete, &entry.address)?;
            self.remove(&entry.address.0, entry.inode, subject, progress)?;
        }
        Ok(())
    }

    fn erase_isolated(&mut self, progress: &mut Progress<'_>) -> MediaResult<()> {
        let mut kept = Vec::new();
        let survey = survey(&self.ground, Op::Delete, &self.label, &mut |change| match change {
            Change::Isolated(isolation) => kept.push(isolation),
            Change::Added { .. } | Change::Removed { .. } => {}
        })?;
        self.refuse_new_damage(survey.damage)?;
        for isolation in kept {
            let subject = Subject {
                oid: isolated_name(isolation.extent),
                extent: isolation.extent,
            };
            self.remove(&isolation.kept, Some(isolation.inode), subject, progress)?;
        }
        Ok(())
    }

    /// An index that was whole when the medium was mounted and is not now was misread, or is going bad: what it no longer
    /// names would stay behind without a row.
    fn refuse_new_damage(&self, damage: Option<String>) -> MediaResult<()> {
        match damage {
            Some(what) if self.damage.is_none() => Err(self.ground.fault(Op::Delete, None, Fault::Damaged(what))),
            Some(_) | None => Ok(()),
        }
    }

    /// Removes one file, unless it is not the one that is meant: then it stays and is told as a stranger.
    fn remove(&self, path: &str, inode: Option<u64>, of: Subject, progress: &mut Progress<'_>) -> MediaResult<()> {
        let found = self.ground.call(Op::Delete, path, |disk| disk.stat(path))?;
        let meant =
            found.is_some_and(|found| found.kind == Kind::File && inode.is_none_or(|inode| inode == found.inode));
        if meant {
            self.ground
                .call(Op::Delete, path, |disk| disk.unlink(path, &Role::Extent(of)))?;
            progress.one_more();
        }
        Ok(())
    }

    /// A new manifest, durable, then the label that points to it, then the old manifest goes.
    fn relabel(&mut self, label: Label, between: &mut dyn FnMut(EraseStep)) -> MediaResult<()> {
        let first_segment = segments(&self.ground, Op::Delete)?
            .last()
            .map_or(self.label.first_segment, |last| *last)
            .checked_add(1)
            .expect("nobody erases a medium four thousand million times");
        let file = LabelFile { label, first_segment };
        self.writer.leave();
        let mut writer = Writer::new(&self.ground, &file, None, first_segment);
        writer.seal(None)?;
        between(EraseStep::BeforeLabel);
        self.stands()?;
        label::write(&self.ground, &file, Op::Sync)?;
        if label::read(&self.ground, LabelRead::Identify)? != file {
            let what = "the label reads back otherwise than it was written";
            return Err(self.ground.damaged(Op::Sync, label::PATH, what));
        }
        self.revision = file.label.revision;
        self.label = file;
        self.writer = writer;
        self.stamp = None;
        self.damage = None;
        self.index = Index::default();
        self.drop_old_segments()?;
        self.used = 0;
        self.meet_strangers()
    }

    fn drop_old_segments(&mut self) -> MediaResult<()> {
        let first = self.label.first_segment;
        let old = segments(&self.ground, Op::Delete)?;
        for number in old.into_iter().filter(|number| *number < first) {
            let path = lines::path(number);
            self.ground
                .call(Op::Delete, &path, |disk| disk.unlink(&path, &Role::Manifest))?;
        }
        self.ground
            .call(Op::Sync, lines::FOLDER, |disk| disk.sync_dir(lines::FOLDER))
    }
}

/// Isolated bytes have no name of their object any more.
fn isolated_name(extent: ExtentId) -> Oid {
    Oid::new(extent.to_string()).expect("an id is an OID")
}
