//! Appends files' bytes at the end of the data partition: packed densely, so that small files share records. What was
//! appended is on the tape after `flush`, and part of the volume after `commit`.

use super::{LtfsError, LtfsResult, Mounted};
use crate::ldm::drive::{Drive, Partition, Position, WriteOutcome};
use crate::ldm::fs::Accepted;
use crate::ldm::fs::ltfs::PartitionId;
use crate::ldm::fs::ltfs::index::Extent;

/// A file that is being appended.
#[derive(Debug, Default)]
pub struct OpenFile {
    length: u64,
    extents: Vec<Extent>,
    /// The next byte follows the last extent's last one on the tape.
    adjoins: bool,
}

/// Why nothing more is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    /// The tape is full.
    Full,
    /// A write failed: everything since the last flush is void.
    Failed,
}

/// Writes to the end of a volume's data partition. One record is in memory.
pub struct Appender {
    id: PartitionId,
    partition: Partition,
    record: Vec<u8>,
    block_size: usize,
    block: u64,
    durable: u64,
    file: Option<OpenFile>,
    early_warning: bool,
    over: Option<Over>,
}

impl Appender {
    /// Begins to append: goes to the end of data, which must be where the volume expects it.
    ///
    /// # Errors
    /// `NotWritable`: the volume wants a recovery first, or must not be written; `Moved`; or the drive's.
    pub fn new(drive: &mut dyn Drive, mounted: &Mounted) -> LtfsResult<Self> {
        if !mounted.state.is_clean() {
            let words = "it was not left clean; commit its index once more first".to_owned();
            return Err(LtfsError::NotWritable(words));
        }
        mounted.may_be_written(drive)?;
        let partition = mounted.labels.data;
        stand_at_end(drive, partition, mounted.data.end)?;
        let block_size = mounted.labels.label.block_size as usize;
        Ok(Self {
            id: mounted.labels.label.data,
            partition,
            record: Vec::with_capacity(block_size),
            block_size,
            block: mounted.data.end,
            durable: mounted.data.end,
            file: None,
            early_warning: false,
            over: None,
        })
    }

    /// Begins a file; one that was begun and not finished is given up, and its bytes are dead ones.
    pub fn begin(&mut self) {
        self.file = Some(OpenFile::default());
    }

    /// Puts the file that was begun aside, and goes on with another one. What follows of it does not adjoin what it has.
    pub fn swap(&mut self, other: Option<OpenFile>) -> Option<OpenFile> {
        let other = other.map(|file| OpenFile { adjoins: false, ..file });
        std::mem::replace(&mut self.file, other)
    }

