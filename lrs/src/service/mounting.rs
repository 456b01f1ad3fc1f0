//! Mounting on a drive's thread, and what the catalogue is told of where a medium is.

use super::{Berth, Context, Desk, Message};
use crate::core::drive::DriveId;
use crate::core::scheduler::Event;
use crate::ldm::drive::DriveFault;
use crate::ldm::{Fault, MediaError, MediaResult};
use crate::worker::{DriveGone, Worker};
use dss::catalogue::{CatalogueError, MediumChange};
use dss::model::{Compared, Family, FsState, Medium, Presence, Seen};
use nix::errno::Errno;
use std::sync::Arc;

/// What went wrong with a medium; told to whoever is refused because of it.
#[derive(Debug)]
pub(super) enum Trouble {
    Media(MediaError),
    Catalogue(CatalogueError),
}

impl Trouble {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Media(error) => error.to_string(),
            Self::Catalogue(error) => error.to_string(),
        }
    }
}

pub(super) fn say(desk: &Desk, message: Message) {
    // Without an owner nobody needs to know.
    let _ = desk.send(message);
}

/// Where the data end that the catalogue knows to be durable on a medium: nothing is appended before that. The files of a
/// directory need no such place.
async fn durable_end(context: &Context, medium: &Medium) -> Result<u64, CatalogueError> {
    match medium.family {
        Family::Dir => Ok(0),
        Family::Tape => context.catalogue.durable_end(medium.id).await,
    }
}

/// Mounts a medium, and has the catalogue know whether it was where it should be. After a failure a drive of a library is
/// empty, or it is told to have failed.
pub(super) async fn mount(
    context: &Arc<Context>,
    desk: &Desk,
    worker: &Worker,
    drive: &DriveId,
    row: Medium,
) -> Result<(), Trouble> {
    let outcome = match durable_end(context, &row).await {
        Ok(durable_end) => {
            let drive = drive.clone();
            let berth = Berth { drive, durable_end };
            let (mounter, wanted) = (Arc::clone(&context.mounter), row.clone());
            match worker.load(move || mounter.mount(&wanted, &berth)).await {
                Ok(outcome) => outcome,
                Err(gone) => return Err(Trouble::Media(gone.on(&row.name))),
            }
        }
        Err(error) => {
            // What was mounted before must not stay.
            take_out(context, desk, worker, drive).await;
            return Err(Trouble::Catalogue(error));
        }
    };
    // A directory that was not mounted is nowhere.
    if outcome.is_err() && drive.library().is_some() {
        take_out(context, desk, worker, drive).await;
    }
    let found = match &outcome {
        Ok(()) => Some((found_at(&row), "found and mounted".to_owned())),
        Err(error) if is_absent(&error.fault) => Some((Presence::Missing, error.to_string())),
        Err(_) => None,
    };
    if let Some((presence, why)) = found.filter(|(presence, _)| *presence != row.presence) {
        let change = MediumChange {
            presence: Some(presence),
            why,
            ..MediumChange::default()
        };
        match context
            .catalogue
            .change_medium(row.id, change, context.clock.now())
            .await
        {
            Ok(row) => say(desk, Message::Event(Event::MediumSeen(row))),
            Err(error) => tracing::warn!(medium = %row.name, %error, "the catalogue was not told where the medium is"),
        }
    }
    outcome.map_err(Trouble::Media)
}

/// Brings a cartridge into a drive as it is. Nothing is noted of it.
pub(super) async fn bring(
    context: &Arc<Context>,
    desk: &Desk,
    worker: &Worker,
    drive: &DriveId,
    row: Medium,
) -> Result<(), MediaError> {
    let (mounter, name) = (Arc::clone(&context.mounter), row.name.clone());
    let berth = Berth {
        drive: drive.clone(),
        durable_end: 0,
    };
    let blank = Medium {
        fs_state: FsState::Blank,
        ..row
    };
    let brought = worker.load(move || mounter.mount(&blank, &berth)).await;
    let brought = brought.unwrap_or_else(|gone| Err(gone.on(&name)));
    if brought.is_err() {
        take_out(context, desk, worker, drive).await;
    }
    brought
}

