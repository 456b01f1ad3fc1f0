//! Reading extents: as many bytes as the catalogue says, or an error that leaves no byte to be used. Where the index names
//! an extent it says where; where it does not, the catalogue's span does, and the digests decide.

use super::condition::Condition;
use super::volume::LtfsVolume;
use super::{shelf, tag};
use crate::ldm::fs::ltfs::index::{Bounds, File};
use crate::ldm::fs::ltfs::volume::{FileReader, ReadError};
use crate::ldm::fs::name::Owner;
use crate::ldm::fs::{ReadHandle, Wanted};
use crate::ldm::{Fault, MediaResult, Op};
use dss::model::Span;
use nix::errno::Errno;
use std::borrow::Cow;

/// An extent being read.
pub(super) struct Reading {
    file: FileReader<'static>,
    path: String,
    bytes: u64,
}

impl LtfsVolume {
    pub(super) fn open_extent(&mut self, wanted: &Wanted) -> MediaResult<ReadHandle> {
        self.present(Op::Open)?;
        self.refuse_if_evidently_other(Op::Open, wanted)?;
        let file = self.find(wanted)?;
        if file.length != wanted.bytes.0 {
            let fault = Fault::Short {
                expected: wanted.bytes.0,
                got: file.length,
            };
            return Err(self.deck.fault(Op::Open, Some(&wanted.address.0), fault));
        }
        let file = FileReader::within(&self.mounted.labels, &self.bounds(), Cow::Owned(file))
            .map_err(|error| self.deck.unread(&wanted.address.0, wanted.bytes.0, 0, error))?;
        let handle = ReadHandle(self.next_handle());
        let reading = Reading {
            file,
            path: wanted.address.0.clone(),
            bytes: wanted.bytes.0,
        };
        self.reading.insert(handle, reading);
        Ok(handle)
    }

    /// Where bytes can be. Those that are in memory only are on the tape before they are read.
    pub(super) fn bounds(&self) -> Bounds {
        let mut bounds = self.mounted.bounds();
        let end = self.end() + u64::from(self.appender.as_ref().is_some_and(|appender| appender.waiting() > 0));
        for (id, limit) in &mut bounds.ends {
            if *id == self.mounted.data.id && self.mounted.data.lost_end.is_none() {
                *limit = Some(end);
            }
        }
        bounds
    }

    /// The file of an extent.
    fn find(&self, wanted: &Wanted) -> MediaResult<File> {
        let refuse = |fault| Err(self.deck.fault(Op::Open, Some(&wanted.address.0), fault));
        if self.window.removed(wanted.extent) {
            return refuse(Fault::Absent);
        }
        let labels = &self.mounted.labels;
        let known = self
            .shelf
            .entry(wanted.extent)
            .or_else(|| self.window.written(wanted.extent).cloned())
            .and_then(|note| shelf::file(&note, labels));
        match (known, &wanted.span) {
            (Some(file), None) => Ok(file),
            (Some(file), Some(span)) => {
                if tag::span(&file.extents, labels).as_ref() == Some(span) {
                    return Ok(file);
                }
                refuse(Fault::NotThisExtent(format!(
                    "the index has it elsewhere than at {span}"
                )))
            }
            (None, Some(span)) if self.may_lie_unnamed(wanted) => self.unnamed(wanted, span),
            (None, _) => refuse(Fault::Absent),
        }
    }

    /// Whether an extent can be there without the index naming it: its name was never taken away, or the index says nothing.
    fn may_lie_unnamed(&self, wanted: &Wanted) -> bool {
        let spent = self
            .path_of(Op::Open, &wanted.address)
            .is_ok_and(|path| self.shelf.paths.owner(path) == Owner::Spent);
        match self.condition {
            Condition::Damaged(_) => true,
            Condition::HalfErased => false,
            Condition::Whole | Condition::Recover | Condition::ReadOnly(_) => !spent,
        }
    }

    /// What lies where the catalogue says.
    fn unnamed(&self, wanted: &Wanted, span: &Span) -> MediaResult<File> {
        let extents = tag::extents(span, &self.mounted.labels);
        let fits = span.bytes() == Some(wanted.bytes.0);
        match extents.filter(|_| fits) {
            Some(extents) => Ok(File {
                length: wanted.bytes.0,
                extents,
                ..File::default()
            }),
            None => {
                let fault = Fault::NotThisExtent(format!("{span} is not a place of so many bytes on this tape"));
                Err(self.deck.fault(Op::Open, Some(&wanted.address.0), fault))
            }
        }
    }

    /// Another generation, an address that cannot be, or a name that the index gives to somebody else.
    pub(super) fn refuse_if_evidently_other(&self, op: Op, wanted: &Wanted) -> MediaResult<()> {
        let refuse = |why: String| {
            let fault = Fault::NotThisExtent(why);
            Err(self.deck.fault(op, Some(&wanted.address.0), fault))
        };
        let generation = self.label.generation;
        if wanted.generation != generation {
            return refuse(format!(
                "it was of generation {}, the medium is of generation {generation}",
                wanted.generation
            ));
        }
        let path = self.path_of(op, &wanted.address)?;
        match self.shelf.paths.owner(path) {
            Owner::Extent(other) if other != wanted.extent => refuse(format!("the path belongs to extent {other}")),
            Owner::Extent(_) => Ok(()),
            Owner::Free | Owner::Spent if self.shelf.holds(wanted.extent) => {
                refuse("the index has it at another path".to_owned())
            }
            Owner::Free | Owner::Spent => Ok(()),
        }
    }

    pub(super) fn read_extent(&mut self, handle: ReadHandle, buffer: &mut [u8]) -> MediaResult<usize> {
        if !self.reading.contains_key(&handle) {
            return Err(self.deck.fault(Op::Read, None, Fault::Io(Errno::EBADF)));
        }
        self.set_aside(Op::Read)?;
        // Whoever looks at the buffer in spite of an error finds nothing that could be taken for data.
        let read = self.read_on(handle, buffer).inspect_err(|_| buffer.fill(0));
        self.heed(read)
    }

    fn read_on(&mut self, handle: ReadHandle, buffer: &mut [u8]) -> MediaResult<usize> {
        let reading = self.reading.get_mut(&handle).expect("it was there just now");
        let position = reading.file.position();
        let read = reading
            .file
            .read(&mut *self.deck.drive(Op::Read)?, &mut self.records, buffer);
        read.map_err(|error| {
            let at = match &error {
                ReadError::Drive(_) => format!("{} byte {position}", reading.path),
                ReadError::NoRecord(_) | ReadError::Short { .. } | ReadError::Extents(_) => {
                    format!("{} byte {position} ({error})", reading.path)
                }
            };
            self.deck.unread(&at, reading.bytes, position, error)
        })
    }

    pub(super) fn seek_extent(&mut self, handle: ReadHandle, offset: u64) -> MediaResult<()> {
        match self.reading.get_mut(&handle) {
            Some(reading) if offset <= reading.bytes => {
                reading.file.seek(offset);
                Ok(())
            }
            Some(reading) => Err(self
                .deck
                .fault(Op::Locate, Some(&reading.path), Fault::Io(Errno::EINVAL))),
            None => Err(self.deck.fault(Op::Locate, None, Fault::Io(Errno::EBADF))),
        }
    }
}
