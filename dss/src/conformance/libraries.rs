//! Libraries, the drives in them, and which tape is where.

use super::World;
use super::support::{all, at, is_conflict, is_exists, is_not_found};
use super::tape::new_tape;
use crate::catalogue::{CatalogueError, MediumChange, NewLibrary, Result};
use crate::model::{DriveSeen, FsState, Health, KnownDrive, Library, LibraryKind, Location, Medium, Presence};

/// Adds a library in a folder.
async fn library(w: &World, name: &str) -> Library {
    let new = NewLibrary {
        name: name.to_owned(),
        kind: LibraryKind::Virtual,
        place: format!("/libraries/{name}"),
    };
    w.catalogue.add_library(new, at(7)).await.unwrap()
}

/// A drive that was found and is well.
fn seen(bay: &str, serial: &str) -> DriveSeen {
    DriveSeen {
        bay: bay.to_owned(),
        serial: Some(serial.to_owned()),
        model: Some("HPE Ultrium 9-SCSI".to_owned()),
        health: Health::Ok,
        trouble: None,
    }
}

/// The kinds and subjects of the events so far that concern libraries and drives.
async fn log(w: &World) -> Vec<(String, String)> {
    let events = w.catalogue.events(all()).await.unwrap();
    let told = events
        .into_iter()
        .filter(|event| event.kind.starts_with("library.") || event.kind.starts_with("drive."));
    told.map(|event| (event.kind, event.subject)).collect()
}

/// Libraries are listed by name, and one name is one library.
pub async fn libraries_are_listed_by_name(w: &World) {
    for name in ["b", "Z", "a"] {
        library(w, name).await;
    }
    let real = NewLibrary {
        name: "real".to_owned(),
        kind: LibraryKind::Scsi,
        place: "changer of serial 7".to_owned(),
    };
    let made = w.catalogue.add_library(real.clone(), at(8)).await.unwrap();
    assert_eq!(
        (made.kind, made.place.as_str(), made.created_at),
        (LibraryKind::Scsi, "changer of serial 7", at(8))
    );
    assert_eq!(w.catalogue.library("real").await.unwrap(), made);
    assert!(is_exists(&w.catalogue.add_library(real, at(9)).await));
    let names: Vec<String> = w
        .catalogue
        .libraries()
        .await
        .unwrap()
        .into_iter()
        .map(|one| one.name)
        .collect();
    assert_eq!(names, ["Z", "a", "b", "real"], "byte order");
    assert!(is_not_found(&w.catalogue.library("c").await));
    assert_eq!(log(w).await.len(), 4);
}

/// A library with media in it is not forgotten, and one that is takes its drives along.
pub async fn a_library_with_media_is_not_forgotten(w: &World) {
    library(w, "lib0").await;
    library(w, "lib1").await;
    w.catalogue.note_drives("lib0", &[seen("drv0", "S0")]).await.unwrap();
    w.catalogue.note_drives("lib1", &[seen("drv0", "S9")]).await.unwrap();
    let tape = new_tape(w, "A00001L9", Some("lib0"));
    let tape = w.catalogue.add_medium(tape, at(0)).await.unwrap();
    let refused = w.catalogue.forget_library("lib0", at(8)).await;
    assert!(is_conflict(&refused) && refused.unwrap_err().to_string().contains("A00001L9"));
    assert_eq!(w.catalogue.drives("lib0").await.unwrap().len(), 1);
    w.catalogue.forget_medium(tape.id).await.unwrap();
    w.catalogue.forget_library("lib0", at(8)).await.unwrap();
    assert!(is_not_found(&w.catalogue.library("lib0").await));
    assert!(is_not_found(&w.catalogue.drives("lib0").await));
    assert!(is_not_found(&w.catalogue.forget_library("lib0", at(8)).await));
    assert_eq!(w.catalogue.drives("lib1").await.unwrap().len(), 1);
    library(w, "lib0").await;
    assert_eq!(w.catalogue.drives("lib0").await.unwrap(), [], "it begins anew");
    assert_eq!(log(w).await[2], ("library.forgotten".into(), "lib0".into()));
}

