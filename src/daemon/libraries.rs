//! This host's libraries: opened when respoold starts, known to the scheduler, and in the hands of whoever mounts media.
//! Everything here that asks a device blocks.

mod facts;
mod problems;
pub mod view;

pub use facts::{facts, technology_of};
pub use view::{drive_view, library_view};

use crate::api::Problem;
use dss::catalogue::{Catalogue, CatalogueError, MediumChange};
use dss::model::{DriveSeen, Family, Library as Known, LibraryKind, Medium, Presence};
use jiff::Timestamp;
use lrs::core::DriveId;
use lrs::ldm::library::{Library, LibraryError, LibraryResult, Missing, Spec, Terms, Trouble};
use lrs::service::Lrs;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// A library that the catalogue knows.
#[derive(Clone)]
pub enum Opened {
    /// It is driven by this process.
    Ready(Arc<Library>),
    /// It cannot be used now; why.
    Away(Box<Trouble>),
}

/// All libraries of this host.
pub struct Libraries {
    terms: Terms,
    known: RwLock<BTreeMap<String, (Spec, Opened)>>,
}

/// How a library of the catalogue is opened.
pub fn spec_of(known: &Known) -> Spec {
    let (name, place) = (known.name.clone(), PathBuf::from(&known.place));
    match known.kind {
        LibraryKind::Virtual => Spec::Virtual { name, folder: place },
        LibraryKind::Scsi => Spec::Scsi { name, changer: place },
    }
}

/// Runs what asks a device apart from everybody else's work.
pub async fn blocking<R: Send + 'static>(
    subject: &str,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|panic| Problem::bug(subject, panic.to_string()))
}

