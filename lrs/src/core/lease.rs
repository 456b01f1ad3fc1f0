//! Where the lease on a medium stands. It is asked for before every mount: a mount made before the lease was ours may
//! show an index that somebody else has written since, so such a mount may be read and never written.

use dss::model::Epoch;

/// The lease on one medium.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LeaseState {
    /// Not ours, not asked for.
    #[default]
    None,
    /// Asked for.
    Asked,
    /// Ours.
    Held(Epoch),
    /// Refused; the medium may be mounted for reading only.
    Refused(String),
}

impl LeaseState {
    /// The epoch, while it is ours.
    pub fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::Held(epoch) => Some(*epoch),
            Self::None | Self::Asked | Self::Refused(_) => None,
        }
    }
}
