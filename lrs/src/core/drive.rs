//! What a drive can be doing, and which step leads where. The scheduler alone calls this; device work follows from its
//! effects and never precedes them.

use dss::model::{Family, Medium, MediumId};
use std::fmt;
use std::time::Duration;

/// Which drive. A directory without a dock has one of its own; a dock holds one mounted disk at a time; a library has
/// drives in bays, and a tape may be in any of them that takes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriveId {
    /// A dock, by its name.
    Dock(String),
    /// The drive that one directory has for itself.
    Own(MediumId),
    /// A drive of a library.
    Bay {
        /// The library, by its name.
        library: String,
        /// The bay, by its name in that library.
        bay: String,
    },
}

impl DriveId {
    /// The only drive that ever serves a medium; None for a tape, which any drive of its library may take.
    pub fn fixed(medium: &Medium) -> Option<Self> {
        match (medium.family, &medium.location.dock) {
            (Family::Tape, _) => None,
            (Family::Dir, Some(dock)) => Some(Self::Dock(dock.clone())),
            (Family::Dir, None) => Some(Self::Own(medium.id)),
        }
    }

    /// The library that it is a drive of.
    pub fn library(&self) -> Option<&str> {
        match self {
            Self::Bay { library, .. } => Some(library),
            Self::Dock(_) | Self::Own(_) => None,
        }
    }
}

impl fmt::Display for DriveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dock(name) => write!(f, "dock {name}"),
            Self::Own(medium) => write!(f, "drive of {medium}"),
            Self::Bay { library, bay } => write!(f, "drive {bay} of library {library}"),
        }
    }
}

/// A drive's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Drive {
    /// Nothing is in it.
    #[default]
    Empty,
    /// A medium is being loaded and mounted.
    Loading {
        /// Which.
        medium: MediumId,
    },
    /// A medium is mounted.
    Loaded {
        /// Which.
        medium: MediumId,
        /// Since when nobody uses it; None while somebody does.
        idle_since: Option<Duration>,
    },
    /// A medium is being unmounted and unloaded.
    Unloading {
        /// Which.
        medium: MediumId,
    },
    /// It panicked or broke. Only a restart makes it usable again.
    Failed {
        /// What happened.
        why: String,
    },
}

/// What happens to a drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriveStep {
    /// It is told to load a medium.
    Load(MediumId),
    /// The medium is mounted.
    Loaded(MediumId),
    /// The medium could not be mounted, or is no longer.
    LoadFailed(MediumId),
    /// It is told to unload what it holds.
    Unload,
    /// It is empty.
    Unloaded,
    /// It is not to be used any more.
    Broke(String),
}

impl Drive {
    /// The state after a step; None when the step cannot happen in this state (an answer that came too late).
    pub fn after(&self, step: DriveStep) -> Option<Self> {
        match (self, step) {
            (Self::Empty, DriveStep::Load(medium)) => Some(Self::Loading { medium }),
            (Self::Loading { medium }, DriveStep::Loaded(which)) if *medium == which => Some(Self::Loaded {
                medium: which,
                idle_since: None,
            }),
            (Self::Loading { medium } | Self::Loaded { medium, .. }, DriveStep::LoadFailed(which))
                if *medium == which =>
            {
                Some(Self::Empty)
            }
            (Self::Loaded { medium, .. }, DriveStep::Unload) => Some(Self::Unloading { medium: *medium }),
            (Self::Unloading { .. }, DriveStep::Unloaded) => Some(Self::Empty),
            (
                Self::Empty | Self::Loading { .. } | Self::Loaded { .. } | Self::Unloading { .. },
                DriveStep::Broke(why),
            ) => Some(Self::Failed { why }),
            (
                Self::Empty | Self::Loading { .. } | Self::Loaded { .. } | Self::Unloading { .. } | Self::Failed { .. },
                _,
            ) => None,
        }
    }

    /// The medium that is in it or on its way in or out.
    pub fn medium(&self) -> Option<MediumId> {
        match self {
            Self::Loading { medium } | Self::Loaded { medium, .. } | Self::Unloading { medium } => Some(*medium),
            Self::Empty | Self::Failed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole table: a row per state, a column per step; `-` where the step cannot happen.
    #[test]
    fn every_state_answers_every_step_as_the_table_says() {
        let medium = MediumId::fresh();
        let states = [
            Drive::Empty,
            Drive::Loading { medium },
            Drive::Loaded {
                medium,
                idle_since: None,
            },
            Drive::Unloading { medium },
            Drive::Failed { why: "x".into() },
        ];
        let steps = [
            DriveStep::Load(medium),
            DriveStep::Loaded(medium),
            DriveStep::LoadFailed(medium),
            DriveStep::Unload,
            DriveStep::Unloaded,
            DriveStep::Broke("x".into()),
        ];
        let table: Vec<String> = states
            .iter()
            .map(|state| {
                steps
                    .iter()
                    .map(|step| match state.after(step.clone()) {
                        None => "-",
                        Some(Drive::Empty) => "E",
                        Some(Drive::Loading { .. }) => "L",
                        Some(Drive::Loaded { .. }) => "M",
                        Some(Drive::Unloading { .. }) => "U",
                        Some(Drive::Failed { .. }) => "F",
                    })
                    .collect()
            })
            .collect();
        assert_eq!(table, ["L----F", "-ME--F", "--EU-F", "----EF", "------"]);
    }

    #[test]
    fn an_answer_about_another_medium_changes_nothing() {
        let drive = Drive::Loading {
            medium: MediumId::fresh(),
        };
        assert_eq!(drive.after(DriveStep::Loaded(MediumId::fresh())), None);
        assert_eq!(drive.after(DriveStep::LoadFailed(MediumId::fresh())), None);
    }
}
