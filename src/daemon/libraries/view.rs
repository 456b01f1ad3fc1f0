//! Libraries and drives as they are shown.

use super::facts::is_storage;
use super::{Libraries, Opened};
use crate::api::library::{AlertView, ElementView, LibraryView, TapeDriveView};
use dss::model::{KnownDrive, Library as Known, LibraryKind, Medium};
use lrs::core::DriveId;
use lrs::core::status::DriveStatus as Scheduled;
use lrs::ldm::changer::{Element, ElementKind};
use lrs::ldm::library::{BayView, DriveStatus, Library};
use std::collections::BTreeMap;

/// What the catalogue and the scheduler know beside a library itself.
pub struct Beside<'a> {
    /// All media.
    pub media: &'a [Medium],
    /// The drives of this library, by the catalogue.
    pub drives: &'a [KnownDrive],
    /// All drives, by the scheduler.
    pub scheduled: &'a [Scheduled],
}

impl Beside<'_> {
    fn medium_at(&self, library: &str, barcode: Option<&str>) -> Option<String> {
        let barcode = barcode?;
        let here =
            |medium: &&Medium| medium.location.library.as_deref() == Some(library) && medium.location.path == barcode;
        self.media.iter().find(here).map(|medium| medium.name.clone())
    }
}

/// A library with all that is in it, as somebody looked last.
pub fn library_view(libraries: &Libraries, known: &Known, beside: &Beside<'_>) -> LibraryView {
    let mut view = LibraryView {
        name: known.name.clone(),
        kind: known.kind.to_string(),
        place: known.place.clone(),
        modelled: known.kind == LibraryKind::Virtual,
        trouble: None,
        drives: vec![],
        elements: vec![],
        free_slots: 0,
        duplicates: vec![],
        without_barcode: vec![],
    };
    match libraries.opened(&known.name) {
        Some(Opened::Ready(library)) => fill(&mut view, &library, beside),
        Some(Opened::Away(trouble)) => view.trouble = Some(trouble.to_string()),
        None => view.trouble = Some("it was not opened".to_owned()),
    }
    view
}

fn fill(view: &mut LibraryView, library: &Library, beside: &Beside<'_>) {
    let inventory = library.last_inventory();
    view.drives = library
        .bays()
        .iter()
        .map(|bay| drive_view(library, bay, beside))
        .collect();
    view.elements = elements(library, beside);
    view.free_slots = inventory.free_slots().len() as u64;
    view.duplicates = inventory.duplicates().keys().map(|code| (*code).to_owned()).collect();
    view.without_barcode = inventory.without_barcode().iter().map(|address| address.0).collect();
}

/// Every place of a library.
fn elements(library: &Library, beside: &Beside<'_>) -> Vec<ElementView> {
    let inventory = library.last_inventory();
    inventory
        .elements()
        .iter()
        .map(|element| element_view(library.name(), element, beside))
        .collect()
}

fn element_view(library: &str, element: &Element, beside: &Beside<'_>) -> ElementView {
    ElementView {
        address: element.address.0,
        kind: word(element.kind).to_owned(),
        full: element.full,
        barcode: element.barcode.clone(),
        medium: beside.medium_at(library, element.barcode.as_deref()),
        accessible: element.accessible || !is_storage(element.kind),
        exception: element.exception.map(|(asc, ascq)| format!("{asc:02x}/{ascq:02x}")),
    }
}

fn word(kind: ElementKind) -> &'static str {
    match kind {
        ElementKind::Transport => "transport",
        ElementKind::Slot => "slot",
        ElementKind::MailSlot => "mail_slot",
        ElementKind::Drive => "drive",
    }
}

/// A drive that was not asked.
pub fn drive_view(library: &Library, bay: &BayView, beside: &Beside<'_>) -> TapeDriveView {
    let id = DriveId::Bay {
        library: library.name().to_owned(),
        bay: bay.name.clone(),
    };
    let words = id.to_string();
    let scheduled = beside.scheduled.iter().find(|status| status.drive == words);
    let known = beside.drives.iter().find(|drive| drive.bay == bay.name);
    let there = library.last_inventory();
    let barcode = there.at(bay.element).and_then(|element| element.barcode.clone());
    TapeDriveView {
        name: bay.name.clone(),
        library: library.name().to_owned(),
        element: bay.element.0,
        serial: bay
            .serial
            .clone()
            .or_else(|| known.and_then(|drive| drive.serial.clone())),
        model: bay
            .identity
            .as_ref()
            .map(|who| format!("{} {}", who.vendor.trim(), who.product.trim())),
        technology: bay.generation.map(|generation| generation.to_string()),
        state: scheduled.map_or("empty", |status| status.state).to_owned(),
        medium: beside.medium_at(library.name(), barcode.as_deref()),
        barcode,
        used_by: scheduled.map(|status| status.used_by.clone()).unwrap_or_default(),
        locked: known.and_then(|drive| drive.locked.clone()),
        out_of_service: scheduled.and_then(|status| status.out_of_service.clone()),
        alerts: vec![],
        wants_cleaning: None,
        write_protected: None,
        trouble: None,
    }
}

/// The same with what the drive itself said.
pub fn asked(mut view: TapeDriveView, status: DriveStatus) -> TapeDriveView {
    let alert = |alert: &lrs::ldm::scsi::log::Alert| AlertView {
        number: alert.number(),
        text: alert.to_string(),
    };
    view.alerts = status.alerts.iter().map(alert).collect();
    view.wants_cleaning = Some(status.wants_cleaning);
    view.write_protected = status.write_protected;
    view.barcode = status.barcode.or(view.barcode);
    view.trouble = status.trouble;
    view
}

/// Where each cartridge of a library is, by barcode; those that more than one element has are left out.
pub fn places(library: &Library) -> BTreeMap<String, Element> {
    let inventory = library.last_inventory();
    let mut places: BTreeMap<String, Element> = BTreeMap::new();
    let twice = inventory.duplicates();
    for element in inventory.elements().iter().filter(|element| element.full) {
        if let Some(code) = element
            .barcode
            .as_ref()
            .filter(|code| !twice.contains_key(code.as_str()))
        {
            places.insert(code.clone(), element.clone());
        }
    }
    places
}
