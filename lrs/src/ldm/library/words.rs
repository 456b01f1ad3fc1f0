//! Words of messages: what a robot means by its sense, and what an operator should do. Pure.

use crate::ldm::changer::ElementAddress;
use crate::ldm::drive::{DriveError, DriveFault};

/// Where a cartridge is after a move that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    /// In this element.
    At(ElementAddress),
    /// In no element that the changer knows.
    Nowhere,
    /// The changer does not tell.
    Unknown,
}

/// A cartridge whose barcode may not have been read.
pub(super) fn cartridge(barcode: Option<&str>) -> String {
    barcode.map_or_else(|| "a cartridge without a barcode".to_owned(), str::to_owned)
}

/// "elements 1024 and 1030".
pub(super) fn elements(addresses: &[ElementAddress]) -> String {
    let mut words: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    match (words.pop(), words.is_empty()) {
        (None, _) => "no elements".to_owned(),
        (Some(one), true) => format!("element {one}"),
        (Some(last), false) => format!("elements {} and {last}", words.join(", ")),
    }
}

/// What is added where it may be one of those that say nothing.
pub(super) fn unread(addresses: &[ElementAddress]) -> String {
    match addresses {
        [] => String::new(),
        some => format!(
            ", unless it is what lies without a readable barcode in {}",
            elements(some)
        ),
    }
}

/// What a changer said. Its sense does not mean what a drive's does.
pub(super) fn robot(error: &DriveError) -> String {
    let words = match &error.fault {
        DriveFault::Sense(sense) => match (sense.key, sense.asc) {
            (0x2, _) => "it is not ready",
            (0x4, 0x15) => "it is jammed, or does not find its place",
            (0x4, 0x53) => "a cartridge is stuck",
            (0x4, 0x83) => "it did not get hold of the cartridge, or did not let go of it",
            (0x4 | 0xb, _) => "it has a fault",
            (0x5, 0x53) => "the drive or somebody else holds the cartridge",
            (0x5, 0x3b) => "the element is not as it should be",
            _ => return error.to_string(),
        },
        DriveFault::Transport(_) => "it does not answer, and may still be moving",
        DriveFault::Deferred(_)
        | DriveFault::Status(_)
        | DriveFault::Nonsense(_)
        | DriveFault::PositionLost(_)
        | DriveFault::PositionUnknown
        | DriveFault::Astray { .. }
        | DriveFault::TooLong { .. }
        | DriveFault::Reserved(_)
        | DriveFault::StaleInventory(_)
        | DriveFault::Unfit(_)
        | DriveFault::Library(_) => return error.to_string(),
    };
    match &error.fault {
        DriveFault::Sense(sense) => format!("{words} ({sense})"),
        fault => format!("{words} ({fault})"),
    }
}

/// Where it is after all, and what to do.
pub(super) fn next(now: Now, from: ElementAddress, to: ElementAddress) -> String {
    let place = match now {
        Now::At(at) if at == from => format!("it is still in element {from}"),
        Now::At(at) => format!("it is in element {at} now"),
        Now::Nowhere => "no element has it now, so it may be in the arm".to_owned(),
        Now::Unknown => "nobody knows where it is now".to_owned(),
    };
    format!(
        "{place}. Look into the library between elements {from} and {to}, take out what is stuck, have it look at all its slots, and \
         try again"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldm::scsi::Sense;

    #[test]
    fn elements_are_listed_as_one_says_it() {
        let at = |addresses: &[u16]| {
            let addresses: Vec<_> = addresses.iter().map(|address| ElementAddress(*address)).collect();
            elements(&addresses)
        };
        assert_eq!(at(&[1]), "element 1");
        assert_eq!(at(&[1, 2]), "elements 1 and 2");
        assert_eq!(at(&[1, 2, 3]), "elements 1, 2 and 3");
        assert_eq!(unread(&[]), "");
    }

    #[test]
    fn a_robots_sense_is_not_read_as_a_drives() {
        let error = |key, asc, ascq| DriveError {
            device: "lib0".to_owned(),
            doing: "moving".to_owned(),
            fault: DriveFault::Sense(Sense::of(key, asc, ascq)),
        };
        assert_eq!(
            robot(&error(4, 0x15, 1)),
            "it is jammed, or does not find its place (4/15/01)"
        );
        for (key, asc) in [(4, 0x83), (4, 0x40), (5, 0x53), (2, 4)] {
            let words = robot(&error(key, asc, 0));
            assert!(
                !words.contains("the drive is suspect") && words.contains('('),
                "{words}"
            );
        }
    }
}