impl Libraries {
    /// None yet.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            known: RwLock::default(),
        }
    }

    /// Opens every library of the catalogue, all at the same time as each may take minutes, and tells the scheduler of their
    /// drives. One that cannot be opened is no reason not to start: it is told wherever somebody needs it, and tried again
    /// by a scan.
    pub async fn open_all(
        self: &Arc<Self>,
        catalogue: &dyn Catalogue,
        lrs: &Lrs,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let all = catalogue.libraries().await?;
        let opened = futures_util::future::join_all(all.iter().map(|known| self.open(known))).await;
        for (known, opened) in all.iter().zip(opened) {
            match opened? {
                Ok(library) => {
                    self.announce(catalogue, lrs, &library).await?;
                    self.note_presence(catalogue, lrs, (&library, now)).await?;
                }
                Err(error) => tracing::warn!(library = %known.name, %error, "a library cannot be used"),
            }
        }
        Ok(())
    }

    /// Opens a library, or says why it cannot be; that is kept, too.
    pub async fn open(self: &Arc<Self>, known: &Known) -> Result<LibraryResult<Arc<Library>>, Problem> {
        if let Some(Opened::Ready(library)) = self.opened(&known.name) {
            return Ok(Ok(library));
        }
        let (spec, terms) = (spec_of(known), self.terms.clone());
        let wanted = spec.clone();
        let opened = blocking(&known.name, move || Library::open(&wanted, &terms))
            .await?
            .map(Arc::new);
        let kept = match &opened {
            Ok(library) => Opened::Ready(Arc::clone(library)),
            Err(error) => Opened::Away(Box::new(error.trouble.clone())),
        };
        self.keep(&known.name, Some((spec, kept)));
        Ok(opened)
    }

    /// Opens what the catalogue does not know yet. It is not kept.
    pub async fn try_open(&self, spec: Spec) -> Result<LibraryResult<Arc<Library>>, Problem> {
        let (name, terms) = (spec.name().to_owned(), self.terms.clone());
        let opened = blocking(&name, move || Library::open(&spec, &terms)).await?;
        Ok(opened.map(Arc::new))
    }

    /// Keeps a library that was opened and is known to the catalogue now.
    pub fn adopt(&self, known: &Known, library: &Arc<Library>) {
        self.keep(&known.name, Some((spec_of(known), Opened::Ready(Arc::clone(library)))));
    }

    /// Lets go of a library. Whoever still works with it does so to its end.
    pub fn forget(&self, name: &str) {
        self.keep(name, None);
    }

    fn keep(&self, name: &str, what: Option<(Spec, Opened)>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match what {
            Some(what) => drop(known.insert(name.to_owned(), what)),
            None => drop(known.remove(name)),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, (Spec, Opened)>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of a library; None: there is none of that name.
    pub fn opened(&self, name: &str) -> Option<Opened> {
        self.read().get(name).map(|(_, opened)| opened.clone())
    }

    /// All that are open, by name.
    pub fn ready(&self) -> Vec<Arc<Library>> {
        let known = self.read();
        let ready = known.values().filter_map(|(_, opened)| match opened {
            Opened::Ready(library) => Some(Arc::clone(library)),
            Opened::Away(_) => None,
        });
        ready.collect()
    }

    /// A library to work with.
    ///
    /// # Errors
    /// It is not known, or cannot be used now.
    pub fn get(&self, name: &str) -> LibraryResult<Arc<Library>> {
        let trouble = match self.opened(name) {
            Some(Opened::Ready(library)) => return Ok(library),
            Some(Opened::Away(trouble)) => *trouble,
            None => Trouble::Unusable("respoold does not know it".to_owned()),
        };
        Err(LibraryError {
            library: name.to_owned(),
            trouble,
        })
    }

    /// Has the catalogue and the scheduler know a library's drives as they are now.
    pub async fn announce(&self, catalogue: &dyn Catalogue, lrs: &Lrs, library: &Arc<Library>) -> Result<(), Problem> {
        let name = library.name();
        let seen: Vec<DriveSeen> = library.bays().iter().map(facts::seen).collect();
        catalogue.note_drives(name, &seen).await?;
        let media = catalogue.media().await?;
        let here: Vec<&Medium> = media
            .iter()
            .filter(|of| of.location.library.as_deref() == Some(name))
            .collect();
        lrs.library(facts(library, &here));
        for drive in catalogue.drives(name).await? {
            let bay = DriveId::Bay {
                library: name.to_owned(),
                bay: drive.bay.clone(),
            };
            lrs.lock_drive(bay, drive.locked);
        }
        Ok(())
    }

    /// Has the catalogue know which tapes are in a library that was looked into at this time: those that are, and those that
    /// are no more and lie on a shelf.
    pub async fn note_presence(
        &self,
        catalogue: &dyn Catalogue,
        lrs: &Lrs,
        (library, now): (&Library, Timestamp),
    ) -> Result<(), Problem> {
        let (name, inventory) = (library.name(), library.last_inventory());
        for medium in catalogue.media().await? {
            let presence = match inventory.find(&medium.location.path) {
                Ok(_) => Presence::Near,
                Err(Missing::NotHere { .. }) => Presence::Shelf,
                // One of them is it: whoever wants it is told that it is not known which.
                Err(Missing::Twice(_)) => continue,
            };
            let Some(why) = news(&medium, name, presence) else {
                continue;
            };
            let change = MediumChange {
                presence: Some(presence),
                library: (presence == Presence::Near).then(|| Some(name.to_owned())),
                why: why.to_owned(),
                ..MediumChange::default()
            };
            match catalogue.change_medium(medium.id, change, now).await {
                Ok(changed) => lrs.medium_changed(changed.id).await?,
                // Another tape of this barcode is the one that this library is known to have.
                Err(error @ (CatalogueError::TapeExists { .. } | CatalogueError::Conflict { .. })) => {
                    tracing::warn!(medium = %medium.name, library = %name, %error, "where it is was not noted");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// What is new of a tape that a library has (near) or has not (shelf), by its inventory; None: nothing is.
fn news(medium: &Medium, library: &str, found: Presence) -> Option<&'static str> {
    if medium.family != Family::Tape {
        return None;
    }
    let (in_this, is_here) = (
        medium.location.library.as_deref() == Some(library),
        found == Presence::Near,
    );
    match (in_this, is_here) {
        (true, true) if !medium.in_reach() => Some("it is in its library"),
        (false, true) if !medium.in_reach() => Some("it was put into this library"),
        (true, false) if medium.in_reach() => Some("its library has it no more"),
        (true | false, true) | (true | false, false) => None,
    }
}