/// Drives are known by their bays; what is found again takes the place of what was there, and nothing else changes.
pub async fn drives_are_noted_by_bay(w: &World) {
    library(w, "lib0").await;
    let drives = async || w.catalogue.drives("lib0").await.unwrap();
    assert_eq!(drives().await, []);
    let first = [seen("drv1", "S1"), seen("drv0", "S0")];
    w.catalogue.note_drives("lib0", &first).await.unwrap();
    let known: Vec<_> = drives()
        .await
        .into_iter()
        .map(|drive| (drive.bay, drive.serial))
        .collect();
    assert_eq!(
        known,
        [
            ("drv0".to_owned(), Some("S0".to_owned())),
            ("drv1".to_owned(), Some("S1".to_owned()))
        ]
    );
    let revision = w.catalogue.identity().await.unwrap().revision;
    w.catalogue.note_drives("lib0", &first).await.unwrap();
    w.catalogue.note_drives("lib0", &[]).await.unwrap();
    assert_eq!(w.catalogue.identity().await.unwrap().revision, revision, "nothing new");
    let silent = DriveSeen {
        bay: "drv1".to_owned(),
        serial: None,
        model: None,
        health: Health::Failed,
        trouble: Some("it does not answer".to_owned()),
    };
    w.catalogue
        .note_drives("lib0", &[seen("drv1", "S1"), silent])
        .await
        .unwrap();
    let expected = KnownDrive {
        library: "lib0".to_owned(),
        bay: "drv1".to_owned(),
        serial: None,
        model: None,
        locked: None,
        health: Health::Failed,
        trouble: Some("it does not answer".to_owned()),
    };
    assert_eq!(drives().await[1], expected, "the last word counts");
    assert_eq!(drives().await[0].serial.as_deref(), Some("S0"));
    assert!(is_not_found(
        &w.catalogue.note_drives("lib9", &[seen("drv0", "S0")]).await
    ));
}

/// What the operator locked stays so, whichever drive is in the bay; each change of mind is an event.
pub async fn a_locked_drive_stays_locked(w: &World) {
    library(w, "lib0").await;
    w.catalogue.note_drives("lib0", &[seen("drv0", "S0")]).await.unwrap();
    let lock = async |why: Option<&str>| {
        let why = why.map(str::to_owned);
        w.catalogue.lock_drive("lib0", "drv0", why, at(9)).await.unwrap()
    };
    assert_eq!(
        lock(Some("it eats tapes")).await.locked.as_deref(),
        Some("it eats tapes")
    );
    lock(Some("it eats tapes")).await;
    w.catalogue.note_drives("lib0", &[seen("drv0", "S7")]).await.unwrap();
    let drive = w.catalogue.drives("lib0").await.unwrap().remove(0);
    assert_eq!(
        (drive.serial.as_deref(), drive.locked.as_deref()),
        (Some("S7"), Some("it eats tapes"))
    );
    assert_eq!(lock(None).await.locked, None);
    lock(None).await;
    assert_eq!(
        log(w).await[1..],
        [
            ("drive.locked".into(), "lib0/drv0".into()),
            ("drive.unlocked".into(), "lib0/drv0".into())
        ]
    );
    for (library, bay) in [("lib0", "drv1"), ("lib1", "drv0")] {
        assert!(is_not_found(&w.catalogue.lock_drive(library, bay, None, at(9)).await));
    }
}

fn is_taken<T>(answer: &Result<T>) -> bool {
    matches!(
        answer,
        Err(CatalogueError::TapeExists { library, barcode }) if library == "lib0" && barcode == "A00001L9"
    )
}

