//! What a device has to say beside its status, and its encoding (SPC-4, 4.5).

use crate::ldm::scsi::{Completion, Status};

/// Sense of one command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Say {
    key: u8,
    asc: u8,
    ascq: u8,
    filemark: bool,
    end_of_medium: bool,
    incorrect_length: bool,
    deferred: bool,
    information: Option<i64>,
}

impl Say {
    pub(super) const FILEMARK: Self = Self::new(0x0, 0x00, 0x01).filemark();
    pub(super) const EARLY_WARNING: Self = Self::new(0x0, 0x00, 0x02).end_of_medium();
    pub(super) const BEGINNING: Self = Self::new(0x0, 0x00, 0x04).end_of_medium();
    pub(super) const END_OF_DATA: Self = Self::new(0x8, 0x00, 0x05);
    pub(super) const OVERFLOW: Self = Self::new(0xd, 0x00, 0x02).end_of_medium();
    pub(super) const BECOMING_READY: Self = Self::new(0x2, 0x04, 0x01);
    pub(super) const NO_MEDIUM: Self = Self::new(0x2, 0x3a, 0x00);
    pub(super) const CLEANING_INSTALLED: Self = Self::new(0x2, 0x30, 0x03);
    pub(super) const WRITE_ERROR: Self = Self::new(0x3, 0x0c, 0x00);
    pub(super) const READ_ERROR: Self = Self::new(0x3, 0x11, 0x00);
    pub(super) const END_NOT_FOUND: Self = Self::new(0x3, 0x14, 0x03);
    pub(super) const INCOMPATIBLE: Self = Self::new(0x3, 0x30, 0x00);
    pub(super) const MECHANICAL: Self = Self::new(0x4, 0x15, 0x01);
    pub(super) const LOAD_FAILED: Self = Self::new(0x4, 0x53, 0x00);
    pub(super) const PARAMETER_LENGTH: Self = Self::new(0x5, 0x1a, 0x00);
    pub(super) const UNKNOWN_COMMAND: Self = Self::new(0x5, 0x20, 0x00);
    pub(super) const NO_SUCH_ELEMENT: Self = Self::new(0x5, 0x21, 0x01);
    pub(super) const BAD_FIELD: Self = Self::new(0x5, 0x24, 0x00);
    pub(super) const BAD_PARAMETER: Self = Self::new(0x5, 0x26, 0x00);
    pub(super) const NOT_AT_BEGINNING: Self = Self::new(0x5, 0x3b, 0x0c);
    pub(super) const DESTINATION_FULL: Self = Self::new(0x5, 0x3b, 0x0d);
    pub(super) const SOURCE_EMPTY: Self = Self::new(0x5, 0x3b, 0x0e);
    pub(super) const REMOVAL_PREVENTED: Self = Self::new(0x5, 0x53, 0x02);
    pub(super) const MEDIUM_MAY_HAVE_CHANGED: Self = Self::new(0x6, 0x28, 0x00);
    pub(super) const RESET: Self = Self::new(0x6, 0x29, 0x00);
    pub(super) const MODE_CHANGED: Self = Self::new(0x6, 0x2a, 0x01);
    pub(super) const RESERVATION_PREEMPTED: Self = Self::new(0x6, 0x2a, 0x03);
    pub(super) const WRITE_PROTECTED: Self = Self::new(0x7, 0x27, 0x00);
    pub(super) const CANNOT_WRITE_FORMAT: Self = Self::new(0x7, 0x30, 0x05);
    pub(super) const OVERWRITE: Self = Self::new(0x7, 0x30, 0x0c);

    /// A key and an additional code with its qualifier.
    pub const fn new(key: u8, asc: u8, ascq: u8) -> Self {
        Self {
            key,
            asc,
            ascq,
            filemark: false,
            end_of_medium: false,
            incorrect_length: false,
            deferred: false,
            information: None,
        }
    }

    const fn filemark(mut self) -> Self {
        self.filemark = true;
        self
    }

