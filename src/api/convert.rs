//! From the words of catalogue, media and scheduler to problems: the one place that gives an exit code and an advice.

use super::Problem;
use dss::catalogue::CatalogueError;
use dss::model::evidence::EvidenceError;
use dss::model::ids::OidError;
use lrs::core::Refusal;
use lrs::ldm::{Blame, Fault, MediaError};

impl From<CatalogueError> for Problem {
    fn from(error: CatalogueError) -> Self {
        let message = error.to_string();
        match error {
            CatalogueError::NotFound { what, name } => {
                let list = match what {
                    "medium" => "`respool medium list` shows the media",
                    "job" => "`respool job list` shows the jobs",
                    "library" => "`respool library list` shows the libraries",
                    "drive" => "`respool drive list` shows the drives",
                    "extent" => "`respool extent list` shows the extents",
                    "version" => "`respool object list --deleted` shows the versions",
                    _ => "`respool object list` shows the objects",
                };
                Self::refused("not_found", name, message).next(list)
            }
            CatalogueError::Exists { what, name } => {
                let next = match what {
                    "object" => "choose another OID, or add --overwrite for a new version",
                    _ => "choose another name",
                };
                Self::refused("exists", name, message).next(next)
            }
            CatalogueError::TapeExists { library, barcode } => {
                Self::refused("exists", format!("{library}/{barcode}"), message)
                    .next("`respool medium list` shows which medium that is; nothing was changed")
            }
            CatalogueError::Conflict { subject, .. } => Self::refused("conflict", subject, message)
                .next("look at its state and try again when it allows this; nothing was changed"),
            CatalogueError::Fenced { medium, .. } => Self::refused("fenced", medium.to_string(), message)
                .next("choose another medium, or wait until it was erased"),
            CatalogueError::LeaseLost { resource } => Self::environment("lease_lost", "medium", resource, message)
                .next("find out which other respoold took the medium; nothing of this attempt counts"),
            CatalogueError::LeaseHeld { resource, .. } => Self::environment("lease_held", "medium", resource, message)
                .next("stop the other respoold, or wait until its lease ends"),
            CatalogueError::Invariant { invariant, .. } => Self::integrity("invariant", "us", invariant, message)
                .next("run `respool check`; the transaction was undone"),
            CatalogueError::InDoubt(names) => {
                let first = names.split(',').next().unwrap_or_default().to_owned();
                let next = format!("run `respool medium import {first} --reconcile`");
                Self::integrity("medium_ahead", "us", first, message).next(next)
            }
            CatalogueError::Unresolved(_) => Self::environment("catalogue_unavailable", "us", "catalogue", message)
                .next("see why PostgreSQL did not answer (its log is below `pg` in the state folder, unless [catalogue] url \
                       names another one); look whether it was done before you repeat it"),
            CatalogueError::Unavailable(_) => Self::environment("catalogue_unavailable", "us", "catalogue", message)
                .next("see why PostgreSQL does not answer (its log is below `pg` in the state folder, unless [catalogue] url names \
                       another one), then repeat"),
            CatalogueError::Unfit(_) => Self::environment("catalogue_unfit", "us", "catalogue", message)
                .next("correct the server's settings or the schema; nothing was written"),
            CatalogueError::Corrupt(_) => Self::integrity("catalogue_corrupt", "us", "catalogue", message)
                .next("run `respool check`, and restore a backup if it confirms this"),
        }
    }
}

/// The word for who is to blame.
pub fn blame_word(blame: Blame) -> &'static str {
    match blame {
        Blame::Extent => "extent",
        Blame::Medium => "medium",
        Blame::Drive => "drive",
        Blame::Library => "library",
        Blame::Operator => "operator",
        Blame::Us => "us",
    }
}

fn media_code(fault: &Fault) -> &'static str {
    match fault {
        Fault::Io(_) if fault.is_of_host() => "host_exhausted",
        Fault::Io(_) => "io_error",
        Fault::Drive(_) => "drive_error",
        Fault::Short { .. } => "short",
        Fault::NoSpace => "no_space",
        Fault::Absent => "absent",
        Fault::WrongMedium { .. } => "wrong_medium",
        Fault::ErasedSince { .. } => "medium_ahead",
        Fault::Unlabelled(_) => "unlabelled",
        Fault::Damaged(_) => "damaged",
        Fault::NeedsReopen => "needs_reopen",
        Fault::NotThisExtent(_) => "not_this_extent",
        Fault::Miswritten => "miswritten",
        Fault::Unfit(_) => "unfit",
        Fault::Unrepresentable(_) => "unrepresentable",
    }
}