/// Has nothing mounted in a drive and nothing in it, after a mount that did not succeed or may not be used.
/// The core takes the drive for empty then; where that is not so, it is told that the drive failed.
pub(super) async fn take_out(context: &Context, desk: &Desk, worker: &Worker, drive: &DriveId) {
    let outcome = unmount(context, worker, drive).await;
    let why = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(gone) => gone.to_string(),
    };
    let drive = drive.clone();
    say(desk, Message::Event(Event::DriveFailed { drive, why }));
}

/// Where a medium is that was mounted. A tape that left its drive again is still in its library.
fn found_at(row: &Medium) -> Presence {
    match (row.family, row.presence) {
        (Family::Dir, _) | (Family::Tape, Presence::Attached) => Presence::Attached,
        (Family::Tape, Presence::Near | Presence::Shelf | Presence::Unseen | Presence::Missing) => Presence::Near,
    }
}

/// Closes what is mounted in a drive and has the medium taken out of it, which for a directory is nothing more.
pub(super) async fn unmount(context: &Context, worker: &Worker, drive: &DriveId) -> Result<MediaResult<()>, DriveGone> {
    let (mounter, drive) = (Arc::clone(&context.mounter), drive.clone());
    worker.unload(move || mounter.unmount(&drive)).await
}

/// Compares what a medium says of the catalogue's history with the catalogue, before anybody uses it (E-16). Media of
/// other catalogues are not ours to compare.
pub(super) async fn compare(
    context: &Context,
    desk: &Desk,
    worker: &Worker,
    row: &Medium,
    mounted: &Result<(), Trouble>,
) -> Result<(), CatalogueError> {
    let (catalogue, seen) = match mounted {
        // A drive that is gone by now tells whoever uses it.
        Ok(()) => match worker.ask(|volume| (volume.label().catalogue, volume.seen())).await {
            Ok(said) => said,
            Err(_) => return Ok(()),
        },
        Err(Trouble::Catalogue(_)) => return Ok(()),
        Err(Trouble::Media(error)) => match error.fault {
            Fault::ErasedSince {
                found,
                revision,
                catalogue,
                ..
            } => {
                let seen = Seen {
                    generation: found,
                    revision,
                    head: None,
                };
                (catalogue, seen)
            }
            _ => return Ok(()),
        },
    };
    if catalogue != context.catalogue.identity().await?.id {
        return Ok(());
    }
    let now = context.clock.now();
    match context.catalogue.compare_medium(row.id, seen, now).await? {
        Compared::Level => {}
        Compared::Ahead { why } | Compared::Behind { why } => {
            tracing::warn!(medium = %row.name, %why, "it does not agree with the catalogue");
            let fresh = context.catalogue.medium_by_id(row.id).await?;
            say(desk, Message::Event(Event::MediumSeen(fresh)));
        }
    }
    Ok(())
}

/// Whether a failed mount says that the medium is not where the catalogue has it.
fn is_absent(fault: &Fault) -> bool {
    match fault {
        Fault::WrongMedium { .. } | Fault::Unlabelled(_) | Fault::Absent => true,
        Fault::Io(errno) => matches!(
            errno,
            Errno::ENOENT | Errno::ENOTDIR | Errno::ENODEV | Errno::ENXIO | Errno::ENOMEDIUM
        ),
        // 2/3A/xx: there is no medium in it (SPC-4, annex F).
        Fault::Drive(error) => matches!(&error.fault, DriveFault::Sense(sense) if (sense.key, sense.asc) == (2, 0x3a)),
        Fault::Short { .. }
        | Fault::NoSpace
        | Fault::Damaged(_)
        | Fault::NeedsReopen
        | Fault::NotThisExtent(_)
        | Fault::Miswritten
        | Fault::ErasedSince { .. }
        | Fault::Unfit(_)
        | Fault::Unrepresentable(_) => false,
    }
}
