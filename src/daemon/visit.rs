//! A cartridge that is no medium yet, brought into a drive: granted by the scheduler like everything else, so that nobody
//! else gets that drive meanwhile.

use super::libraries::{Libraries, technology_of};
use super::server::Daemon;
use crate::api::Problem;
use dss::model::{
    AdmState, Family, FsState, Generation, Health, Location, Medium, MediumFormat, MediumId, Presence, Revision,
    Standing,
};
use lrs::core::DriveId;
use lrs::ldm::changer::ElementAddress;
use lrs::ldm::library::{Library, LibraryResult, Missing, barcode};
use lrs::service::{Allocation, Guest, Known};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A cartridge in a library.
#[derive(Clone)]
pub struct Place {
    /// Which library.
    pub library: Arc<Library>,
    /// Its barcode.
    pub barcode: String,
    /// The medium that it is; None: the catalogue does not know it.
    pub medium: Option<Medium>,
}

/// A cartridge that was brought into a drive.
pub struct Visit {
    place: Place,
    bay: String,
    guest: MediumId,
    known: Known,
    allocation: Allocation,
}

/// A row that the catalogue does not have: what the scheduler needs to know of a cartridge.
fn guest(library: &Library, barcode: &str, daemon: &Daemon) -> Medium {
    Medium {
        id: MediumId::fresh(),
        name: barcode.to_owned(),
        family: Family::Tape,
        technology: technology_of(library, barcode),
        format: MediumFormat::Respool,
        location: Location {
            path: barcode.to_owned(),
            dock: None,
            library: Some(library.name().to_owned()),
        },
        tags: BTreeSet::new(),
        groupings: BTreeSet::new(),
        class: None,
        adm_state: AdmState::InService,
        locked: false,
        health: Health::Ok,
        presence: Presence::Attached,
        fs_state: FsState::Blank,
        generation: Generation(0),
        capacity: None,
        revision: Revision(0),
        standing: Standing::Level,
        quarantined_until: None,
        emptied_by: None,
        doubts: 0,
        created_at: daemon.host.clock.now(),
    }
}

impl Visit {
    /// Brings a cartridge into a drive, when one is free for it.
    pub async fn begin(daemon: &Daemon, place: &Place, purpose: String) -> Result<Self, Problem> {
        if barcode::is_cleaning(&place.barcode) {
            let message = format!(
                "{} is a cleaning cartridge: it is never loaded as a medium",
                place.barcode
            );
            let refused = Problem::refused("unfit", &place.barcode, message);
            return Err(refused.next("take another cartridge; nothing was touched"));
        }
        let (row, known) = match &place.medium {
            Some(medium) => (medium.clone(), Known::Medium),
            None => (guest(&place.library, &place.barcode, daemon), Known::No),
        };
        let guest = row.id;
        let visited = daemon.host.lrs.visit(Guest { row, known }, purpose).await;
        let allocation = match visited {
            Ok(allocation) => allocation,
            Err(error) => {
                leave(daemon, guest, known).await;
                return Err(not_begun(error.into(), known));
            }
        };
        let DriveId::Bay { bay, .. } = allocation.drive(guest).clone() else {
            return Err(Problem::bug(
                &place.barcode,
                "a cartridge was put into a drive of no library",
            ));
        };
        let visit = Self {
            place: place.clone(),
            bay,
            guest,
            known,
            allocation,
        };
        // Whoever used it before may have left its volume mounted.
        match visit.run(|library, bay, _| library.unmount(bay)).await {
            Ok(()) => Ok(visit),
            Err(problem) => {
                visit.end(daemon).await;
                Err(problem)
            }
        }
    }

    /// Works with the library on the drive's own thread. The arguments are the library, the bay and the barcode.
    pub async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Library, &str, &str) -> LibraryResult<R> + Send + 'static,
    ) -> Result<R, Problem> {
        let (library, bay, barcode) = (
            Arc::clone(&self.place.library),
            self.bay.clone(),
            self.place.barcode.clone(),
        );
        let drive = self.allocation.volume(self.guest);
        Ok(drive.run(move |_| work(&library, &bay, &barcode)).await??)
    }

    /// Gives the drive back. The cartridge is put away.
    pub async fn end(self, daemon: &Daemon) {
        self.allocation.release().await;
        leave(daemon, self.guest, self.known).await;
    }
}

