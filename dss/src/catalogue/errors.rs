//! Why a catalogue refuses, and the reasons that every catalogue words alike.

use crate::model::{AdmState, ExtentId, JobError, KnownDrive, Medium, MediumId, Standing};
use jiff::Timestamp;

/// What a catalogue answers when it does not do what was asked. Nothing was changed, unless it is `Unresolved`.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// No such thing.
    #[error("there is no {what} '{name}'")]
    NotFound {
        /// medium, object, version, extent or job.
        what: &'static str,
        /// As it was asked for.
        name: String,
    },
    /// Such a thing exists already. For a record, what is *address*: a row has the name that the medium thought free
    /// because no byte of it was ever written; the medium is asked for another.
    #[error("{what} '{name}' exists already")]
    Exists {
        /// medium, object ...
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A library has one tape of a barcode, and another medium is that.
    #[error("library {library} has a tape {barcode} already, and it is another medium")]
    TapeExists {
        /// The library.
        library: String,
        /// The barcode.
        barcode: String,
    },
    /// The thing is not in the state the request needs, or somebody else was faster.
    #[error("{subject}: {why}")]
    Conflict {
        /// Which thing.
        subject: String,
        /// In words for an operator.
        why: String,
    },
    /// The medium is being erased, was erased since, or takes no new extents.
    #[error("medium {medium} is fenced: {why}")]
    Fenced {
        /// Which.
        medium: MediumId,
        /// In words.
        why: String,
    },
    /// Somebody else holds the lease now. Stop issuing commands.
    #[error("the lease on {resource} is no longer ours")]
    LeaseLost {
        /// On what.
        resource: String,
    },
    /// The lease is held by a living holder until then.
    #[error("{resource} is leased to another respoold until {until}")]
    LeaseHeld {
        /// On what.
        resource: String,
        /// Its end, margin included.
        until: Timestamp,
    },
    /// An invariant refused it: a bug of ours, or damage.
    #[error("invariant {invariant} refuses this: {detail}")]
    Invariant {
        /// I1 to I11.
        invariant: &'static str,
        /// What was tried.
        detail: String,
    },
    /// Some media saw a history that this catalogue does not have, or may have: it was restored from an older backup, and
    /// nothing is destroyed before they are reconciled (E-16).
    #[error("the catalogue may be older than what media hold ({0}): nothing is erased, swept or purged")]
    InDoubt(String),
    /// The catalogue cannot be reached or fails.
    #[error("the catalogue is not available: {0}")]
    Unavailable(String),
    /// The answer to a commit was lost, and nobody could be asked what became of it: it may have been done.
    #[error("the catalogue is not available: {0}")]
    Unresolved(String),
    /// The catalogue could lose what it commits, or is not ours, or has another schema. Not to be used.
    #[error("the catalogue cannot be trusted: {0}")]
    Unfit(String),
    /// What the catalogue holds contradicts itself.
    #[error("the catalogue contradicts itself: {0}")]
    Corrupt(String),
}

/// What catalogues answer.
pub type Result<T> = std::result::Result<T, CatalogueError>;

/// Why a job ended whose source was erased in a history that this catalogue does not have.
pub(crate) fn erased_since(medium: &str) -> JobError {
    JobError {
        code: "erased_since".into(),
        blame: "medium".into(),
        subject: medium.into(),
        message: format!(
            "medium {medium} was erased after the backup was made that this catalogue was restored from; nothing is left \
             for this job to do, and its old bytes cannot be restored"
        ),
        next: "nothing; layouts follow to where the bytes are when the media are reconciled".into(),
        exit: 3,
    }
}

/// Why a job ended whose source was declared dead before it was erased.
pub(crate) fn source_given_up(medium: &str) -> JobError {
    JobError {
        code: "source_given_up".into(),
        blame: "medium".into(),
        subject: medium.into(),
        message: format!(
            "medium {medium} was declared dead before this job had erased it; nothing is left for this job to do, and its \
             old bytes cannot be restored"
        ),
        next: "nothing; what this job moved is where it was moved to".into(),
        exit: 3,
    }
}

/// Why a medium cannot be given up; None: it can.
pub(crate) fn not_given_up(medium: &Medium) -> Option<String> {
    let held = matches!(medium.adm_state, AdmState::Quarantined | AdmState::Erasing);
    match (held, medium.standing) {
        (false, _) => Some(format!("it is {}, neither quarantined nor erasing", medium.adm_state)),
        (true, Standing::Level) => Some(format!("it is {} and level: a job has it", medium.adm_state)),
        (true, Standing::Ahead | Standing::Unseen) => None,
    }
}

/// Why an extent is no part of a surplus copy.
pub(crate) fn not_surplus(extent: ExtentId, why: String) -> CatalogueError {
    CatalogueError::Conflict {
        subject: format!("extent {extent}"),
        why,
    }
}

/// Refuses to forget a library while media are in it.
pub(crate) fn refuse_with_media(library: &str, media: &[String]) -> Result<()> {
    let more = match media.len() {
        0 => return Ok(()),
        1..=MEDIA_NAMED => String::new(),
        all => format!(" and {} more", all - MEDIA_NAMED),
    };
    let named = media[..media.len().min(MEDIA_NAMED)].join(", ");
    Err(CatalogueError::Conflict {
        subject: format!("library {library}"),
        why: format!("media are in it: {named}{more}"),
    })
}

/// So many media are named where a library has them.
const MEDIA_NAMED: usize = 10;

/// What a drive is called in messages and events.
pub(crate) fn drive_subject(library: &str, bay: &str) -> String {
    format!("{library}/{bay}")
}

/// The event of a drive that was just locked or unlocked.
pub(crate) fn drive_locked(drive: &KnownDrive) -> (&'static str, serde_json::Value) {
    match &drive.locked {
        Some(why) => ("drive.locked", serde_json::json!({ "why": why })),
        None => ("drive.unlocked", serde_json::json!({})),
    }
}
