//! What is where in a library, by the changer's word at one moment. Pure.

use super::barcode;
use crate::ldm::changer::{Element, ElementAddress, ElementKind};
use std::collections::BTreeMap;

/// The elements of a library, in order of kind and address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    elements: Vec<Element>,
}

/// Why a cartridge is not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No element has it. It may be one of those whose barcode was not read.
    NotHere {
        /// Elements with a cartridge without a barcode.
        unread: Vec<ElementAddress>,
    },
    /// So many elements say that they have it.
    Twice(Vec<ElementAddress>),
}

impl Inventory {
    /// Of what a changer answered.
    pub fn new(mut elements: Vec<Element>) -> Self {
        elements.sort_by_key(|element| (element.kind, element.address));
        Self { elements }
    }

    /// Every element.
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// Those of a kind, by address.
    pub fn of(&self, kind: ElementKind) -> impl Iterator<Item = &Element> {
        self.elements.iter().filter(move |element| element.kind == kind)
    }

    /// The element at an address.
    pub fn at(&self, address: ElementAddress) -> Option<&Element> {
        self.elements.iter().find(|element| element.address == address)
    }

    /// The element that has a cartridge.
    ///
    /// # Errors
    /// None has it, or more than one: then it is not known which is meant, and none is touched.
    pub fn find(&self, barcode: &str) -> Result<&Element, Missing> {
        let mut having = self.elements.iter().filter(|element| holds(element, barcode));
        match (having.next(), having.next()) {
            (Some(element), None) => Ok(element),
            (None, _) => Err(Missing::NotHere {
                unread: self.without_barcode(),
            }),
            (Some(_), Some(_)) => Err(Missing::Twice(self.having(barcode))),
        }
    }

    fn having(&self, barcode: &str) -> Vec<ElementAddress> {
        let having = self.elements.iter().filter(|element| holds(element, barcode));
        having.map(|element| element.address).collect()
    }

    /// Slots that are empty and can be reached, by address; mail slots are none.
    pub fn free_slots(&self) -> Vec<ElementAddress> {
        self.of(ElementKind::Slot)
            .filter(|slot| is_free(slot))
            .map(|slot| slot.address)
            .collect()
    }

    /// Elements with a cartridge whose barcode was not read. Nobody asks for those by name.
    pub fn without_barcode(&self) -> Vec<ElementAddress> {
        let unread = |element: &&Element| element.full && element.barcode.is_none();
        self.elements
            .iter()
            .filter(unread)
            .map(|element| element.address)
            .collect()
    }

    /// Barcodes that more than one element has, and which do.
    pub fn duplicates(&self) -> BTreeMap<&str, Vec<ElementAddress>> {
        let mut all: BTreeMap<&str, Vec<ElementAddress>> = BTreeMap::new();
        for element in self.elements.iter().filter(|element| element.full) {
            if let Some(barcode) = &element.barcode {
                all.entry(barcode).or_default().push(element.address);
            }
        }
        all.retain(|_, addresses| addresses.len() > 1);
        all
    }

    /// Barcodes of cleaning cartridges.
    pub fn cleaning(&self) -> Vec<&str> {
        let barcodes = self.elements.iter().filter_map(|element| element.barcode.as_deref());
        barcodes.filter(|barcode| barcode::is_cleaning(barcode)).collect()
    }

    /// Where the cartridge of an element goes when it is put away: to the slot that it came from by the changer's word or,
    /// after it went from drive to drive, by ours; else to the first that is free. One that came in by a mail slot stays in.
    pub(super) fn home(&self, from: &Element, remembered: Option<ElementAddress>) -> Option<ElementAddress> {
        let free = self.free_slots();
        let wanted = [from.source, remembered];
        let own = wanted.into_iter().flatten().find(|address| free.contains(address));
        own.or_else(|| free.first().copied())
    }
}

fn holds(element: &Element, barcode: &str) -> bool {
    element.full && element.barcode.as_deref() == Some(barcode)
}

/// A slot that says that something is wrong with it takes no cartridge.
fn is_free(slot: &Element) -> bool {
    !slot.full && slot.accessible && slot.exception.is_none()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An element with this cartridge, or none.
    pub(in super::super) fn element(kind: ElementKind, address: u16, barcode: Option<&str>) -> Element {
        Element {
            address: ElementAddress(address),
            kind,
            full: barcode.is_some(),
            accessible: true,
            exception: None,
            barcode: barcode.filter(|barcode| !barcode.is_empty()).map(str::to_owned),
            source: None,
            drive_serial: None,
        }
    }

    fn library() -> Inventory {
        use ElementKind::{Drive, MailSlot, Slot};
        Inventory::new(vec![
            element(Drive, 256, Some("RSP001L9")),
            element(Slot, 1024, Some("RSP002L9")),
            element(Slot, 1025, None),
            element(Slot, 1026, Some("")),
            element(Slot, 1027, Some("RSP003L9")),
            element(Slot, 1028, None),
            element(MailSlot, 16, Some("RSP003L9")),
            element(MailSlot, 17, None),
            element(Slot, 1029, Some("CLN001L9")),
        ])
    }

    fn at(addresses: &[u16]) -> Vec<ElementAddress> {
        addresses.iter().map(|address| ElementAddress(*address)).collect()
    }

    #[test]
    fn a_cartridge_is_found_by_its_barcode_if_only_one_has_it() {
        let library = library();
        assert_eq!(library.find("RSP001L9").unwrap().address, ElementAddress(256));
        assert_eq!(library.find("RSP009L9"), Err(Missing::NotHere { unread: at(&[1026]) }));
        assert_eq!(library.find("RSP003L9"), Err(Missing::Twice(at(&[1027, 16]))));
        assert!(matches!(library.find(""), Err(Missing::NotHere { .. })));
        let twice: Vec<_> = library.duplicates().into_iter().collect();
        assert_eq!(twice, [("RSP003L9", at(&[1027, 16]))]);
        assert_eq!(library.cleaning(), ["CLN001L9"]);
    }

    #[test]
    fn a_slot_is_free_when_it_is_empty_whole_and_can_be_reached() {
        let mut elements = library().elements().to_vec();
        assert_eq!(Inventory::new(elements.clone()).free_slots(), at(&[1025, 1028]));
        for element in &mut elements {
            element.accessible = element.address != ElementAddress(1025);
            element.exception = (element.address == ElementAddress(1028)).then_some((0x83, 0));
        }
        assert_eq!(Inventory::new(elements).free_slots(), at(&[]));
    }

    #[test]
    fn a_cartridge_goes_back_where_it_came_from_while_that_is_free() {
        let library = library();
        let home = |source: Option<u16>, remembered: Option<u16>| {
            let mut from = library.find("RSP001L9").unwrap().clone();
            from.source = source.map(ElementAddress);
            let found = library.home(&from, remembered.map(ElementAddress));
            found.map(|address| address.0)
        };
        assert_eq!(home(Some(1028), None), Some(1028));
        assert_eq!(home(Some(257), Some(1028)), Some(1028), "it came from another drive");
        assert_eq!(home(Some(1024), Some(1028)), Some(1028), "another one lies there now");
        assert_eq!(home(Some(1024), None), Some(1025));
        assert_eq!(home(Some(17), None), Some(1025), "it was brought in to stay");
        let full = Inventory::new(vec![element(ElementKind::Slot, 1024, Some("A"))]);
        assert_eq!(full.home(library.find("RSP001L9").unwrap(), None), None);
    }
}
