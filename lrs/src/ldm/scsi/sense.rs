//! Sense data: what a device has to say beside its status, typed, with who is to blame and what to do.

mod class;

pub use class::SenseClass;

use crate::ldm::error::{Blame, Disposition};
use std::fmt;

/// Sense, of either format (SPC-4, 4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sense {
    /// Sense key.
    pub key: u8,
    /// Additional sense code.
    pub asc: u8,
    /// Its qualifier.
    pub ascq: u8,
    /// It is of an earlier command (response codes 71h and 73h).
    pub deferred: bool,
    /// A filemark was met.
    pub filemark: bool,
    /// End of partition or early warning.
    pub end_of_medium: bool,
    /// The record's length was another one.
    pub incorrect_length: bool,
    /// The information field, where it is valid: for a record of another length the asked length less the found one.
    pub information: Option<i64>,
}

/// Descriptor types of SPC-4, table 28, and SSC-4, table 14.
const INFORMATION: u8 = 0x00;
const STREAM_COMMANDS: u8 = 0x04;

impl Sense {
    /// A key and its codes, and nothing else said.
    pub fn of(key: u8, asc: u8, ascq: u8) -> Self {
        Self {
            key,
            asc,
            ascq,
            ..Self::default()
        }
    }

    /// Reads sense data of any format. None: there are none, or of a format that SPC-4 does not know.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? & 0x7f {
            code @ (0x70 | 0x71) => Self::fixed(bytes, code == 0x71),
            code @ (0x72 | 0x73) => Self::descriptors(bytes, code == 0x73),
            _ => None,
        }
    }

    /// Fixed format (SPC-4, 4.5.3). Devices and links cut sense data short: codes that are not there are 0.
    fn fixed(bytes: &[u8], deferred: bool) -> Option<Self> {
        let flags = *bytes.get(2)?;
        // Byte 7 says how many follow it; where the device says fewer than the codes need, they are not meant.
        let said = bytes.get(7).map_or(bytes.len(), |more| usize::from(*more) + 8);
        let code = |at: usize| bytes[..said.min(bytes.len())].get(at).copied().unwrap_or(0);
        let information = (bytes[0] & 0x80 != 0)
            .then(|| bytes.get(3..7))
            .flatten()
            .map(|field| i64::from(i32::from_be_bytes([field[0], field[1], field[2], field[3]])));
        Some(Self {
            key: flags & 0x0f,
            asc: code(12),
            ascq: code(13),
            deferred,
            filemark: flags & 0x80 != 0,
            end_of_medium: flags & 0x40 != 0,
            incorrect_length: flags & 0x20 != 0,
            information,
        })
    }

    /// Descriptor format (SPC-4, 4.5.2).
    fn descriptors(bytes: &[u8], deferred: bool) -> Option<Self> {
        let mut sense = Self {
            key: bytes.get(1)? & 0x0f,
            asc: bytes.get(2).copied().unwrap_or(0),
            ascq: bytes.get(3).copied().unwrap_or(0),
            deferred,
            ..Self::default()
        };
        let length = usize::from(bytes.get(7).copied().unwrap_or(0));
        let mut rest = bytes.get(8..).unwrap_or_default();
        rest = &rest[..length.min(rest.len())];
        while let [kind, more, ..] = *rest {
            let (descriptor, after) = rest.split_at(rest.len().min(usize::from(more) + 2));
            sense.note(kind, descriptor);
            rest = after;
        }
        Some(sense)
    }

    fn note(&mut self, kind: u8, descriptor: &[u8]) {
        match (kind, descriptor) {
            (INFORMATION, [_, _, flags, _, a, b, c, d, e, f, g, h, ..]) if flags & 0x80 != 0 => {
                self.information = Some(i64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]));
            }
            (STREAM_COMMANDS, [_, _, _, flags, ..]) => {
                self.filemark = flags & 0x80 != 0;
                self.end_of_medium = flags & 0x40 != 0;
                self.incorrect_length = flags & 0x20 != 0;
            }
            // Nothing that is acted upon.
            _ => {}
        }
    }

    /// What it means.
    pub fn class(&self) -> SenseClass {
        SenseClass::of(self)
    }

    /// Who is to blame, as far as one answer tells.
    pub fn blame(&self) -> Blame {
        self.class().blame()
    }

    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        self.class().disposition()
    }

    /// What it means, in words for an operator.
    pub fn words(&self) -> &'static str {
        self.class().words()
    }
}

impl fmt::Display for Sense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}/{:02x}/{:02x}", self.key, self.asc, self.ascq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Laid out by hand after SPC-4, tables 53 (fixed) and 27 (descriptor).
    const SHORT_RECORD: [u8; 18] = [0xf0, 0, 0x20, 0, 0, 0x02, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    #[test]
    fn a_record_of_another_length_tells_the_difference_signed() {
        let short = Sense::parse(&SHORT_RECORD).unwrap();
        assert!(short.incorrect_length && !short.deferred);
        assert_eq!((short.key, short.information), (0, Some(512)));

        let mut long = SHORT_RECORD;
        long[3..7].copy_from_slice(&(-70_000_i32).to_be_bytes());
        assert_eq!(Sense::parse(&long).unwrap().information, Some(-70_000));
    }

    #[test]
    fn an_information_field_that_is_not_valid_is_not_read() {
        let mut sense = SHORT_RECORD;
        sense[0] = 0x70;
        assert_eq!(Sense::parse(&sense).unwrap().information, None);
    }

    #[test]
    fn both_formats_say_the_same() {
        let mut fixed = SHORT_RECORD;
        fixed[2] = 0xe3;
        (fixed[12], fixed[13]) = (0x11, 0x01);
        let mut descriptors = vec![0x72, 3, 0x11, 0x01, 0, 0, 0, 16];
        descriptors.extend([0x00, 0x0a, 0x80, 0, 0, 0, 0, 0, 0, 0, 2, 0]);
        descriptors.extend([0x04, 2, 0, 0xe0]);
        assert_eq!(Sense::parse(&fixed), Sense::parse(&descriptors));

        (fixed[0], descriptors[0]) = (0xf1, 0x73);
        assert_eq!(Sense::parse(&fixed), Sense::parse(&descriptors));
        assert!(Sense::parse(&fixed).unwrap().deferred);
    }

    #[test]
    fn sense_cut_short_keeps_what_is_there() {
        assert_eq!(Sense::parse(&[0x70, 0, 0x08]), Some(Sense::of(8, 0, 0)));
        assert_eq!(Sense::parse(&[0x72, 0x06, 0x28]), Some(Sense::of(6, 0x28, 0)));
        assert_eq!(Sense::parse(&[0x70, 0]), None);
        assert_eq!(Sense::parse(&[]), None);
        assert_eq!(Sense::parse(&[0x7f; 18]), None);
    }
}
