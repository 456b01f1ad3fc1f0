//! Reading extents: as many bytes as the catalogue says, or an error that leaves no byte to be used.

use super::volume::DirVolume;
use crate::ldm::disk::{DIRECT_FROM, FileId, Kind, Role, Subject};
use crate::ldm::fs::name::Owner;
use crate::ldm::fs::{ReadFrom, ReadHandle, Wanted};
use crate::ldm::{Fault, MediaResult, Op};
use nix::errno::Errno;

/// An extent being read.
pub(super) struct Reading {
    pub(super) file: FileId,
    path: String,
    bytes: u64,
    position: u64,
}

impl DirVolume {
    /// Small extents are fetched while others are read; of large ones the device's own rate is the bound, and they do not
    /// pass through memory.
    pub(super) fn foresee_extent(&mut self, wanted: &Wanted) {
        if wanted.bytes.0 < DIRECT_FROM as u64 && wanted.bytes.0 > 0 {
            self.ground.disk().read_ahead(&wanted.address.0);
        }
    }

    pub(super) fn open_extent(&mut self, wanted: &Wanted, from: ReadFrom) -> MediaResult<ReadHandle> {
        let path = &wanted.address.0;
        self.refuse_if_evidently_other(Op::Open, wanted)?;
        let role = Role::Extent(Subject {
            oid: wanted.oid.clone(),
            extent: wanted.extent,
        });
        let file = self.ground.call(Op::Open, path, |disk| disk.open(path, &role))?;
        let found = self.ground.disk().stat_file(file);
        let refused = match found {
            Err(errno) => Some(self.ground.error(Op::Open, path, errno)),
            Ok(found) if found.kind != Kind::File => {
                let fault = Fault::NotThisExtent("it is not a regular file".to_owned());
                Some(self.ground.fault(Op::Open, Some(path), fault))
            }
            Ok(found) if found.bytes != wanted.bytes.0 => {
                let fault = Fault::Short {
                    expected: wanted.bytes.0,
                    got: found.bytes,
                };
                Some(self.ground.fault(Op::Open, Some(path), fault))
            }
            // The inode is not compared: a disk that was copied has other ones, and the digests decide.
            Ok(_) => None,
        };
        if let Some(error) = refused {
            self.ground.disk().close(file);
            return Err(error);
        }
        if from == ReadFrom::Medium {
            self.ground.disk().drop_cache(file, 0, 0);
        }
        let handle = ReadHandle(self.next_handle());
        let reading = Reading {
            file,
            path: path.clone(),
            bytes: wanted.bytes.0,
            position: 0,
        };
        self.reading.insert(handle, reading);
        Ok(handle)
    }

    /// Another generation, an address that cannot be, or a name that the index gives to somebody else.
    pub(super) fn refuse_if_evidently_other(&self, op: Op, wanted: &Wanted) -> MediaResult<()> {
        let refuse = |why: String| {
            let fault = Fault::NotThisExtent(why);
            Err(self.ground.fault(op, Some(&wanted.address.0), fault))
        };
        let generation = self.label.label.generation;
        if wanted.generation != generation {
            return refuse(format!(
                "it was of generation {}, the medium is of generation {generation}",
                wanted.generation
            ));
        }
        let name = self.ground.name_of(op, &wanted.address)?;
        match self.index.owner(name) {
            Owner::Extent(other) if other != wanted.extent => refuse(format!("the name belongs to extent {other}")),
            Owner::Extent(_) => Ok(()),
            Owner::Free | Owner::Spent if self.index.get(wanted.extent).is_some() => {
                refuse("the index has it under another name".to_owned())
            }
            Owner::Free | Owner::Spent => Ok(()),
        }
    }

    pub(super) fn read_extent(&mut self, handle: ReadHandle, buffer: &mut [u8]) -> MediaResult<usize> {
        let ground = &self.ground;
        let Some(reading) = self.reading.get_mut(&handle) else {
            return Err(ground.fault(Op::Read, None, Fault::Io(Errno::EBADF)));
        };
        let left = reading.bytes - reading.position;
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let mut filled = 0;
        while filled < want {
            let offset = reading.position + filled as u64;
            let fault = match ground.disk().read_at(reading.file, offset, &mut buffer[filled..want]) {
                Ok(0) => Fault::Short {
                    expected: reading.bytes,
                    got: offset,
                },
                Ok(count) => {
                    filled += count;
                    continue;
                }
                Err(errno) => Fault::Io(errno),
            };
            // Whoever looks at the buffer in spite of the error finds nothing that could be taken for data.
            buffer[..want].fill(0);
            let at = format!("{} byte {offset}", reading.path);
            return Err(ground.fault(Op::Read, Some(&at), fault));
        }
        reading.position += want as u64;
        Ok(want)
    }

    pub(super) fn seek_extent(&mut self, handle: ReadHandle, offset: u64) -> MediaResult<()> {
        let ground = &self.ground;
        match self.reading.get_mut(&handle) {
            Some(reading) if offset <= reading.bytes => {
                reading.position = offset;
                Ok(())
            }
            Some(reading) => Err(ground.fault(Op::Locate, Some(&reading.path), Fault::Io(Errno::EINVAL))),
            None => Err(ground.fault(Op::Locate, None, Fault::Io(Errno::EBADF))),
        }
    }

    pub(super) fn close_extent(&mut self, handle: ReadHandle) {
        if let Some(reading) = self.reading.remove(&handle) {
            self.ground.disk().close(reading.file);
        }
    }
}
