//! What users of media tell about failures: counted by the core's health records, whose verdict goes into the catalogue.

use super::{Context, Desk, Lrs, Message};
use crate::core::drive::DriveId;
use crate::core::health::{Failure, Trouble};
use crate::core::scheduler::Event;
use crate::ldm::error::Blame;
use crate::ldm::{Fault, MediaError, Op};
use dss::catalogue::CatalogueError;
use dss::model::{Medium, MediumId, NewEvent};
use nix::errno::Errno;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What a reported failure led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported {
    /// It says nothing about the health of medium or drive.
    NoEvidence,
    /// It was counted; one more of its kind may be too many.
    Counted,
    /// The medium is suspect now, in the catalogue too.
    Medium(String),
    /// The drive is to blame and out of service; the medium is not suspect for it.
    Drive(String),
}

/// What the core wants the catalogue to know.
#[derive(Debug)]
pub(super) enum Finding {
    /// A medium is suspect.
    Suspect(MediumId, String),
    /// A drive is taken out of service.
    DriveOut(DriveId, String),
}

/// Whether an error is one of a device, rather than of permissions or of what is not there.
fn is_of_device(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EIO | Errno::EREMOTEIO | Errno::EUCLEAN | Errno::EBADMSG | Errno::ENODATA | Errno::ETIMEDOUT
    )
}

/// What a device that failed at something is evidence of.
fn of_device(op: Op) -> Option<Trouble> {
    match op {
        Op::Write | Op::Mount | Op::Load | Op::Unload => Some(Trouble::Hard),
        Op::Sync => Some(Trouble::Sync),
        Op::Read | Op::Open | Op::Locate => Some(Trouble::Read),
        // Its room is taken for none, and a deletion is tried again: neither harms anything.
        Op::FreeSpace | Op::Delete => None,
    }
}

/// What a failure is evidence of, if of anything. What is absent, full, or another medium than expected is no failure of
/// a device; bytes that fail their digest make a medium suspect without being counted.
fn trouble(error: &MediaError) -> Option<Trouble> {
    match (&error.fault, error.op) {
        (Fault::Io(errno), op) if is_of_device(*errno) => of_device(op),
        // A drive that another host holds, or an inventory that is stale, says nothing of either.
        (Fault::Drive(found), op) => match found.blame() {
            Blame::Extent | Blame::Medium | Blame::Drive => of_device(op),
            Blame::Library | Blame::Operator | Blame::Us => None,
        },
        (Fault::Damaged(_), Op::Mount) => Some(Trouble::Hard),
        (
            Fault::Io(_)
            | Fault::Short { .. }
            | Fault::NoSpace
            | Fault::Absent
            | Fault::WrongMedium { .. }
            | Fault::ErasedSince { .. }
            | Fault::Unlabelled(_)
            | Fault::Damaged(_)
            | Fault::NeedsReopen
            | Fault::NotThisExtent(_)
            | Fault::Miswritten
            | Fault::Unfit(_)
            | Fault::Unrepresentable(_),
            _,
        ) => None,
    }
}

/// The failure that an error is, if it is evidence.
pub(super) fn failure(row: &Medium, drive: DriveId, error: &MediaError) -> Option<Failure> {
    Some(Failure {
        medium: row.id,
        family: row.family,
        drive,
        trouble: trouble(error)?,
        why: error.to_string(),
    })
}

impl Lrs {
    /// Tells that a medium failed in its drive. Returns when what follows from it stands in the catalogue.
    pub async fn report(&self, medium: MediumId, error: &MediaError) -> Reported {
        let (answer, verdict) = oneshot::channel();
        // Without an owner nobody judges any more.
        let _ = self.desk.send(Message::Failed(medium, error.clone(), answer));
        verdict.await.unwrap_or(Reported::NoEvidence)
    }
}

/// Has the catalogue know what was found. A medium whose row could not be changed is found suspect once more at its next
/// failure.
pub(super) async fn write_down(context: Arc<Context>, desk: Option<Desk>, findings: Vec<Finding>) {
    for finding in findings {
        let outcome = match &finding {
            Finding::Suspect(medium, why) => suspect(&context, desk.as_ref(), *medium, why).await,
            Finding::DriveOut(drive, why) => {
                tracing::error!(%drive, %why, "the drive is out of service");
                let event = NewEvent {
                    kind: "drive.out_of_service",
                    subject: drive.to_string(),
                    detail: serde_json::json!({ "why": why }),
                };
                context.catalogue.note(event, context.clock.now()).await
            }
        };
        if let Err(error) = outcome {
            tracing::warn!(?finding, %error, "the catalogue was not told");
        }
    }
}

async fn suspect(context: &Context, desk: Option<&Desk>, medium: MediumId, why: &str) -> Result<(), CatalogueError> {
    context.catalogue.suspect(medium, why, context.clock.now()).await?;
    let row = context.catalogue.medium_by_id(medium).await?;
    if let Some(desk) = desk {
        // Without an owner nobody schedules any more.
        let _ = desk.send(Message::Event(Event::MediumSeen(row)));
    }
    Ok(())
}
