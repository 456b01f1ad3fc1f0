//! Reads a file's bytes through its extents. A record that is too short, or that cannot be read, fails the file at that
//! place: what follows is never moved forward.

use super::{Labels, Mounted};
use crate::ldm::drive::{Drive, DriveError, Partition, Position, ReadOutcome};
use crate::ldm::fs::ltfs::index::{Bounds, Extent, File, LENGTH_MAX, extent_fault};
use std::borrow::Cow;

/// Why bytes of a file cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The drive could not read a record, or lost its position (`lost_position`).
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// There is no record where an extent has one.
    #[error("there is no record at {_0}")]
    NoRecord(Position),
    /// A record is shorter than the extent needs it to be.
    #[error("the record at {at} has {found} bytes, and {need} are needed")]
    Short {
        /// Which.
        at: Position,
        /// Its bytes.
        found: u64,
        /// As the extent needs.
        need: u64,
    },
    /// The file's extents cannot be true.
    #[error("{_0}")]
    Extents(String),
}

impl ReadError {
    /// Whether nothing can be read until the cartridge was identified anew.
    pub fn lost_position(&self) -> bool {
        matches!(self, Self::Drive(error) if error.lost_position())
    }
}

/// Reads records, one in memory. Files that share a record, or follow each other, cost no locate.
pub struct RecordReader {
    record: Vec<u8>,
    held: Option<(Position, usize)>,
    next: Option<Position>,
}

impl RecordReader {
    /// A reader of a volume's records.
    pub fn new(labels: &Labels) -> Self {
        Self {
            record: vec![0; labels.label.block_size as usize],
            held: None,
            next: None,
        }
    }

    /// Somebody else moved the tape, or wrote to it: neither where it stands nor what lies where is known here any more.
    pub fn forget(&mut self) {
        (self.held, self.next) = (None, None);
    }

    /// The record at a place.
    pub fn record(&mut self, drive: &mut dyn Drive, at: Position) -> Result<&[u8], ReadError> {
        if let Some((_, length)) = self.held.filter(|(held, _)| *held == at) {
            return Ok(&self.record[..length]);
        }
        // Only a good read says where the drive stands.
        let stands = self.next.take();
        self.held = None;
        if stands != Some(at) {
            drive.locate(at)?;
        }
        match drive.read(&mut self.record)? {
            ReadOutcome::Record(length) => {
                self.held = Some((at, length));
                self.next = Some(Position {
                    block: at.block + 1,
                    ..at
                });
                Ok(&self.record[..length])
            }
            ReadOutcome::Filemark | ReadOutcome::EndOfData => Err(ReadError::NoRecord(at)),
        }
    }
}

/// Where a file's first byte is: files that are read in this order are read in that of the tape. Files without bytes on
/// the tape come first.
pub fn order(labels: &Labels, file: &File) -> Option<(Partition, u64, u64)> {
    let extent = file.extents.first()?;
    Some((labels.number(extent.partition)?, extent.block, extent.byte_offset))
}

/// A file being read, from its beginning to its end.
#[derive(Debug)]
pub struct FileReader<'f> {
    file: Cow<'f, File>,
    block_size: u64,
    index: (crate::ldm::fs::ltfs::PartitionId, Partition),
    data: (crate::ldm::fs::ltfs::PartitionId, Partition),
    position: u64,
    extent: usize,
}

/// Everything about a file's extents that must hold before one byte is handed out.
fn plausible(file: &File, bounds: &Bounds) -> Result<(), ReadError> {
    let fault = |words: String| Err(ReadError::Extents(words));
    if file.length > LENGTH_MAX {
        return fault(format!("a length of {} bytes is absurd", file.length));
    }
    let mut covered = 0;
    for extent in &file.extents {
        if let Some(words) = extent_fault(extent, bounds) {
            return fault(format!("the extent at {}:{}: {words}", extent.partition, extent.block));
        }
        if extent.file_offset < covered {
            return fault("extents overlap".to_owned());
        }
        covered = extent.file_offset.saturating_add(extent.bytes);
    }
    if covered > file.length {
        return fault(format!("its extents end at {covered}, its length is {}", file.length));
    }
    Ok(())
}

