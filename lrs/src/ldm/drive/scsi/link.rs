//! Commands to a device of tapes or their robot, and what every answer has in common: attentions, busy devices, other
//! hosts' reservations, and errors of earlier commands.

use super::clock::Clock;
use super::timeouts;
use crate::ldm::drive::DriveFault;
use crate::ldm::scsi::{Cdb, Sense, SenseClass, Status, Transfer, Transport, reservation};
use std::time::Duration;

/// Attentions that follow one another before a device is called faulty. A reset of a library queues a handful.
const ATTENTIONS: u32 = 16;

/// Room for READ RESERVATION's answer.
const RESERVATION_BYTES: usize = 24;

/// What a device answered to a command that it carried out, or refused for a reason of the command's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done; so many bytes were moved.
    Good(usize),
    /// Something to say about it.
    Check {
        /// What.
        sense: Sense,
        /// So many bytes were moved.
        bytes: usize,
    },
}

impl Answer {
    /// Success or nothing; a note beside it is no failure.
    pub(crate) fn done(self) -> Result<usize, DriveFault> {
        match self {
            Self::Good(bytes) => Ok(bytes),
            Self::Check { sense, bytes } => match sense.class() {
                SenseClass::Done | SenseClass::CleaningWanted => Ok(bytes),
                _ => Err(DriveFault::Sense(sense)),
            },
        }
    }
}

/// A device, and the time to wait for it.
#[derive(Debug)]
pub(crate) struct Link<T, C> {
    transport: T,
    clock: C,
}

/// The same bytes once more.
fn again<'b>(transfer: &'b mut Transfer<'_>) -> Transfer<'b> {
    match transfer {
        Transfer::None => Transfer::None,
        Transfer::In(buffer) => Transfer::In(buffer),
        Transfer::Out(bytes) => Transfer::Out(bytes),
    }
}

impl<T: Transport, C: Clock> Link<T, C> {
    pub(crate) fn new(transport: T, clock: C) -> Self {
        Self { transport, clock }
    }

    pub(crate) fn clock(&self) -> &C {
        &self.clock
    }

    pub(crate) fn name(&self) -> &str {
        self.transport.name()
    }

    pub(crate) fn transfer_max(&self) -> usize {
        self.transport.transfer_max()
    }

    /// Sends a command; again where the device was busy or had an attention of no consequence: it was not carried out
    /// then. An attention that says that the medium may have changed, or the device was reset, is an error, told once; others
    /// that wait behind it are drained.
    pub(crate) fn send(
        &mut self,
        cdb: Cdb,
        mut transfer: Transfer<'_>,
        timeout: Duration,
    ) -> Result<Answer, DriveFault> {
        let (mut attentions, mut busy) = (0, 0);
        loop {
            let completion = self
                .transport
                .execute(cdb.as_bytes(), again(&mut transfer), timeout)
                .map_err(DriveFault::Transport)?;
            match completion.status {
                Status::Good => return Ok(Answer::Good(completion.transferred)),
                Status::CheckCondition => {}
                Status::Busy | Status::TaskSetFull if busy < timeouts::BUSY_TIMES => {
                    busy += 1;
                    self.clock.sleep(timeouts::BUSY);
                    continue;
                }
                Status::ReservationConflict => return Err(DriveFault::Reserved(self.holder())),
                status => return Err(DriveFault::Status(status)),
            }
            let Some(sense) = Sense::parse(&completion.sense) else {
                return Err(DriveFault::Nonsense("a check condition without sense data".to_owned()));
            };
            if sense.deferred {
                return Err(DriveFault::Deferred(sense));
            }
            match sense.class() {
                SenseClass::MediumChanged | SenseClass::Reset => {
                    // What was lost is told, whatever comes of this: an attention that is left waiting is told by what
                    // is sent next, and a drive that does not answer any more does not answer that either.
                    let _ = self.drain();
                    return Err(DriveFault::PositionLost(sense));
                }
                SenseClass::ReservationTaken => {
                    return Err(DriveFault::Reserved(
                        "another host, which took the reservation away".to_owned(),
                    ));
                }
                SenseClass::Attention if attentions < ATTENTIONS => attentions += 1,
                _ => {
                    return Ok(Answer::Check {
                        sense,
                        bytes: completion.transferred,
                    });
                }
            }
        }
    }

    /// Something that is as good after an attention as before it: sent until none comes any more. For a device of which
    /// nothing is known yet that an attention could void, and for answers that are of the time after it.
    pub(crate) fn repeatable<R>(
        &mut self,
        mut send: impl FnMut(&mut Self) -> Result<R, DriveFault>,
    ) -> Result<R, DriveFault> {
        let mut attentions = 0;
        loop {
            match send(self) {
                Err(DriveFault::PositionLost(_)) if attentions < ATTENTIONS => attentions += 1,
                answer => return answer,
            }
        }
    }

    /// Asks until no attention is waiting any more. Only the way can fail: what else the device has to say comes with the
    /// command that asks for it.
    pub(crate) fn drain(&mut self) -> Result<(), DriveFault> {
        for _ in 0..ATTENTIONS {
            let completion = self
                .transport
                .execute(Cdb::test_unit_ready().as_bytes(), Transfer::None, timeouts::QUESTION)
                .map_err(DriveFault::Transport)?;
            let sense = Sense::parse(&completion.sense);
            let waiting = match (completion.status, sense) {
                (Status::CheckCondition, Some(sense)) if sense.deferred => return Err(DriveFault::Deferred(sense)),
                (Status::CheckCondition, Some(sense)) => sense.key == UNIT_ATTENTION,
                _ => false,
            };
            if !waiting {
                return Ok(());
            }
        }
        Err(DriveFault::Nonsense(format!("{ATTENTIONS} unit attentions in a row")))
    }

    /// A question: as many bytes as came.
    pub(crate) fn ask(&mut self, cdb: Cdb, room: usize) -> Result<Vec<u8>, DriveFault> {
        let mut buffer = vec![0; room];
        let bytes = self.send(cdb, Transfer::In(&mut buffer), timeouts::QUESTION)?.done()?;
        buffer.truncate(bytes);
        Ok(buffer)
    }

    /// Who has reserved the device, in words. It is asked beside a failure and never replaces it.
    fn holder(&mut self) -> String {
        let mut buffer = [0; RESERVATION_BYTES];
        let cdb = Cdb::read_reservation(RESERVATION_BYTES as u16);
        let answer = self
            .transport
            .execute(cdb.as_bytes(), Transfer::In(&mut buffer), timeouts::QUESTION);
        let key = match answer {
            Ok(completion) if completion.status == Status::Good => buffer
                .get(..completion.transferred)
                .and_then(|bytes| reservation::reservation(bytes).ok())
                .flatten()
                .and_then(|reservation| reservation.key),
            _ => None,
        };
        match key {
            Some(key) => format!("the host with key {key}"),
            None => "another host".to_owned(),
        }
    }
}

/// Sense key 6.
const UNIT_ATTENTION: u8 = 0x6;
