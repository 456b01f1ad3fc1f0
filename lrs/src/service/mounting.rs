//! Mounting on a drive's thread, and what the catalogue is told of where a medium is.

use super::{Context, Desk, Message};
use crate::core::scheduler::Event;
use crate::ldm::drive::DriveFault;
use crate::ldm::{Fault, MediaError};
use crate::worker::Worker;
use dss::catalogue::{CatalogueError, MediumChange};
use dss::model::{Compared, Medium, Presence, Seen};
use nix::errno::Errno;
use std::sync::Arc;

/// What went wrong with a medium; told to whoever is refused because of it.
#[derive(Debug)]
pub(super) enum Trouble {
    Media(MediaError),
    Catalogue(CatalogueError),
}

pub(super) fn say(desk: &Desk, message: Message) {
    // Without an owner nobody needs to know.
    let _ = desk.send(message);
}

/// Mounts a medium, and has the catalogue know whether it was where it should be.
pub(super) async fn mount(context: &Arc<Context>, desk: &Desk, worker: &Worker, row: Medium) -> Result<(), MediaError> {
    let (mounter, wanted) = (Arc::clone(&context.mounter), row.clone());
    let outcome = match worker.load(move || mounter.mount(&wanted)).await {
        Ok(outcome) => outcome,
        Err(gone) => return Err(gone.on(&row.name)),
    };
    let found = match &outcome {
        Ok(()) => Some((Presence::Attached, "found and mounted".to_owned())),
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
    outcome
}

/// Compares what a medium says of the catalogue's history with the catalogue, before anybody uses it (E-16). Media of
/// other catalogues are not ours to compare.
pub(super) async fn compare(
    context: &Context,
    desk: &Desk,
    worker: &Worker,
    row: &Medium,
    mounted: &Result<(), MediaError>,
) -> Result<(), CatalogueError> {
    let (catalogue, seen) = match mounted {
        // A drive that is gone by now tells whoever uses it.
        Ok(()) => match worker.ask(|volume| (volume.label().catalogue, volume.seen())).await {
            Ok(said) => said,
            Err(_) => return Ok(()),
        },
        Err(error) => match error.fault {
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
        | Fault::Unfit(_) => false,
    }
}