    /// Appends bytes to the file that was begun. `EndOfMedium`: no more fits, and everything from block `lost_from` on
    /// is not on the tape.
    ///
    /// # Errors
    /// The drive's. Everything since the last good flush is void then, and nothing more is taken.
    pub fn write(&mut self, drive: &mut dyn Drive, bytes: &[u8]) -> LtfsResult<Accepted> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.over()? {
                return Ok(Accepted::EndOfMedium);
            }
            let (now, later) = rest.split_at(rest.len().min(self.block_size - self.record.len()));
            self.place(now.len() as u64)?;
            self.record.extend_from_slice(now);
            rest = later;
            if self.record.len() == self.block_size {
                self.put(drive)?;
            }
        }
        Ok(if self.over()? {
            Accepted::EndOfMedium
        } else {
            Accepted::All
        })
    }

    /// Ends the file. Its extents hold once `flush` has succeeded, unless one lies at `lost_from` or behind.
    pub fn finish(&mut self) -> LtfsResult<Vec<Extent>> {
        let file = self
            .file
            .take()
            .ok_or_else(|| LtfsError::Refused("no file was begun".to_owned()))?;
        Ok(file.extents)
    }

    /// The first block that is not on the tape although bytes were given for it; None: there is none.
    pub fn lost_from(&self) -> Option<u64> {
        match self.over {
            None => None,
            Some(Over::Full) => Some(self.block),
            Some(Over::Failed) => Some(self.durable),
        }
    }

    /// Early warning was passed: what was given is on its way, and an index still fits. Better commit now.
    pub fn early_warning(&self) -> bool {
        self.early_warning
    }

    /// The block that is written next.
    pub fn end(&self) -> u64 {
        self.block
    }

    /// Bytes that are in memory and in no record yet.
    pub fn waiting(&self) -> usize {
        self.record.len()
    }

    /// Bytes that no flush has covered, at most.
    pub fn unsettled(&self) -> u64 {
        (self.block - self.durable) * self.block_size as u64 + self.record.len() as u64
    }

    /// Whether anything was given that no flush has covered.
    pub fn is_ahead(&self) -> bool {
        self.block > self.durable || !self.record.is_empty()
    }

    /// Writes what is left in memory as a short record: what comes next begins a record.
    ///
    /// # Errors
    /// The drive's, as for `write`.
    pub fn cut(&mut self, drive: &mut dyn Drive) -> LtfsResult<()> {
        if !self.over()? && !self.record.is_empty() {
            self.put(drive)?;
        }
        Ok(())
    }

    /// Goes back to the end of data, after something else was read; it must be where this left it. Everything given
    /// before must have been flushed.
    ///
    /// # Errors
    /// `Moved`, or the drive's.
    pub fn resume(&mut self, drive: &mut dyn Drive) -> LtfsResult<()> {
        debug_assert!(!self.is_ahead(), "flushed before the tape was moved");
        stand_at_end(drive, self.partition, self.block)
    }

    /// Writes what is left in memory as a short record, waits for the tape, and makes sure of the place. Answers the end
    /// of data, which `commit` is to expect. On a full tape that is the place where the tape ended.
    ///
    /// # Errors
    /// The drive's, or `Moved`: everything since the last good flush is void.
    pub fn flush(&mut self, drive: &mut dyn Drive) -> LtfsResult<u64> {
        self.cut(drive)?;
        if let Err(error) = self.settle(drive) {
            self.over = Some(Over::Failed);
            return Err(error);
        }
        self.durable = self.block;
        Ok(self.block)
    }

    fn settle(&mut self, drive: &mut dyn Drive) -> LtfsResult<()> {
        match drive.flush()? {
            WriteOutcome::Taken => {}
            WriteOutcome::EarlyWarning => self.early_warning = true,
            // The drive had taken records that the tape has no room for.
            WriteOutcome::EndOfMedium => return Err(LtfsError::Full(self.id.to_string())),
        }
        let (found, expected) = (drive.position()?, self.here());
        if found == expected {
            Ok(())
        } else {
            Err(LtfsError::Moved { found, expected })
        }
    }

    /// Where the drive must stand, unless it was sent elsewhere since.
    pub(in crate::ldm::fs::ltfs) fn here(&self) -> Position {
        Position {
            partition: self.partition,
            block: self.block,
        }
    }

    fn over(&self) -> LtfsResult<bool> {
        match self.over {
            None => Ok(false),
            Some(Over::Full) => Ok(true),
            Some(Over::Failed) => Err(LtfsError::Refused("an earlier write failed".to_owned())),
        }
    }

    /// Notes that the file's next bytes are at the present place.
    fn place(&mut self, bytes: u64) -> LtfsResult<()> {
        let extent = Extent {
            file_offset: 0,
            partition: self.id,
            block: self.block,
            byte_offset: self.record.len() as u64,
            bytes,
        };
        let file = self
            .file
            .as_mut()
            .ok_or_else(|| LtfsError::Refused("no file was begun".to_owned()))?;
        match file.extents.last_mut() {
            Some(last) if file.adjoins => last.bytes += bytes,
            _ => file.extents.push(Extent {
                file_offset: file.length,
                ..extent
            }),
        }
        (file.length, file.adjoins) = (file.length + bytes, true);
        Ok(())
    }

    /// Writes the record. After a short one nothing adjoins: an extent's records are full but for the last.
    fn put(&mut self, drive: &mut dyn Drive) -> LtfsResult<()> {
        match drive.write(&self.record) {
            Ok(WriteOutcome::Taken) => {}
            Ok(WriteOutcome::EarlyWarning) => self.early_warning = true,
            Ok(WriteOutcome::EndOfMedium) => {
                self.over = Some(Over::Full);
                return Ok(());
            }
            Err(error) => {
                self.over = Some(Over::Failed);
                return Err(error.into());
            }
        }
        if let Some(file) = self.file.as_mut().filter(|_| self.record.len() < self.block_size) {
            file.adjoins = false;
        }
        self.block += 1;
        self.record.clear();
        Ok(())
    }
}

/// Goes to the end of data, which must be where it is expected.
pub(super) fn stand_at_end(drive: &mut dyn Drive, partition: Partition, block: u64) -> LtfsResult<()> {
    let expected = Position { partition, block };
    let found = drive.locate_end(partition)?;
    if found != expected {
        return Err(LtfsError::Moved { found, expected });
    }
    Ok(drive.allow_overwrite(expected)?)
}
