//! Libraries and the drives in them, and where tapes are.

use super::tables::{Tables, not_found};
use crate::catalogue::{CatalogueError, NewLibrary, Result, drive_locked, drive_subject, refuse_with_media};
use crate::model::{DriveSeen, ExtentState, Family, KnownDrive, Library, Location, Medium, MediumId};
use jiff::Timestamp;
use serde_json::json;

/// The partition of a tape that extents are appended to.
const DATA: u8 = 1;

impl Tables {
    pub(super) fn add_library(&mut self, new: NewLibrary, now: Timestamp) -> Result<Library> {
        if self.libraries.contains(&new.name) {
            return Err(CatalogueError::Exists {
                what: "library",
                name: new.name,
            });
        }
        let library = Library {
            name: new.name,
            kind: new.kind,
            place: new.place,
            created_at: now,
        };
        let detail = json!({ "kind": library.kind, "place": library.place });
        self.log("library.added", &library.name, detail, now);
        self.libraries.insert(library.name.clone(), library.clone());
        Ok(library)
    }

    pub(super) fn library(&self, name: &str) -> Result<&Library> {
        let found = self.libraries.get(&name.to_owned());
        found.ok_or_else(|| not_found("library", name))
    }

    pub(super) fn forget_library(&mut self, name: &str, now: Timestamp) -> Result<()> {
        self.library(name)?;
        let inside = |medium: &&Medium| medium.location.library.as_deref() == Some(name);
        let mut media: Vec<String> = self.media.values().filter(inside).map(|one| one.name.clone()).collect();
        media.sort();
        refuse_with_media(name, &media)?;
        for drive in self.drives_of(name)? {
            self.drives.remove(&(drive.library, drive.bay));
        }
        self.libraries.remove(&name.to_owned());
        self.log("library.forgotten", name, json!({}), now);
        Ok(())
    }

    /// Whether anything was new.
    pub(super) fn note_drives(&mut self, library: &str, seen: &[DriveSeen]) -> Result<bool> {
        self.library(library)?;
        let before = self.drives_of(library)?;
        for drive in seen {
            let key = (library.to_owned(), drive.bay.clone());
            let locked = self.drives.get(&key).and_then(|known| known.locked.clone());
            let known = KnownDrive {
                library: library.to_owned(),
                bay: drive.bay.clone(),
                serial: drive.serial.clone(),
                model: drive.model.clone(),
                locked,
                health: drive.health,
                trouble: drive.trouble.clone(),
            };
            self.drives.insert(key, known);
        }
        Ok(self.drives_of(library)? != before)
    }

    /// The drive, and whether that was news.
    pub(super) fn lock_drive(
        &mut self,
        library: &str,
        bay: &str,
        why: Option<String>,
        now: Timestamp,
    ) -> Result<(KnownDrive, bool)> {
        let subject = drive_subject(library, bay);
        let drive = self.drives.get_mut(&(library.to_owned(), bay.to_owned()));
        let drive = drive.ok_or_else(|| not_found("drive", &subject))?;
        if drive.locked == why {
            return Ok((drive.clone(), false));
        }
        drive.locked = why;
        let drive = drive.clone();
        let (kind, detail) = drive_locked(&drive);
        self.log(kind, subject, detail, now);
        Ok((drive, true))
    }

    pub(super) fn drives_of(&self, library: &str) -> Result<Vec<KnownDrive>> {
        self.library(library)?;
        let of = |drive: &&KnownDrive| drive.library == library;
        Ok(self.drives.values().filter(of).cloned().collect())
    }

    pub(super) fn medium_at(&self, library: &str, barcode: &str) -> Option<&Medium> {
        let there = |medium: &&Medium| {
            medium.family == Family::Tape
                && medium.location.library.as_deref() == Some(library)
                && medium.location.path == barcode
        };
        self.media.values().find(there)
    }

    /// Refuses a second tape of a barcode in one library.
    pub(super) fn refuse_second_tape(&self, medium: MediumId, family: Family, there: &Location) -> Result<()> {
        let Some(library) = there.library.as_ref().filter(|_| family == Family::Tape) else {
            return Ok(());
        };
        match self.medium_at(library, &there.path) {
            Some(other) if other.id != medium => Err(CatalogueError::TapeExists {
                library: library.clone(),
                barcode: there.path.clone(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn durable_end(&self, id: MediumId) -> Result<u64> {
        let medium = self.medium(id)?;
        let durable = self
            .extents_on(id)
            .filter(|extent| extent.generation == medium.generation && extent.state != ExtentState::Pending);
        let ends = durable.filter_map(|extent| extent.span.as_ref()?.end_block(DATA));
        Ok(ends.max().unwrap_or(0))
    }
}