impl<'f> FileReader<'f> {
    /// Begins to read a file of a mounted volume.
    ///
    /// # Errors
    /// `Extents`: they cannot be true. Nothing is moved.
    pub fn new(mounted: &Mounted, file: &'f File) -> Result<Self, ReadError> {
        Self::within(&mounted.labels, &mounted.bounds(), Cow::Borrowed(file))
    }

    /// Begins to read a file that lies within these bounds, whether an index names it or not.
    ///
    /// # Errors
    /// As of `new`.
    pub fn within(labels: &Labels, bounds: &Bounds, file: Cow<'f, File>) -> Result<Self, ReadError> {
        plausible(&file, bounds)?;
        let label = &labels.label;
        Ok(Self {
            file,
            block_size: u64::from(label.block_size),
            index: (label.index, labels.index),
            data: (label.data, labels.data),
            position: 0,
            extent: 0,
        })
    }

    /// The byte that is read next.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Goes to a byte of the file, or to its end.
    pub fn seek(&mut self, position: u64) {
        (self.position, self.extent) = (position, 0);
    }

    /// Fills the buffer as far as bytes remain; 0 only at the end, or for an empty buffer. An error means that the buffer
    /// holds nothing.
    pub fn read(
        &mut self,
        drive: &mut dyn Drive,
        records: &mut RecordReader,
        buffer: &mut [u8],
    ) -> Result<usize, ReadError> {
        let before = (self.position, self.extent);
        let mut filled = 0;
        while filled < buffer.len() && self.position < self.file.length {
            match self.piece(drive, records, &mut buffer[filled..]) {
                Ok(length) => filled += length,
                Err(error) => {
                    (self.position, self.extent) = before;
                    return Err(error);
                }
            }
        }
        Ok(filled)
    }

    /// Bytes of one record, or of one hole.
    fn piece(
        &mut self,
        drive: &mut dyn Drive,
        records: &mut RecordReader,
        buffer: &mut [u8],
    ) -> Result<usize, ReadError> {
        while let Some(extent) = self.file.extents.get(self.extent).copied() {
            if self.position < extent.file_offset + extent.bytes {
                break;
            }
            self.extent += 1;
        }
        let length = match self.file.extents.get(self.extent).copied() {
            Some(extent) if self.position >= extent.file_offset => self.of_extent(drive, records, extent, buffer)?,
            next => {
                let end = next.map_or(self.file.length, |extent| extent.file_offset);
                zeros(buffer, end - self.position)
            }
        };
        self.position += length as u64;
        Ok(length)
    }

    fn of_extent(
        &self,
        drive: &mut dyn Drive,
        records: &mut RecordReader,
        extent: Extent,
        buffer: &mut [u8],
    ) -> Result<usize, ReadError> {
        let (size, end) = (self.block_size, extent.byte_offset + extent.bytes);
        let from = extent.byte_offset + (self.position - extent.file_offset);
        let (number, offset) = (from / size, from % size);
        // Every record but the last one used must be full.
        let need = size.min(end - number * size);
        let partition = if extent.partition == self.index.0 {
            self.index.1
        } else {
            self.data.1
        };
        debug_assert!(extent.partition == self.index.0 || extent.partition == self.data.0);
        let at = Position {
            partition,
            block: extent.block + number,
        };
        let record = records.record(drive, at)?;
        let found = record.len() as u64;
        if found < need {
            return Err(ReadError::Short { at, found, need });
        }
        let inside = |byte: u64| usize::try_from(byte).expect("inside a record");
        let bytes = &record[inside(offset)..inside(need)];
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Ok(length)
    }
}

/// What no extent covers.
fn zeros(buffer: &mut [u8], most: u64) -> usize {
    let length = usize::try_from(most).unwrap_or(usize::MAX).min(buffer.len());
    buffer[..length].fill(0);
    length
}
