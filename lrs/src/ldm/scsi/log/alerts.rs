//! Page 2Eh: TapeAlert (SSC-4, 8.3.6 and annex A). A flag is what a drive has to say to an operator.

use super::{Page, Parameters};
use crate::ldm::scsi::data::Malformed;
use std::fmt;

/// A flag that is set, by its number from 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alert(u8);

/// The flags that somebody acts upon, and what they say.
const WORDS: &[(u8, &str)] = &[
    (3, "hard error: a read or write failed"),
    (4, "the medium is bad: its data is at risk"),
    (5, "reading fails: the tape is damaged or the drive is faulty"),
    (6, "writing fails: the tape is faulty or the drive is"),
    (7, "the medium has reached the end of its life"),
    (8, "the medium is not of data grade"),
    (9, "the medium is write-protected"),
    (11, "a cleaning cartridge is in"),
    (15, "the memory chip of the cartridge failed"),
    (18, "the tape directory was corrupt on load"),
    (19, "the medium nears the end of its life"),
    (20, "clean now"),
    (21, "clean soon"),
    (22, "the cleaning cartridge is used up"),
    (30, "hardware fault A: reset the drive"),
    (31, "hardware fault B: the drive failed its self-test"),
    (51, "the tape directory was invalid on unload"),
    (52, "the system area could not be written"),
    (53, "the system area could not be read"),
    (55, "the cartridge could not be loaded"),
    (59, "the medium that is written once failed its check"),
    (60, "the medium that is written once has been tampered with"),
];

impl Alert {
    /// A flag of a number from 1 to 64.
    pub fn new(number: u8) -> Option<Self> {
        (1..=64).contains(&number).then_some(Self(number))
    }

    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// What it says, where somebody should act upon it.
    pub fn words(self) -> Option<&'static str> {
        WORDS
            .iter()
            .find(|(number, _)| *number == self.0)
            .map(|(_, words)| *words)
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TapeAlert {}", self.0)?;
        match self.words() {
            Some(words) => write!(f, " ({words})"),
            None => Ok(()),
        }
    }
}

/// Reads page 2Eh: the flags that are set, in order.
pub fn alerts(bytes: &[u8]) -> Result<Vec<Alert>, Malformed> {
    let parameters = Parameters::read(Page::TapeAlert, bytes)?;
    let set = parameters
        .iter()
        .filter(|(_, value)| value.first().is_some_and(|flag| flag & 1 != 0));
    Ok(set
        .filter_map(|(code, _)| Alert::new(u8::try_from(code).ok()?))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldm::scsi::log::page;

    #[test]
    fn flags_that_are_set_are_told_by_number_and_words() {
        let bytes = page(
            0x2e,
            &[(1, &[0]), (3, &[1]), (20, &[1]), (64, &[1]), (65, &[1]), (0x103, &[1])],
        );
        let found = alerts(&bytes).unwrap();
        assert_eq!(
            found.iter().map(|alert| alert.number()).collect::<Vec<_>>(),
            [3, 20, 64]
        );
        assert_eq!(found[1].to_string(), "TapeAlert 20 (clean now)");
        assert_eq!(found[2].to_string(), "TapeAlert 64");
    }
}
