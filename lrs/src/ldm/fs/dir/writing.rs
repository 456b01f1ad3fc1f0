//! Writing extents: a name nobody had, a file nobody made, every byte counted and digested on its way.

use super::index::Slot;
use super::volume::DirVolume;
use crate::ldm::disk::{FileId, Role, Subject};
use crate::ldm::fs::dir::record::Record;
use crate::ldm::fs::name;
use crate::ldm::fs::name::Owner;
use crate::ldm::fs::{Accepted, ExtentTag, IndexEntry, Volume, WriteHandle};
use crate::ldm::{Fault, MediaError, MediaResult, Op};
use dss::model::evidence::{WriteReceipt, WriteSerial};
use dss::model::{Address, Digests, ExtentId, Origin};
use nix::errno::Errno;

/// No object is attempted so often on one medium in one generation.
const MOST_ATTEMPTS: u32 = 100_000;

/// Finished files are held open until a sync, since an error of writing back is told to those who have the file open.
/// When there are so many they are synced at once.
const MOST_OPEN: usize = 512;

/// Files from this size on are given to the device as soon as they are finished, so that the sync has less to wait for.
/// For smaller ones, each call would cost more than it saves: a sync gathers them (measured on ext4).
const WRITE_BACK_FROM: u64 = 64 << 10;

/// An extent being written.
pub(super) struct Writing {
    pub(super) file: FileId,
    tag: ExtentTag,
    address: Address,
    written: u64,
    crc: crc32fast::Hasher,
    fit: Fit,
}

/// Whether an extent can still be finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// Every byte was taken so far.
    Whole,
    /// A write failed; an unknown part of it is in the file.
    Spoiled,
}

impl Writing {
    /// Bytes that are still to come.
    pub(super) fn promised(&self) -> u64 {
        self.tag.bytes.0.saturating_sub(self.written)
    }

    /// Whose bytes.
    pub(super) fn extent(&self) -> ExtentId {
        self.tag.extent
    }
}

impl DirVolume {
    pub(super) fn reserve_name(&mut self, origin: &Origin, extent: ExtentId) -> MediaResult<Address> {
        self.writable(Op::Write)?;
        let base = name::base(origin);
        for number in 1..=MOST_ATTEMPTS {
            let name = name::attempt(&base, number);
            if self.index.owner(&name) != Owner::Free {
                continue;
            }
            let address = name::address(&name);
            // On a disk that does not tell upper from lower case, another object's file may lie under this name.
            let taken = self.ground.call(Op::Write, &address.0, |disk| disk.stat(&address.0))?;
            if taken.is_some() {
                self.index.spend(&name);
                continue;
            }
            self.index.claim(&name, extent);
            return Ok(address);
        }
        let fault = Fault::Unrepresentable(format!("{MOST_ATTEMPTS} attempts at this extent lie here already"));
        Err(self.ground.fault(Op::Write, Some(&base), fault))
    }

    pub(super) fn free_name(&mut self, extent: ExtentId, address: &Address) {
        let is_known =
            self.index.get(extent).is_some() || self.writing.values().any(|writing| writing.extent() == extent);
        let Ok(name) = self.ground.name_of(Op::Write, address) else {
            return;
        };
        if is_known || self.index.owner(name) != Owner::Extent(extent) {
            return;
        }
        let name = name.to_owned();
        // What cannot be looked at may be there.
        let there = self.ground.call(Op::Write, &address.0, |disk| disk.stat(&address.0));
        if matches!(there, Ok(None)) {
            self.index.free(&name);
        }
    }

    pub(super) fn create_extent(&mut self, tag: ExtentTag, address: &Address) -> MediaResult<Option<WriteHandle>> {
        self.writable(Op::Write)?;
        let name = self.ground.name_of(Op::Write, address)?;
        if self.index.owner(name) != Owner::Extent(tag.extent) || self.index.get(tag.extent).is_some() {
            let fault = Fault::NotThisExtent("the address was not reserved for it".to_owned());
            return Err(self.ground.fault(Op::Write, Some(&address.0), fault));
        }
        if self.space()?.free < tag.bytes {
            return Ok(None);
        }
        let role = Role::Extent(Subject {
            oid: tag.origin.oid.clone(),
            extent: tag.extent,
        });
        let created = self.ground.disk().create(&address.0, &role);
        let file = match created {
            Ok(file) => file,
            Err(Errno::ENOSPC | Errno::EDQUOT) => return Ok(None),
            Err(Errno::EEXIST) => {
                let fault = Fault::NotThisExtent("a file is there already".to_owned());
                return Err(self.ground.fault(Op::Write, Some(&address.0), fault));
            }
            Err(other) => return Err(self.ground.error(Op::Write, &address.0, other)),
        };
        self.window.objects = true;
        let handle = WriteHandle(self.next_handle());
        let writing = Writing {
            file,
            tag,
            address: address.clone(),
            written: 0,
            crc: crc32fast::Hasher::new(),
            fit: Fit::Whole,
        };
        self.writing.insert(handle, writing);
        Ok(Some(handle))
    }