/// The catalogue has no row of a guest that could be looked at: what keeps it out of every drive are the drives.
fn not_begun(problem: Problem, known: Known) -> Problem {
    match (known, problem.code.as_str()) {
        (Known::No, "medium_unusable") => {
            problem.next("`respool drive list` shows the drives and what they take; nothing was touched")
        }
        (Known::No | Known::Medium, _) => problem,
    }
}

/// The row of a medium is read again before its next use.
async fn leave(daemon: &Daemon, guest: MediumId, known: Known) {
    if known == Known::Medium
        && let Err(error) = daemon.host.lrs.medium_changed(guest).await
    {
        tracing::warn!(%guest, %error, "its row is read again when it is asked for next");
    }
}

/// The cartridge that a barcode, or a medium's name, means.
pub async fn find(daemon: &Daemon, typed: &str, library: Option<&str>) -> Result<Place, Problem> {
    let media = daemon.host.catalogue.media().await?;
    let of_tape = |medium: &&Medium| medium.family == Family::Tape;
    let libraries: &Libraries = &daemon.libraries;
    if let Some(name) = library.filter(|name| libraries.opened(name).is_none()) {
        let refused = Problem::refused("not_found", name, format!("there is no library '{name}'"));
        return Err(refused.next("`respool library list` shows the libraries"));
    }
    let looked_in = match library {
        Some(name) => vec![libraries.get(name)?],
        None => libraries.ready(),
    };
    let is_barcode = looked_in
        .iter()
        .any(|library| !matches!(library.last_inventory().find(typed), Err(Missing::NotHere { .. })));
    // A name means its medium, in its own library and nowhere else; what is on a label comes before what something is called.
    let named = media.iter().filter(of_tape).find(|medium| {
        let of = medium.location.library.as_deref();
        let elsewhere = library.is_some_and(|wanted| of != Some(wanted));
        medium.name == typed && !elsewhere && (medium.location.path == typed || !is_barcode)
    });
    let barcode = named.map_or(typed, |medium| &medium.location.path).to_owned();
    let library = library.or(named.and_then(|medium| medium.location.library.as_deref()));
    let candidates = match library {
        Some(name) => vec![libraries.get(name)?],
        None => libraries.ready(),
    };
    for library in &candidates {
        if let Err(Missing::Twice(at)) = library.last_inventory().find(&barcode) {
            return Err(twice(library.name(), &barcode, &at));
        }
    }
    let mut having = candidates
        .into_iter()
        .filter(|library| library.last_inventory().find(&barcode).is_ok());
    let library = match (having.next(), having.next()) {
        (Some(library), None) => library,
        (None, _) => return Err(nowhere(&barcode, library)),
        (Some(one), Some(other)) => {
            let message = format!("libraries {} and {} both have {barcode}", one.name(), other.name());
            return Err(Problem::refused("ambiguous", barcode, message).next("say which with --library"));
        }
    };
    let is_it = |medium: &&Medium| {
        medium.location.path == barcode && medium.location.library.as_deref() == Some(library.name())
    };
    let medium = media.iter().filter(of_tape).find(is_it).cloned();
    Ok(Place {
        library,
        barcode,
        medium,
    })
}

/// Nobody knows which of them is meant: what was done with one might have been meant for the other.
fn twice(library: &str, barcode: &str, at: &[ElementAddress]) -> Problem {
    let places: Vec<String> = at.iter().map(ToString::to_string).collect();
    let places = places.join(" and ");
    let message = format!("elements {places} of library {library} have the barcode {barcode}: none of them is touched");
    Problem::refused("ambiguous", barcode, message)
        .next("give all but one another label, then run `respool library scan`; nothing was touched")
}

fn nowhere(barcode: &str, library: Option<&str>) -> Problem {
    let message = match library {
        Some(name) => format!("library {name} has no cartridge {barcode}, as somebody looked last"),
        None => format!("no library has a cartridge {barcode}, as somebody looked last"),
    };
    Problem::refused("not_found", barcode, message).next(
        "put it in, then run `respool library scan`; `respool tape list` shows the cartridges; nothing was touched",
    )
}
