//! Runs of records as streams of bytes: an index is read from one and written to one.

use super::{Labels, LtfsError, LtfsResult};
use crate::ldm::drive::{Drive, DriveError, DriveResult, ReadOutcome, WriteOutcome};
use crate::ldm::fs::ltfs::PartitionId;
use std::io::{self, BufRead, Read, Write};

/// How a run of records ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By a filemark, which is passed.
    Filemark,
    /// By the end of data.
    EndOfData,
}

/// The records from the present position to the next filemark, as bytes. One record is in memory.
pub(super) struct RecordSource<'a> {
    drive: &'a mut dyn Drive,
    record: Vec<u8>,
    filled: usize,
    used: usize,
    begin: Vec<u8>,
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// A record that is not full was followed by another one.
    pub(super) gap: bool,
    pub(super) ended: Option<Ended>,
    pub(super) error: Option<DriveError>,
}

/// So many bytes of the first record tell whether it was meant to be an index.
const BEGIN: usize = 512;

impl<'a> RecordSource<'a> {
    pub(super) fn new(drive: &'a mut dyn Drive, block_size: u32) -> Self {
        Self {
            drive,
            record: vec![0; block_size as usize],
            filled: 0,
            used: 0,
            begin: Vec::new(),
            records: 0,
            bytes: 0,
            gap: false,
            ended: None,
            error: None,
        }
    }

    /// Whether it begins as an index does.
    pub(super) fn resembles_index(&self) -> bool {
        String::from_utf8_lossy(&self.begin).contains("<ltfsindex")
    }

    fn next(&mut self) -> DriveResult<()> {
        let short = self.records > 0 && self.filled < self.record.len();
        (self.filled, self.used) = (0, 0);
        match self.drive.read(&mut self.record)? {
            ReadOutcome::Record(length) => {
                if self.records == 0 {
                    self.begin = self.record[..length.min(BEGIN)].to_vec();
                }
                self.filled = length;
                self.records += 1;
                self.bytes += length as u64;
                self.gap |= short;
            }
            ReadOutcome::Filemark => self.ended = Some(Ended::Filemark),
            ReadOutcome::EndOfData => self.ended = Some(Ended::EndOfData),
        }
        Ok(())
    }
}

impl Read for RecordSource<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = {
            let mut available = self.fill_buf()?;
            available.read(buffer)?
        };
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for RecordSource<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.error.is_some() {
            return Err(io::Error::other("the drive failed before"));
        }
        if self.used == self.filled
            && self.ended.is_none()
            && let Err(error) = self.next()
        {
            let words = error.to_string();
            self.error = Some(error);
            return Err(io::Error::other(words));
        }
        Ok(&self.record[self.used..self.filled])
    }

    fn consume(&mut self, amount: usize) {
        self.used += amount;
    }
}

/// Why records could not be written.
pub(super) enum SinkFault {
    /// The drive failed.
    Drive(DriveError),
    /// The tape is full.
    Full,
}

/// Bytes as full records from the present position on, the last one as long as it is.
pub(super) struct RecordSink<'a> {
    drive: &'a mut dyn Drive,
    record: Vec<u8>,
    block_size: usize,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) fault: Option<SinkFault>,
}

impl<'a> RecordSink<'a> {
    pub(super) fn new(drive: &'a mut dyn Drive, block_size: u32) -> Self {
        Self {
            drive,
            record: Vec::with_capacity(block_size as usize),
            block_size: block_size as usize,
            records: 0,
            bytes: 0,
            fault: None,
        }
    }

    fn put(&mut self) -> io::Result<()> {
        let fault = match self.drive.write(&self.record) {
            Ok(WriteOutcome::Taken | WriteOutcome::EarlyWarning) => {
                self.records += 1;
                self.bytes += self.record.len() as u64;
                self.record.clear();
                return Ok(());
            }
            Ok(WriteOutcome::EndOfMedium) => SinkFault::Full,
            Err(error) => SinkFault::Drive(error),
        };
        self.fault = Some(fault);
        Err(io::Error::other("the drive did not take a record"))
    }

    /// Writes what is left as a last record.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if self.record.is_empty() { Ok(()) } else { self.put() }
    }
}

impl Write for RecordSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(self.block_size - self.record.len());
        self.record.extend_from_slice(&bytes[..length]);
        if self.record.len() == self.block_size {
            self.put()?;
        }
        Ok(length)
    }

    /// Records are full but for the last: nothing is written early.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Records that go behind the data and before an index, and that no index names: whoever keeps a volume writes them for
/// himself.
pub struct Recorder<'a> {
    sink: RecordSink<'a>,
    partition: PartitionId,
    first: u64,
}

impl<'a> Recorder<'a> {
    /// The drive stands at this block, the end of data.
    pub(super) fn new(drive: &'a mut dyn Drive, labels: &Labels, first: u64) -> Self {
        Self {
            sink: RecordSink::new(drive, labels.label.block_size),
            partition: labels.label.data,
            first,
        }
    }

    /// The block of the next record that begins.
    pub fn block(&self) -> u64 {
        self.first + self.sink.records
    }

    /// Appends bytes, which fill records.
    ///
    /// # Errors
    /// `Full`, or the drive's.
    pub fn put(&mut self, bytes: &[u8]) -> LtfsResult<()> {
        let outcome = self.sink.write_all(bytes);
        self.answer(outcome)
    }

    /// Ends a record: what comes next begins one.
    ///
    /// # Errors
    /// As of `put`.
    pub fn cut(&mut self) -> LtfsResult<()> {
        let outcome = self.sink.finish();
        self.answer(outcome)
    }

    fn answer(&mut self, outcome: io::Result<()>) -> LtfsResult<()> {
        match (self.sink.fault.take(), outcome) {
            (Some(SinkFault::Full), _) => Err(LtfsError::Full(self.partition.to_string())),
            (Some(SinkFault::Drive(error)), _) => Err(error.into()),
            (None, outcome) => {
                outcome.map_err(|error| LtfsError::Refused(format!("a record cannot be written: {error}")))
            }
        }
    }
}
