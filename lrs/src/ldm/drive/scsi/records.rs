//! Reading and writing records. What an answer means is decided by the two functions at the end, from nothing but the
//! answer and what was asked for.

use super::link::Answer;
use super::{Clock, DriveFault, Position, ReadOutcome, ScsiDrive, WriteOutcome, is_refusal, timeouts};
use crate::ldm::scsi::cdb::{Immediate, OverwriteMode};
use crate::ldm::scsi::{Cdb, Sense, SenseClass, Transfer, Transport};

impl<T: Transport, C: Clock> ScsiDrive<T, C> {
    /// Reads the next block into the buffer's head. What a failed read left in it is wiped, so that nobody takes it for data.
    pub(super) fn read_record(&mut self, buffer: &mut [u8]) -> Result<ReadOutcome, DriveFault> {
        self.known()?;
        assert!(
            !buffer.is_empty(),
            "a read into no room moves nothing and tells nothing"
        );
        let asked = buffer.len().min(self.record_max);
        let cdb = Cdb::read(asked as u32);
        let outcome = self
            .call(cdb, Transfer::In(&mut buffer[..asked]), timeouts::READ)
            .and_then(|answer| read_outcome(answer, asked));
        if let Err(fault) = &outcome {
            buffer.fill(0);
            // Behind a record that is too long the position is known; behind any other failure the next block may be
            // another one than the caller believes.
            if !matches!(fault, DriveFault::TooLong { .. }) {
                self.unsure();
            }
        }
        outcome
    }

    pub(super) fn write_record(&mut self, record: &[u8]) -> Result<WriteOutcome, DriveFault> {
        assert!(
            (1..=self.record_max).contains(&record.len()),
            "a record of {} bytes, and at most {} can be written",
            record.len(),
            self.record_max
        );
        let cdb = Cdb::write(record.len() as u32);
        self.put(cdb, Transfer::Out(record), timeouts::WRITE, record.len())
    }

    pub(super) fn write_marks(&mut self, count: u32) -> Result<WriteOutcome, DriveFault> {
        assert!(count > 0, "no filemarks are a flush");
        let cdb = Cdb::write_filemarks(count, Immediate::Yes);
        self.put(cdb, Transfer::None, timeouts::FILEMARKS, 0)
    }

    fn put(
        &mut self,
        cdb: Cdb,
        transfer: Transfer<'_>,
        timeout: std::time::Duration,
        asked: usize,
    ) -> Result<WriteOutcome, DriveFault> {
        self.known()?;
        self.unflushed = true;
        let outcome = self
            .call(cdb, transfer, timeout)
            .and_then(|answer| write_outcome(answer, asked));
        if outcome.is_err() {
            self.unsure();
        }
        outcome
    }

    /// Writes the drive's buffer to the tape. It says so of everything since the last flush, or of nothing: after a failed
    /// write, or a failed flush, there is nothing that a second one could say.
    pub(super) fn flush_buffer(&mut self) -> Result<WriteOutcome, DriveFault> {
        let cdb = Cdb::write_filemarks(0, Immediate::No);
        let outcome = self.put(cdb, Transfer::None, timeouts::FILEMARKS, 0)?;
        match outcome {
            WriteOutcome::Taken | WriteOutcome::EarlyWarning => self.unflushed = false,
            WriteOutcome::EndOfMedium => self.unsure(),
        }
        Ok(outcome)
    }

    /// A drive that does not know the command, or is not in its append-only mode, needs no permission; where it does need
    /// one after all, it refuses the write itself.
    pub(super) fn permit_overwrite(&mut self, at: Position) -> Result<(), DriveFault> {
        self.known()?;
        let cdb = Cdb::allow_overwrite(OverwriteMode::CurrentPosition, at);
        match self.done(cdb, Transfer::None, timeouts::QUESTION) {
            Ok(_) => Ok(()),
            Err(fault) if is_refusal(&fault) => Ok(()),
            Err(fault) => Err(fault),
        }
    }
}

