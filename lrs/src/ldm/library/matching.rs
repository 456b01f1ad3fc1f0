//! Which drive of this host is in which bay: by serial number and by nothing else. The order in which a host finds drives
//! says nothing about where they are, and changes with cables and reboots. Pure.

use crate::ldm::changer::{Element, ElementAddress, ElementKind};

/// An element for a drive, and which of this host's drives is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) element: ElementAddress,
    /// As the changer says.
    pub(super) serial: Option<String>,
    /// The place of the drive among those that were found, or why it is none of them.
    pub(super) drive: Result<usize, String>,
}

/// Matches the elements for drives, in order of their addresses, with the serial numbers of drives that this host found.
/// `passed` are devices that could not be looked at. Two ways to one drive are the same drive: the first is taken.
pub(super) fn matches(elements: &[Element], found: &[String], passed: &[String]) -> Vec<Match> {
    let mut drives: Vec<&Element> = elements
        .iter()
        .filter(|element| element.kind == ElementKind::Drive)
        .collect();
    drives.sort_by_key(|element| element.address);
    let one = |element: &&Element| Match {
        element: element.address,
        serial: element.drive_serial.clone(),
        drive: drive_of(element, &drives, found, passed),
    };
    drives.iter().map(one).collect()
}

fn drive_of(element: &Element, all: &[&Element], found: &[String], passed: &[String]) -> Result<usize, String> {
    let Some(serial) = &element.drive_serial else {
        return Err(format!(
            "the changer does not say the serial number of the drive in element {}, so that no drive of this host is known to be \
             it",
            element.address
        ));
    };
    let same = |other: &&&Element| other.drive_serial.as_ref() == Some(serial) && other.address != element.address;
    if let Some(other) = all.iter().find(same) {
        return Err(format!(
            "the changer names serial number {serial} in elements {} and {}",
            element.address, other.address
        ));
    }
    let place = found.iter().position(|found| found == serial);
    place.ok_or_else(|| {
        let others = match passed {
            [] => String::new(),
            some => format!(" (not looked at: {})", some.join("; ")),
        };
        format!("no drive of this host has its serial number {serial}: it is not reachable from this host{others}")
    })
}

#[cfg(test)]
mod tests {
    use super::super::inventory::tests::element;
    use super::*;

    fn bay(address: u16, serial: Option<&str>) -> Element {
        Element {
            drive_serial: serial.map(str::to_owned),
            ..element(ElementKind::Drive, address, None)
        }
    }

    fn found(elements: &[Element], serials: &[&str], passed: &[String]) -> Vec<Result<usize, String>> {
        let serials: Vec<String> = serials.iter().map(|serial| (*serial).to_owned()).collect();
        let matches = matches(elements, &serials, passed);
        matches.into_iter().map(|one| one.drive).collect()
    }

    #[test]
    fn drives_are_matched_in_whatever_order_they_were_found() {
        let elements = [
            element(ElementKind::Slot, 1024, None),
            bay(257, Some("B")),
            bay(256, Some("A")),
        ];
        assert_eq!(found(&elements, &["X", "B", "A", "B"], &[]), [Ok(2), Ok(1)]);
        let names: Vec<u16> = matches(&elements, &[], &[]).iter().map(|one| one.element.0).collect();
        assert_eq!(names, [256, 257]);
    }

    #[test]
    fn a_bay_whose_drive_nobody_has_says_so() {
        let passed = ["/dev/sg3 is in use by another program".to_owned()];
        let one = [bay(256, Some("A"))];
        let why = found(&one, &["B"], &passed).remove(0).unwrap_err();
        assert!(why.contains("serial number A") && why.contains("/dev/sg3"), "{why}");
        // Not even when there is but one of each.
        let why = found(&[bay(256, None)], &["A"], &[]).remove(0).unwrap_err();
        assert!(why.contains("does not say the serial number"), "{why}");
        let twice = [bay(256, Some("A")), bay(257, Some("A"))];
        assert!(found(&twice, &["A"], &[]).iter().all(Result::is_err));
    }
}
