//! Page 2Eh: TapeAlert (SSC-4, 8.3.6 and annex A). A flag is what a drive has to say to an operator.

use super::{Page, Parameters};
use crate::ldm::scsi::data::Malformed;
use std::fmt;

/// A flag that is set, by its number from 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alert(u8);

/// How much a flag matters (SSC-4, annex A).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It is to be known.
    Information,
    /// It will be trouble, or makes work slow.
    Warning,
    /// Data, the cartridge or the drive are at risk.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Information => "information",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

use Severity::{Critical, Information, Warning};

/// What the flags say. Those that are left out are obsolete or nobody's yet.
const FLAGS: &[(u8, Severity, &str)] = &[
    (1, Warning, "reading is troubled"),
    (2, Warning, "writing is troubled"),
    (3, Warning, "hard error: a read or write failed"),
    (4, Critical, "the medium is bad: its data is at risk"),
    (5, Critical, "reading fails: the tape is damaged or the drive is faulty"),
    (6, Critical, "writing fails: the tape is faulty or the drive is"),
    (7, Warning, "the medium has reached the end of its life"),
    (8, Warning, "the medium is not of data grade"),
    (9, Critical, "the medium is write-protected"),
    (10, Information, "the cartridge cannot be let out: the drive is in use"),
    (11, Information, "a cleaning cartridge is in"),
    (
        12,
        Information,
        "the cartridge is of a format that the drive does not take",
    ),
    (13, Critical, "the cartridge is broken, and may be let out"),
    (14, Critical, "the cartridge is broken, and cannot be let out"),
    (15, Warning, "the memory chip of the cartridge failed"),
    (16, Critical, "the cartridge was taken out by force"),
    (17, Warning, "the cartridge can only be read"),
    (18, Warning, "the tape directory was corrupt on load"),
    (19, Information, "the medium nears the end of its life"),
    (20, Critical, "clean now"),
    (21, Warning, "clean soon"),
    (22, Critical, "the cleaning cartridge is used up"),
    (23, Critical, "the cleaning cartridge is not valid"),
    (24, Warning, "the tape wants to be wound and rewound"),
    (25, Warning, "a port of the drive failed"),
    (26, Warning, "a fan failed"),
    (27, Warning, "a power supply failed"),
    (28, Warning, "the drive takes too much power"),
    (29, Warning, "the drive wants to be looked after"),
    (30, Critical, "hardware fault A: reset the drive"),
    (31, Critical, "hardware fault B: the drive failed its self-test"),
    (32, Warning, "the way to the host has a fault"),
    (33, Critical, "let the cartridge out and put it in again"),
    (34, Warning, "new firmware could not be loaded"),
    (35, Warning, "it is too humid in the drive"),
    (36, Warning, "it is too hot or too cold in the drive"),
    (37, Warning, "the drive's voltage is wrong"),
    (38, Critical, "the drive will fail soon"),
    (39, Warning, "the drive wants a self-test"),
    (50, Warning, "statistics of the cartridge were lost"),
    (51, Critical, "the tape directory was invalid on unload"),
    (52, Critical, "the system area could not be written"),
    (53, Critical, "the system area could not be read"),
    (54, Critical, "the beginning of the data was not found"),
    (55, Critical, "the cartridge could not be loaded"),
    (56, Critical, "the cartridge could not be unloaded"),
    (57, Critical, "the way between the drive and the library failed"),
    (58, Warning, "the drive's firmware failed"),
    (59, Warning, "the medium that is written once failed its check"),
    (
        60,
        Warning,
        "somebody tried to overwrite the medium that is written once",
    ),
    (61, Warning, "the drive's rules of encryption were broken"),
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

    fn row(self) -> Option<&'static (u8, Severity, &'static str)> {
        FLAGS.iter().find(|(number, ..)| *number == self.0)
    }

    /// What it says, where it says something.
    pub fn words(self) -> Option<&'static str> {
        self.row().map(|(_, _, words)| *words)
    }

    /// How much it matters. One that no table knows is a warning: somebody should look at what it may be.
    pub fn severity(self) -> Severity {
        self.row().map_or(Warning, |(_, severity, _)| *severity)
    }

    /// Whether it asks for cleaning.
    pub fn wants_cleaning(self) -> bool {
        matches!(self.0, 20 | 21)
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
        let severities: Vec<_> = found.iter().map(|alert| alert.severity()).collect();
        assert_eq!(severities, [Warning, Critical, Warning]);
        assert!(found[1].wants_cleaning() && !found[0].wants_cleaning());
    }

    #[test]
    fn every_flag_is_in_the_table_once_and_in_order() {
        assert!(FLAGS.is_sorted_by(|(a, ..), (b, ..)| a < b));
        assert!(FLAGS.iter().all(|(number, ..)| Alert::new(*number).is_some()));
    }
}
