//! Taking extents away: only the bytes that the catalogue means, by index, inode and generation; anything in doubt stays.

use super::entries::read_line;
use super::record::{Deletion, Isolation, Record};
use super::volume::DirVolume;
use crate::ldm::disk::{Kind, Replace, Role, Stat, Subject};
use crate::ldm::fs::name::Owner;
use crate::ldm::fs::name::{self, OBJECTS};
use crate::ldm::fs::{Deleted, Wanted};
use crate::ldm::{Fault, MediaResult, Op};
use dss::model::{Address, ExtentId};
use nix::errno::Errno;
use std::collections::HashSet;

/// Where bytes that failed a digest are kept.
pub(super) const ISOLATED: &str = ".respool/isolated";

/// Isolating one extent again and again is somebody's mistake.
const MOST_ISOLATED: u32 = 1000;

impl DirVolume {
    pub(super) fn delete_extent(&mut self, wanted: &Wanted) -> MediaResult<Deleted> {
        self.writable(Op::Delete)?;
        let path = &wanted.address.0;
        let found = self.find_exactly(wanted)?;
        if let Some(found) = found {
            let role = Role::Extent(Subject {
                oid: wanted.oid.clone(),
                extent: wanted.extent,
            });
            self.ground.call(Op::Delete, path, |disk| disk.unlink(path, &role))?;
            self.used = self.used.saturating_sub(found.bytes);
        }
        // Also when nothing is there: a process that died before its sync may have removed the name in the host's memory
        // only, and the row of what is gone goes with the next sync.
        self.window.objects = true;
        if found.is_some() || self.is_named(wanted.extent) {
            let record = Record::Deleted(Deletion {
                extent: wanted.extent,
                address: wanted.address.clone(),
            });
            self.take_out(wanted, &record)?;
        }
        Ok(if found.is_some() {
            Deleted::Gone
        } else {
            Deleted::Absent
        })
    }

    pub(super) fn isolate_extent(&mut self, wanted: &Wanted, reason: &str) -> MediaResult<()> {
        self.writable(Op::Delete)?;
        let path = &wanted.address.0;
        let Some(found) = self.find_exactly(wanted)? else {
            return Err(self.ground.fault(Op::Delete, Some(path), Fault::Absent));
        };
        let kept = self.keep_aside(path, wanted.extent)?;
        self.window.objects = true;
        self.window.isolated = true;
        let record = Record::Isolated(Isolation {
            extent: wanted.extent,
            address: wanted.address.clone(),
            kept,
            inode: found.inode,
            bytes: found.bytes,
            reason: reason.to_owned(),
        });
        self.take_out(wanted, &record)
    }

    fn keep_aside(&mut self, path: &str, extent: ExtentId) -> MediaResult<String> {
        for number in 1..=MOST_ISOLATED {
            let kept = format!("{ISOLATED}/{}", name::attempt(&extent.to_string(), number));
            let moved = self.ground.disk().rename(path, &kept, Replace::No);
            match moved {
                Ok(()) => return Ok(kept),
                Err(Errno::EEXIST) => {}
                Err(other) => return Err(self.ground.error(Op::Delete, path, other)),
            }
        }
        Err(self.ground.error(Op::Delete, path, Errno::EEXIST))
    }

    /// Whether the index names an extent, or will once the window is sealed.
    fn is_named(&self, extent: ExtentId) -> bool {
        let named = self.index.get(extent).is_some() || self.window.added.iter().any(|(added, _)| *added == extent);
        named && !self.window.removed.contains(&extent)
    }

    fn take_out(&mut self, wanted: &Wanted, record: &Record) -> MediaResult<()> {
        let name = self.ground.name_of(Op::Delete, &wanted.address)?;
        self.index.spend(name);
        if let Err(error) = self.writer.append(Op::Delete, record) {
            self.void_window();
            return Err(error);
        }
        self.window.removed.insert(wanted.extent);
        Ok(())
    }

    /// The file that is this extent and nothing else; None when nothing is there.
    fn find_exactly(&mut self, wanted: &Wanted) -> MediaResult<Option<Stat>> {
        let path = &wanted.address.0;
        let removed = self.window.removed.contains(&wanted.extent);
        if !removed {
            self.refuse_if_evidently_other(Op::Delete, wanted)?;
        }
        let refuse = |why: &str| {
            let fault = Fault::NotThisExtent(why.to_owned());
            Err(self.ground.fault(Op::Delete, Some(path), fault))
        };
        if self.writing.values().any(|writing| writing.extent() == wanted.extent) {
            return refuse("it is being written");
        }
        let Some(found) = self.ground.call(Op::Delete, path, |disk| disk.stat(path))? else {
            return Ok(None);
        };
        if removed {
            return refuse("it was removed already, and something else is there");
        }
        if found.kind != Kind::File {
            return refuse("it is not a regular file");
        }
        if wanted.inode.is_some_and(|inode| inode != found.inode) {
            return refuse("its inode is not the one that was recorded");
        }
        if let Some(slot) = self.index.get(wanted.extent) {
            let entry = read_line(&self.ground, Op::Delete, wanted.extent, slot)?;
            if entry.address != wanted.address || entry.inode.is_some_and(|inode| inode != found.inode) {
                return refuse("the index says otherwise");
            }
        }
        Ok(Some(found))
    }

    pub(super) fn list_strangers(&mut self) -> MediaResult<Vec<Address>> {
        self.legible(Op::Read)?;
        let unsealed: HashSet<ExtentId> = self.window.added.iter().map(|(extent, _)| *extent).collect();
        let open: HashSet<ExtentId> = self.writing.values().map(|writing| writing.extent()).collect();
        let index = &self.index;
        let mut strangers = Vec::new();
        self.ground.call(Op::Read, OBJECTS, |disk| {
            disk.list(OBJECTS, &mut |name| {
                let known = match index.owner(&name) {
                    Owner::Extent(extent) => {
                        index.get(extent).is_some() || unsealed.contains(&extent) || open.contains(&extent)
                    }
                    Owner::Free | Owner::Spent => false,
                };
                if !known {
                    strangers.push(name::address(&name));
                }
            })
        })?;
        strangers.sort();
        Ok(strangers)
    }
}