/// What helps a host that ran out of what it lends to processes.
pub const HOST_ADVICE: &str = "raise the limit of file handles (`ulimit -n` before respoold is started, LimitNOFILE in the \
     service's unit) or free memory, as the message says; then repeat";

/// What helps an object of which more is said than its medium can keep.
pub const UNREPRESENTABLE_ADVICE: &str = "repeat it without what the message names, or onto a medium of another kind: a directory keeps what no tape can say";

fn media_advice(fault: &Fault) -> &'static str {
    match fault {
        Fault::Io(_) if fault.is_of_host() => HOST_ADVICE,
        Fault::Io(_) => "see the kernel's log for the device; repack the medium while it still reads",
        Fault::Drive(error) if error.blame() == Blame::Library => {
            "see to the library, then run `respool library scan`; `respool tape list` shows the cartridges"
        }
        Fault::Drive(_) => "try the medium in another drive before it is condemned; repack it while it still reads",
        Fault::Short { .. } | Fault::Absent | Fault::NotThisExtent(_) => {
            "look at the file on the medium; other copies are not concerned"
        }
        Fault::NoSpace => "add a medium, or repack one to regain its dead bytes",
        Fault::WrongMedium { .. } => "put the right medium there; whatever lies there now was left as it is",
        Fault::ErasedSince { .. } => {
            "the catalogue was restored from an older backup: run `respool medium import NAME --reconcile`"
        }
        Fault::Unlabelled(_) => {
            "put the medium in its place (mount the disk), or correct its path with `respool medium set`"
        }
        Fault::Damaged(_) => "keep the medium as it is and repack what reads; `respool check` tells what depends on it",
        Fault::NeedsReopen => "repeat the request: the medium is opened anew",
        Fault::Miswritten => "do not trust this medium or its connection; what was written does not count",
        Fault::Unfit(_) => {
            "choose another one: to be written, an empty directory or a blank cartridge; to be read, a tape \
                            that a drive here takes"
        }
        Fault::Unrepresentable(_) => UNREPRESENTABLE_ADVICE,
    }
}

impl From<MediaError> for Problem {
    fn from(error: MediaError) -> Self {
        let (code, next, blame) = (
            media_code(&error.fault),
            media_advice(&error.fault),
            blame_word(error.blame()),
        );
        let (subject, message) = (error.medium.clone(), error.to_string());
        let problem = match (&error.fault, error.is_integrity()) {
            (Fault::Unfit(_) | Fault::Unrepresentable(_), _) => Self::refused(code, subject, message),
            (_, true) => Self::integrity(code, blame, subject, message),
            (_, false) => Self::environment(code, blame, subject, message),
        };
        problem.next(next)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Unusable { medium, .. } => Self::refused("medium_unusable", medium, message)
                .next("`respool medium show` tells its state; bring it back, or unlock it"),
            Refusal::NoTarget { missing, .. } => Self::refused(
                "no_target",
                "media",
                format!("{message}; {} bytes are missing", missing.0),
            )
            .next("add a medium, or bring a full one back with `respool repack`"),
            Refusal::SharedDock { dock, .. } => Self::refused("shared_dock", dock, message)
                .next("use a medium of another dock, or a directory without --dock, as the target"),
            Refusal::FewDrives { library, .. } => Self::refused("few_drives", library, message)
                .next("use fewer of its tapes at once, or unlock its other drives; `respool drive list` shows them"),
            Refusal::LeasedElsewhere { medium, .. } => Self::environment("lease_held", "medium", medium, message)
                .next("stop the other respoold, or wait until its lease ends"),
            Refusal::NoAnswer { medium, .. } => Self::environment("no_answer", "drive", medium, message)
                .next("look at the device and the kernel's log; it is used again by itself as soon as it answers"),
            Refusal::Stopping => {
                Self::stopped("stopping", "respoold", message).next("repeat the request when respoold has stopped")
            }
        }
    }
}

impl From<OidError> for Problem {
    fn from(error: OidError) -> Self {
        Self::refused("bad_oid", "OID", error.to_string()).next("choose another OID; nothing was stored")
    }
}

impl From<EvidenceError> for Problem {
    fn from(error: EvidenceError) -> Self {
        let message = error.to_string();
        match error {
            EvidenceError::Mismatch { extent } => {
                Self::integrity("digest_mismatch", "extent", extent.to_string(), message).next(
                    "the bytes were not used; `respool extent list` names the extent's medium and its other copies",
                )
            }
            EvidenceError::ForeignReceipt { extent } | EvidenceError::Overlong { extent } => {
                Self::bug(extent.to_string(), message)
            }
        }
    }
}
