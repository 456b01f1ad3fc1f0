//! Reading files: by their path, and where the catalogue knows it by the place of their bytes as well. As many bytes as the
//! catalogue says, or an error that leaves no byte to be used.

use super::volume::ForeignVolume;
use super::{place, tree};
use crate::ldm::fs::ltfs::index::{Entry, File};
use crate::ldm::fs::ltfs::volume::FileReader;
use crate::ldm::fs::{ReadHandle, Wanted};
use crate::ldm::{Fault, MediaResult, Op};
use nix::errno::Errno;
use std::borrow::Cow;

/// A file being read.
pub(super) struct Reading {
    file: FileReader<'static>,
    path: String,
    bytes: u64,
}

impl ForeignVolume {
    pub(super) fn open_file(&mut self, wanted: &Wanted) -> MediaResult<ReadHandle> {
        self.present(Op::Open)?;
        let path = &wanted.address.0;
        let file = self.find(wanted)?;
        if file.length != wanted.bytes.0 {
            let fault = Fault::Short {
                expected: wanted.bytes.0,
                got: file.length,
            };
            return Err(self.seat.fault(Op::Open, Some(path), fault));
        }
        let file = FileReader::within(&self.mounted.labels, &self.mounted.bounds(), Cow::Owned(file))
            .map_err(|error| self.seat.unread(path, wanted.bytes.0, 0, error))?;
        let reading = Reading {
            file,
            path: path.clone(),
            bytes: wanted.bytes.0,
        };
        let handle = ReadHandle(self.next_handle());
        self.reading.insert(handle, reading);
        Ok(handle)
    }

    /// The bytes that are meant: where they are, and how many.
    fn find(&self, wanted: &Wanted) -> MediaResult<File> {
        let path = &wanted.address.0;
        let refuse = |fault| Err(self.seat.fault(Op::Open, Some(path), fault));
        if wanted.generation != self.label.generation {
            return refuse(Fault::NotThisExtent(format!(
                "it was of generation {}, the medium is of generation {}",
                wanted.generation, self.label.generation
            )));
        }
        let found = tree::find(&self.mounted.tree.root, path);
        let files = found.iter().filter_map(|entry| match entry {
            Entry::File(file) => Some(bytes_of(file)),
            Entry::Directory(_) => None,
        });
        let mut files: Vec<File> = files.collect();
        if files.is_empty() {
            // A directory is an extent without bytes, as a symbolic link is.
            return match tree::is_directory(&self.mounted.tree.root, path) {
                true => Ok(File::default()),
                false => refuse(Fault::Absent),
            };
        }
        let Some(span) = &wanted.span else {
            return match (files.pop(), found.len(), &self.ambiguity) {
                (Some(file), 1, None) => Ok(file),
                (_, 1, Some(why)) => refuse(Fault::Damaged(format!("{why}, and where its bytes lie is not known"))),
                (_, _, _) => refuse(Fault::Damaged(
                    "more than one file or directory has this path".to_owned(),
                )),
            };
        };
        let there = |file: &File| place::span(&file.extents, &self.mounted.labels).as_ref() == Some(span);
        match files.into_iter().find(there) {
            Some(file) => Ok(file),
            None => refuse(Fault::Damaged(format!("the index has it elsewhere than at {span}"))),
        }
    }

    pub(super) fn read_file(&mut self, handle: ReadHandle, buffer: &mut [u8]) -> MediaResult<usize> {
        self.present(Op::Read)?;
        // Whoever looks at the buffer in spite of an error finds nothing that could be taken for data.
        let read = self.read_on(handle, buffer).inspect_err(|_| buffer.fill(0));
        self.heed(read)
    }

    fn read_on(&mut self, handle: ReadHandle, buffer: &mut [u8]) -> MediaResult<usize> {
        let Some(reading) = self.reading.get_mut(&handle) else {
            return Err(self.seat.fault(Op::Read, None, Fault::Io(Errno::EBADF)));
        };
        let position = reading.file.position();
        let drive = &mut *self.seat.drive(Op::Read)?;
        let read = reading.file.read(drive, &mut self.records, buffer);
        read.map_err(|error| self.seat.unread(&reading.path, reading.bytes, position, error))
    }

    pub(super) fn seek_file(&mut self, handle: ReadHandle, offset: u64) -> MediaResult<()> {
        match self.reading.get_mut(&handle) {
            Some(reading) if offset <= reading.bytes => {
                reading.file.seek(offset);
                Ok(())
            }
            Some(reading) => Err(self
                .seat
                .fault(Op::Locate, Some(&reading.path), Fault::Io(Errno::EINVAL))),
            None => Err(self.seat.fault(Op::Locate, None, Fault::Io(Errno::EBADF))),
        }
    }
}

/// A file without what is no part of its content. A symbolic link has none, whatever its length is said to be.
fn bytes_of(file: &File) -> File {
    match file.symlink {
        Some(_) => File::default(),
        None => File {
            length: file.length,
            extents: file.extents.clone(),
            ..File::default()
        },
    }
}