/// What a read found. Only three answers are no failure: a record whose length both the drive and the way agree on, a
/// filemark, and 8/00/05. A failure without data is a failure, whatever else its sense may say.
fn read_outcome(answer: Answer, asked: usize) -> Result<ReadOutcome, DriveFault> {
    let (sense, bytes) = match answer {
        Answer::Good(bytes) => return whole(bytes, asked),
        Answer::Check { sense, bytes } => (sense, bytes),
    };
    match sense.class() {
        SenseClass::Filemark => Ok(ReadOutcome::Filemark),
        SenseClass::EndOfData => Ok(ReadOutcome::EndOfData),
        SenseClass::OtherLength => other_length(sense, bytes, asked),
        SenseClass::Done
        | SenseClass::CleaningWanted
        | SenseClass::EarlyWarning
        | SenseClass::ProgrammableEarlyWarning => whole(bytes, asked),
        _ => Err(DriveFault::Sense(sense)),
    }
}

/// A record of the length that was asked for: all of it must have come.
fn whole(bytes: usize, asked: usize) -> Result<ReadOutcome, DriveFault> {
    match bytes == asked {
        true => Ok(ReadOutcome::Record(asked)),
        false => Err(DriveFault::Nonsense(format!(
            "a record of {asked} bytes, and {bytes} came"
        ))),
    }
}

/// A record of another length than asked for. How long it was is the information field's word. Some adapters count more
/// bytes than were moved for a short record; never fewer.
fn other_length(sense: Sense, bytes: usize, asked: usize) -> Result<ReadOutcome, DriveFault> {
    let nonsense = |why: String| Err(DriveFault::Nonsense(why));
    let Some(residue) = sense.information else {
        return nonsense("a record of another length, and not of which".to_owned());
    };
    let most = asked as u64;
    match u64::try_from(residue) {
        Err(_) => Err(DriveFault::TooLong {
            found: most.saturating_add(residue.unsigned_abs()),
            most,
        }),
        Ok(0) => nonsense("a record of another length than the same".to_owned()),
        Ok(residue) if residue >= most => nonsense(format!("a record {residue} bytes shorter than {most}")),
        Ok(residue) => {
            let found = asked - residue as usize;
            match bytes < found {
                true => nonsense(format!("a record of {found} bytes, and {bytes} came")),
                false => Ok(ReadOutcome::Record(found)),
            }
        }
    }
}

/// What became of a write of so many bytes.
fn write_outcome(answer: Answer, asked: usize) -> Result<WriteOutcome, DriveFault> {
    let (sense, bytes) = match answer {
        Answer::Good(bytes) => return taken(bytes, asked),
        Answer::Check { sense, bytes } => (sense, bytes),
    };
    match sense.class() {
        SenseClass::EarlyWarning => unwritten(sense, WriteOutcome::EarlyWarning),
        SenseClass::ProgrammableEarlyWarning => unwritten(sense, WriteOutcome::Taken),
        SenseClass::Done | SenseClass::CleaningWanted => taken(bytes, asked),
        SenseClass::Full => Ok(WriteOutcome::EndOfMedium),
        _ => Err(DriveFault::Sense(sense)),
    }
}

fn taken(bytes: usize, asked: usize) -> Result<WriteOutcome, DriveFault> {
    match bytes == asked {
        true => Ok(WriteOutcome::Taken),
        false => Err(DriveFault::Nonsense(format!(
            "a record of {asked} bytes, and {bytes} were taken"
        ))),
    }
}

/// A warning comes with a record that was written; a drive that names a rest that was not is not believed (SSC-4, 6.12:
/// the information field is what was asked for less what was written).
fn unwritten(sense: Sense, outcome: WriteOutcome) -> Result<WriteOutcome, DriveFault> {
    match sense.information {
        None | Some(0) => Ok(outcome),
        Some(rest) => Err(DriveFault::Nonsense(format!(
            "a warning ({sense}), and {rest} bytes not written"
        ))),
    }
}
