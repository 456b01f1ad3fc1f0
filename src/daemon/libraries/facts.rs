//! What the scheduler and the catalogue are told of a library's drives. Pure, but for what the library remembers.

use dss::model::{DriveSeen, Health, Medium};
use lrs::core::library::{BayFacts, LibraryFacts};
use lrs::ldm::changer::ElementKind;
use lrs::ldm::drive::Generation;
use lrs::ldm::drive::generation::{Access, Density};
use lrs::ldm::library::{BayState, BayView, Inventory, Library, barcode};
use std::collections::BTreeSet;

/// A library as the scheduler knows it. `media` are those that the catalogue has in it.
pub fn facts(library: &Library, media: &[&Medium]) -> LibraryFacts {
    let inventory = library.last_inventory();
    LibraryFacts {
        name: library.name().to_owned(),
        bays: library
            .bays()
            .iter()
            .map(|bay| bay_facts(bay, &inventory, media))
            .collect(),
    }
}

fn bay_facts(bay: &BayView, inventory: &Inventory, media: &[&Medium]) -> BayFacts {
    let lies_there = inventory.at(bay.element).and_then(|element| element.barcode.as_deref());
    let holds = lies_there.and_then(|barcode| media.iter().find(|medium| medium.location.path == barcode));
    BayFacts {
        bay: bay.name.clone(),
        reads: takes(bay.generation, |access| access != Access::None),
        writes: takes(bay.generation, |access| access == Access::ReadWrite),
        closed: match &bay.state {
            BayState::Unreachable(why) => Some(why.clone()),
            BayState::Free | BayState::Busy(_) | BayState::Loaded(_) | BayState::Mounted { .. } => None,
        },
        holds: holds.map(|medium| medium.id),
    }
}

/// The technologies that a drive takes. One whose generation is not known is asked: it says what it does not take.
fn takes(generation: Option<Generation>, enough: impl Fn(Access) -> bool) -> BTreeSet<String> {
    let taken = Density::ALL
        .into_iter()
        .filter(|density| generation.is_none_or(|generation| enough(generation.access(*density))));
    taken.map(|density| density.to_string()).collect()
}

/// A drive as the catalogue keeps it.
pub(super) fn seen(bay: &BayView) -> DriveSeen {
    let (health, trouble) = match &bay.state {
        BayState::Unreachable(why) => (Health::Failed, Some(why.clone())),
        BayState::Free | BayState::Busy(_) | BayState::Loaded(_) | BayState::Mounted { .. } => (Health::Ok, None),
    };
    DriveSeen {
        bay: bay.name.clone(),
        serial: bay
            .identity
            .as_ref()
            .map(|who| who.serial.clone())
            .or_else(|| bay.serial.clone()),
        model: bay
            .identity
            .as_ref()
            .map(|who| format!("{} {}", who.vendor.trim(), who.product.trim())),
        health,
        trouble,
    }
}

/// What a cartridge is by its barcode; where that says nothing, what the drives of its library are made for.
pub fn technology_of(library: &Library, code: &str) -> String {
    let by_barcode = barcode::density(code).map(|density| density.to_string());
    let by_drive = || {
        let bays = library.bays();
        bays.iter()
            .find_map(|bay| bay.generation)
            .map(|generation| generation.to_string())
    };
    by_barcode.or_else(by_drive).unwrap_or_else(|| "LTO".to_owned())
}

/// Whether an element is one that cartridges are kept in.
pub(super) fn is_storage(kind: ElementKind) -> bool {
    match kind {
        ElementKind::Slot | ElementKind::MailSlot => true,
        ElementKind::Drive | ElementKind::Transport => false,
    }
}