/// A library has one tape of a barcode; other libraries, shelves and directories have what they like.
pub async fn a_library_has_one_tape_of_a_barcode(w: &World) {
    let add = async |name: &str, library: Option<&str>| {
        let tape = crate::catalogue::NewMedium {
            name: name.to_owned(),
            ..new_tape(w, "A00001L9", library)
        };
        w.catalogue.add_medium(tape, at(0)).await
    };
    let first = add("one", Some("lib0")).await.unwrap();
    assert!(is_taken(&add("two", Some("lib0")).await));
    assert!(is_exists(&add("one", Some("lib0")).await), "the name is told first");
    add("elsewhere", Some("lib1")).await.unwrap();
    let shelf = add("shelf", None).await.unwrap();
    add("another shelf", None).await.unwrap();
    let disk = crate::catalogue::NewMedium {
        location: first.location.clone(),
        ..w.new_medium("disk")
    };
    w.catalogue.add_medium(disk, at(0)).await.unwrap();
    let into = MediumChange {
        library: Some(Some("lib0".to_owned())),
        presence: Some(Presence::Near),
        ..MediumChange::default()
    };
    assert!(is_taken(
        &w.catalogue.change_medium(shelf.id, into.clone(), at(1)).await
    ));
    assert_eq!(w.row(shelf.id).await, shelf, "nothing was changed");
    w.catalogue.change_medium(first.id, into, at(1)).await.unwrap();
    assert_eq!(w.row(first.id).await.location, first.location, "it is there itself");
}

/// A tape is found by library and barcode, wherever it goes.
pub async fn a_tape_is_found_where_it_is(w: &World) {
    let there = async |library: &str, barcode: &str| w.catalogue.medium_at(library, barcode).await.unwrap();
    assert_eq!(there("lib0", "A00001L9").await, None);
    let tape = new_tape(w, "A00001L9", Some("lib0"));
    let tape = w.catalogue.add_medium(tape, at(0)).await.unwrap();
    assert_eq!(there("lib0", "A00001L9").await, Some(tape.clone()));
    assert_eq!(there("lib0", "A00002L9").await, None);
    assert_eq!(there("lib1", "A00001L9").await, None);
    let to_the_shelf = MediumChange {
        library: Some(None),
        presence: Some(Presence::Shelf),
        why: "exported".to_owned(),
        ..MediumChange::default()
    };
    let shelved = w.catalogue.change_medium(tape.id, to_the_shelf, at(1)).await.unwrap();
    let barcode = Location {
        path: "A00001L9".to_owned(),
        dock: None,
        library: None,
    };
    assert_eq!((shelved.location, shelved.presence), (barcode, Presence::Shelf));
    assert_eq!(there("lib0", "A00001L9").await, None);
    let back = MediumChange {
        library: Some(Some("lib1".to_owned())),
        presence: Some(Presence::Near),
        ..MediumChange::default()
    };
    let moved = w.catalogue.change_medium(tape.id, back, at(2)).await.unwrap();
    assert_eq!(there("lib1", "A00001L9").await, Some(moved));
    let disk = crate::catalogue::NewMedium {
        location: Location {
            library: Some("lib2".to_owned()),
            ..tape.location
        },
        ..w.new_medium("disk")
    };
    w.catalogue.add_medium(disk, at(0)).await.unwrap();
    assert_eq!(there("lib2", "A00001L9").await, None, "a disk is no tape");
}

/// A tape in its library is in reach, for the robot brings it; a disk that is near has to be plugged in by somebody.
pub async fn a_tape_in_its_library_is_in_reach(w: &World) {
    let new = new_tape(w, "A00001L9", Some("lib0"));
    let tape = w.catalogue.add_medium(new, at(0)).await.unwrap().id;
    let disk = w.medium("disk").await;
    let is = async |medium, presence| {
        let change = MediumChange {
            presence: Some(presence),
            fs_state: Some(FsState::Empty),
            ..MediumChange::default()
        };
        let row: Medium = w.catalogue.change_medium(medium, change, at(1)).await.unwrap();
        let used = (row.may_be_read(), row.may_take_extents().is_ok());
        assert_eq!(used, (row.in_reach(), row.in_reach()));
        row.in_reach()
    };
    for (presence, robot, person) in [
        (Presence::Attached, true, true),
        (Presence::Near, true, false),
        (Presence::Shelf, false, false),
        (Presence::Unseen, false, false),
        (Presence::Missing, false, false),
    ] {
        assert_eq!(
            (is(tape, presence).await, is(disk, presence).await),
            (robot, person),
            "{presence}"
        );
    }
    is(tape, Presence::Near).await;
    w.lease(tape).await;
    w.put_one("a", tape, "abc").await;
    assert_eq!(
        w.row(tape).await.presence,
        Presence::Near,
        "a put changes nothing in it"
    );
    let fence = w.catalogue.fence_medium(disk, None, false, w.epoch(disk), at(9)).await;
    assert!(fence.is_ok());
}