    pub(super) fn write_extent(&mut self, handle: WriteHandle, bytes: &[u8]) -> MediaResult<Accepted> {
        self.writable(Op::Write)?;
        let ground = &self.ground;
        let Some(writing) = self.writing.get_mut(&handle) else {
            return Err(ground.fault(Op::Write, None, Fault::Io(Errno::EBADF)));
        };
        let at = &writing.address.0;
        if writing.fit == Fit::Spoiled {
            return Err(ground.fault(Op::Write, Some(at), Fault::Io(Errno::EIO)));
        }
        if bytes.len() as u64 > writing.promised() {
            writing.fit = Fit::Spoiled;
            return Err(ground.fault(Op::Write, Some(at), Fault::Miswritten));
        }
        let (file, offset) = (writing.file, writing.written);
        let written = ground.disk().write_at(file, offset, bytes);
        match written {
            Ok(()) => {
                writing.crc.update(bytes);
                writing.written += bytes.len() as u64;
                self.used += bytes.len() as u64;
                Ok(Accepted::All)
            }
            Err(errno) => {
                writing.fit = Fit::Spoiled;
                match errno {
                    Errno::ENOSPC | Errno::EDQUOT => Ok(Accepted::EndOfMedium),
                    other => Err(ground.error(Op::Write, at, other)),
                }
            }
        }
    }

    pub(super) fn finish_extent(&mut self, handle: WriteHandle, digests: Digests) -> MediaResult<WriteReceipt> {
        self.writable(Op::Write)?;
        let Some(writing) = self.writing.remove(&handle) else {
            return Err(self.ground.fault(Op::Write, None, Fault::Io(Errno::EBADF)));
        };
        match self.checked_inode(&writing, &digests) {
            Ok(inode) => self.enter(writing, digests, inode),
            Err(error) => {
                self.ground.disk().close(writing.file);
                Err(error)
            }
        }
    }

    fn checked_inode(&self, writing: &Writing, digests: &Digests) -> MediaResult<u64> {
        let at = &writing.address.0;
        let taken = (writing.written, writing.crc.clone().finalize());
        let whole = writing.fit == Fit::Whole && writing.tag.bytes == digests.bytes;
        if !whole || taken != (digests.bytes.0, digests.crc32) {
            return Err(self.ground.fault(Op::Write, Some(at), Fault::Miswritten));
        }
        let found = self.ground.call(Op::Write, at, |disk| disk.stat_file(writing.file))?;
        if found.bytes == writing.written {
            Ok(found.inode)
        } else {
            // The file system took every byte and has another number of them.
            Err(self.ground.fault(Op::Write, Some(at), Fault::Io(Errno::EIO)))
        }
    }

    fn enter(&mut self, writing: Writing, digests: Digests, inode: u64) -> MediaResult<WriteReceipt> {
        let extent = writing.extent();
        let bytes = digests.bytes.0;
        let entry = IndexEntry {
            tag: writing.tag,
            address: writing.address,
            digests: digests.clone(),
            inode: Some(inode),
            span: None,
        };
        let named = self.writer.append(Op::Write, &Record::Extent(Box::new(entry)));
        let at = match named.and_then(|at| self.start_writing_back(writing.file, bytes).map(|()| at)) {
            Ok(at) => at,
            Err(error) => {
                self.ground.disk().close(writing.file);
                return Err(self.give_up_window(error));
            }
        };
        self.window.files.push(writing.file);
        self.window.added.push((
            extent,
            Slot {
                segment: at.segment,
                length: at.length,
                offset: at.offset,
                bytes,
            },
        ));
        if self.window.files.len() >= MOST_OPEN {
            self.sync_finished_files()?;
        }
        self.finished += 1;
        let serial = WriteSerial {
            mount: self.mount,
            count: self.finished,
        };
        Ok(WriteReceipt::accepted(extent, digests, Some(inode), serial))
    }

    fn start_writing_back(&self, file: FileId, bytes: u64) -> MediaResult<()> {
        if bytes < WRITE_BACK_FROM {
            return Ok(());
        }
        self.ground.call(Op::Sync, "objects", |disk| disk.write_back(file))
    }

    /// A failure that leaves the window's lines or files unknown: it is void as after a failed sync. Metadata that no
    /// line can hold is the extent's own trouble.
    fn give_up_window(&mut self, error: MediaError) -> MediaError {
        if !error.fault.is_of_extent() {
            self.void_window();
        }
        error
    }

    pub(super) fn abandon_extent(&mut self, handle: WriteHandle) {
        if let Some(writing) = self.writing.remove(&handle) {
            // The file stays: only what the catalogue names as orphan is ever removed.
            self.ground.disk().close(writing.file);
        }
    }
}