    pub(super) const fn end_of_medium(mut self) -> Self {
        self.end_of_medium = true;
        self
    }

    pub(super) const fn incorrect_length(mut self) -> Self {
        self.incorrect_length = true;
        self
    }

    pub(super) const fn deferred(mut self) -> Self {
        self.deferred = true;
        self
    }

    pub(super) const fn about(mut self, information: i64) -> Self {
        self.information = Some(information);
        self
    }

    pub(super) const fn key(&self) -> u8 {
        self.key
    }

    pub(super) const fn asc(&self) -> u8 {
        self.asc
    }

    pub(super) const fn ascq(&self) -> u8 {
        self.ascq
    }

    fn flags(&self) -> u8 {
        u8::from(self.filemark) << 7 | u8::from(self.end_of_medium) << 6 | u8::from(self.incorrect_length) << 5
    }

    /// Its bytes: fixed format, or descriptor format where the information needs more than 32 bits.
    pub(super) fn encode(&self) -> Vec<u8> {
        match self.information.map(i32::try_from) {
            Some(Err(_)) => self.by_descriptors(),
            Some(Ok(information)) => self.fixed(Some(information)),
            None => self.fixed(None),
        }
    }

    /// SPC-4, 4.5.3.
    fn fixed(&self, information: Option<i32>) -> Vec<u8> {
        let mut sense = vec![0; 18];
        sense[0] = 0x70 | u8::from(self.deferred) | u8::from(information.is_some()) << 7;
        sense[2] = self.flags() | self.key;
        sense[3..7].copy_from_slice(&information.unwrap_or(0).to_be_bytes());
        sense[7] = 10;
        sense[12] = self.asc;
        sense[13] = self.ascq;
        sense
    }

    /// SPC-4, 4.5.2, with the information descriptor (type 0) and the stream commands descriptor (type 4).
    fn by_descriptors(&self) -> Vec<u8> {
        let mut sense = vec![
            0x72 | u8::from(self.deferred),
            self.key,
            self.asc,
            self.ascq,
            0,
            0,
            0,
            16,
        ];
        sense.extend([0, 10, 0x80, 0]);
        sense.extend(self.information.unwrap_or(0).to_be_bytes());
        sense.extend([4, 2, 0, self.flags()]);
        sense
    }
}

/// Why a command did not simply succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// CHECK CONDITION, after so many bytes were moved.
    Condition(Say, usize),
    /// RESERVATION CONFLICT.
    Conflict,
    /// No answer at all.
    Silence,
}

impl From<Say> for Check {
    fn from(say: Say) -> Self {
        Self::Condition(say, 0)
    }
}

/// How many bytes a command moved, or why it did not succeed.
pub(super) type Answered = Result<usize, Check>;

/// The completion of a command, or None where the device keeps silent.
pub(super) fn completion(answered: Answered) -> Option<Completion> {
    let (status, sense, transferred) = match answered {
        Ok(transferred) => (Status::Good, Vec::new(), transferred),
        Err(Check::Condition(say, transferred)) => (Status::CheckCondition, say.encode(), transferred),
        Err(Check::Conflict) => (Status::ReservationConflict, Vec::new(), 0),
        Err(Check::Silence) => return None,
    };
    Some(Completion {
        status,
        sense,
        transferred,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sense_is_fixed_until_the_information_is_too_large() {
        let fixed = Say::FILEMARK.about(-3).encode();
        assert_eq!(fixed[..8], [0xf0, 0, 0x80, 0xff, 0xff, 0xff, 0xfd, 10]);
        assert_eq!(fixed[12..14], [0, 1]);
        let wide = Say::END_OF_DATA.about(1 << 40).encode();
        assert_eq!(wide[..8], [0x72, 8, 0, 5, 0, 0, 0, 16]);
        assert_eq!(wide[12..20], (1_i64 << 40).to_be_bytes());
        assert_eq!(Say::WRITE_ERROR.deferred().encode()[0], 0x71);
    }
}
