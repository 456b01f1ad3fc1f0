//! A medium that failed a put: what is noted about it, and what the client is told.

use super::targets::Target;
use crate::api::Problem;
use crate::host::Host;
use dss::catalogue::MediumChange;
use dss::model::{FsState, Presence};
use lrs::ldm::{Fault, MediaError, MediaResult};
use lrs::service::Reported;
use lrs::worker::DriveGone;

/// Why a target takes no more of this window.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// It has no room for the next bytes. What it took before is good.
    Full,
    /// It failed: what it took since its last good sync is void.
    Media(MediaError),
    /// Its drive is gone.
    Drive(String),
}

impl Trouble {
    /// From an answer of a drive's thread.
    pub fn of<T>(answer: Result<MediaResult<T>, DriveGone>) -> Result<T, Self> {
        match answer {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) if error.fault == Fault::NoSpace => Err(Self::Full),
            Ok(Err(error)) => Err(Self::Media(error)),
            Err(gone) => Err(Self::Drive(gone.to_string())),
        }
    }

    /// Whether what the medium took before still counts.
    pub fn spares_the_window(&self) -> bool {
        match self {
            Self::Full => true,
            Self::Media(error) => error.fault.is_of_extent(),
            Self::Drive(_) => false,
        }
    }

    /// Whether this host ran out of file handles or memory: any other medium would fail in the same way.
    pub fn is_of_host(&self) -> bool {
        match self {
            Self::Media(error) => error.fault.is_of_host(),
            Self::Full | Self::Drive(_) => false,
        }
    }

    /// What happened, without what it meant for the window.
    pub fn why(&self) -> String {
        match self {
            Self::Full => "no room is left".to_owned(),
            Self::Media(error) => error.to_string(),
            Self::Drive(why) => format!("its drive is gone ({why})"),
        }
    }

    /// What the client is told.
    pub fn problem(&self, target: &Target) -> Problem {
        let medium = &target.name;
        match self {
            Self::Full => Problem::environment(
                "no_space",
                "medium",
                medium,
                format!("medium {medium} became full; it is marked full, and nothing of this object counts"),
            )
            .next("repeat the put: another medium is chosen"),
            Self::Media(error) if self.is_of_host() => Problem::environment(
                "host_exhausted",
                crate::api::convert::blame_word(error.blame()),
                medium,
                format!("{error}; what was sent since its last good sync is void, and nothing of it is visible"),
            )
            .next(crate::api::convert::HOST_ADVICE),
            Self::Media(error) => Problem::environment(
                "put_void",
                crate::api::convert::blame_word(error.blame()),
                medium,
                format!("{error}; what was sent since its last good sync is void, and nothing of it is visible"),
            )
            .next(format!(
                "see to medium {medium}, and repeat the put: another medium is chosen"
            )),
            Self::Drive(why) => Problem::environment(
                "drive_gone",
                "drive",
                medium,
                format!("the drive of medium {medium} is gone ({why}); what it was sent since its last sync is void"),
            )
            .next("run `respool stop` and repeat the put"),
        }
    }

    /// Notes it in the catalogue, so that the next allocation goes elsewhere. The put has failed or goes on elsewhere
    /// whether or not this succeeds.
    pub async fn note(&self, host: &Host, target: &Target) {
        let now = host.clock.now();
        let change = match self {
            Self::Full => MediumChange {
                fs_state: Some(FsState::Full),
                why: "a put came to its end".to_owned(),
                ..MediumChange::default()
            },
            Self::Media(error) if self.is_of_host() || error.fault.is_of_extent() => return,
            // Whoever met what broke the mount has told of that.
            Self::Media(error) if error.fault == Fault::NeedsReopen => return,
            Self::Media(error) => match error.fault {
                // Not the medium's fault: it is simply not there.
                Fault::WrongMedium { .. } | Fault::Unlabelled(_) => MediumChange {
                    presence: Some(Presence::Missing),
                    why: error.to_string(),
                    ..MediumChange::default()
                },
                Fault::Io(_)
                | Fault::Drive(_)
                | Fault::Short { .. }
                | Fault::NoSpace
                | Fault::Absent
                | Fault::Damaged(_)
                | Fault::NeedsReopen
                | Fault::NotThisExtent(_)
                | Fault::Miswritten
                | Fault::ErasedSince { .. }
                | Fault::Unfit(_)
                | Fault::Unrepresentable(_) => {
                    // The catalogue knows of a medium that is to blame; where its drive is, the medium is not.
                    match host.lrs.report(target.grant.medium, error).await {
                        Reported::Medium(_) | Reported::Drive(_) => return,
                        Reported::Counted | Reported::NoEvidence => {}
                    }
                    let noted = host
                        .catalogue
                        .suspect(target.grant.medium, &error.to_string(), now)
                        .await;
                    return tell(noted, target);
                }
            },
            Self::Drive(_) => return,
        };
        tell(
            host.catalogue.change_medium(target.grant.medium, change, now).await,
            target,
        );
    }
}

fn tell<T>(noted: dss::catalogue::Result<T>, target: &Target) {
    if let Err(error) = noted {
        tracing::warn!(medium = %target.name, %error, "what a put found out about this medium could not be noted");
    }
}
