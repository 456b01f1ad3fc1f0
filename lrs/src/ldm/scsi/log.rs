//! LOG SENSE: pages of parameters (SPC-4, 7.3; SSC-4, 8.3).

pub mod alerts;
mod volume;

pub use alerts::{Alert, Severity};
pub use volume::{VolumeStatistics, tape_capacity, volume_statistics};

use super::data::{Data, Malformed, number};
use std::collections::BTreeMap;

/// Pages that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Page {
    /// 02h: write error counters.
    WriteErrors,
    /// 03h: read error counters.
    ReadErrors,
    /// 0Ch: sequential-access device.
    SequentialAccess,
    /// 17h: volume statistics.
    VolumeStatistics,
    /// 2Eh: TapeAlert. Reading it may clear the flags.
    TapeAlert,
    /// 31h: tape capacity (IBM and HP).
    TapeCapacity,
}

impl Page {
    /// Its code.
    pub fn code(self) -> u8 {
        match self {
            Self::WriteErrors => 0x02,
            Self::ReadErrors => 0x03,
            Self::SequentialAccess => 0x0c,
            Self::VolumeStatistics => 0x17,
            Self::TapeAlert => 0x2e,
            Self::TapeCapacity => 0x31,
        }
    }
}

/// A page's parameters, by code. Of one that comes twice the first counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters<'a>(BTreeMap<u16, &'a [u8]>);

impl<'a> Parameters<'a> {
    /// Reads a page. Parameters that the allocation length cut off are left out; a page of another code is an error.
    pub fn read(page: Page, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let data = Data::new("LOG SENSE", bytes);
        let (code, subpage) = (data.u8(0)?, data.u8(1)?);
        if code & 0x3f != page.code() || (code & 0x40 != 0 && subpage != 0) {
            return Err(data.wrong(format!(
                "page {:02x}h was asked for, and {:02x}h/{subpage:02x}h came",
                page.code(),
                code & 0x3f
            )));
        }
        let mut rest = data.at_most(4, usize::from(data.u16(2)?));
        let mut parameters = BTreeMap::new();
        while let Ok(length) = rest.u8(3) {
            let length = usize::from(length);
            let Ok(value) = rest.slice(4, length) else { break };
            parameters.entry(rest.u16(0)?).or_insert(value);
            rest = rest.at_most(4 + length, rest.len());
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter, as bytes.
    pub fn bytes(&self, code: u16) -> Option<&'a [u8]> {
        self.0.get(&code).copied()
    }

    /// The value of a parameter that is a number of 1 to 8 bytes. All bits set is the standard's "not known".
    pub fn number(&self, code: u16) -> Option<u64> {
        let bytes = self.bytes(code)?;
        let counts = (1..=8).contains(&bytes.len()) && bytes.iter().any(|byte| *byte != 0xff);
        counts.then(|| number(bytes))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &'a [u8])> + '_ {
        self.0.iter().map(|(code, value)| (*code, *value))
    }
}

/// Error counters of page 02h or 03h (SPC-4, 7.3.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorCounters {
    /// 0003h: errors that were corrected.
    pub corrected: Option<u64>,
    /// 0006h: errors that were not.
    pub uncorrected: Option<u64>,
}

/// Reads page 02h or 03h.
pub fn error_counters(page: Page, bytes: &[u8]) -> Result<ErrorCounters, Malformed> {
    let parameters = Parameters::read(page, bytes)?;
    Ok(ErrorCounters {
        corrected: parameters.number(0x0003),
        uncorrected: parameters.number(0x0006),
    })
}

/// Page 0Ch: bytes through the drive since the cartridge came in, and whether it wants cleaning (SSC-4, 8.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequentialAccess {
    /// 0000h: bytes that hosts wrote.
    pub written: Option<u64>,
    /// 0003h: bytes that hosts read.
    pub read: Option<u64>,
    /// 0100h: cleaning is wanted.
    pub cleaning: bool,
}

/// Reads page 0Ch.
pub fn sequential_access(bytes: &[u8]) -> Result<SequentialAccess, Malformed> {
    let parameters = Parameters::read(Page::SequentialAccess, bytes)?;
    Ok(SequentialAccess {
        written: parameters.number(0x0000),
        read: parameters.number(0x0003),
        cleaning: parameters.number(0x0100).is_some_and(|wanted| wanted != 0),
    })
}

/// Lays out a page, for tests.
#[cfg(test)]
pub(crate) fn page(code: u8, parameters: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (code, value) in parameters {
        body.extend(code.to_be_bytes());
        body.extend([0x03, value.len() as u8]);
        body.extend(*value);
    }
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[code, 0][..], &length, &body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_cut_short_keeps_its_whole_parameters() {
        let whole = page(0x02, &[(3, &[0, 0, 1, 0]), (6, &[0, 0, 0, 7])]);
        let counters = error_counters(Page::WriteErrors, &whole).unwrap();
        assert_eq!((counters.corrected, counters.uncorrected), (Some(256), Some(7)));
        let cut = error_counters(Page::WriteErrors, &whole[..whole.len() - 1]).unwrap();
        assert_eq!((cut.corrected, cut.uncorrected), (Some(256), None));
        assert!(error_counters(Page::ReadErrors, &whole).is_err());
    }

    #[test]
    fn a_counter_that_the_drive_does_not_know_is_none() {
        let bytes = page(
            0x0c,
            &[(0, &[0xff; 8]), (3, &[0, 0, 0, 0, 0, 0, 1, 0]), (0x100, &[0, 0, 0, 1])],
        );
        let found = sequential_access(&bytes).unwrap();
        assert_eq!((found.written, found.read, found.cleaning), (None, Some(256), true));
    }
}
