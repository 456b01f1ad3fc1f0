//! Why a window is void: the target, its drive, its room or this host.

use crate::mover::{Failure, ReadFailure, SyncFailure};
use lrs::ldm::{Fault, MediaError};

/// Why a window is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Because {
    /// The target had no room for what it had taken: no fault of its own.
    Full,
    /// It failed.
    Failed,
    /// This host ran out of file handles or memory: no fault of the target's, and no other one would do better.
    Host,
    /// Its drive is gone, or our lease on it ended while the catalogue did not answer: nobody asked the target.
    Drive,
}

/// What this host could not do, whatever the medium.
pub(super) fn of_host(failure: &Failure) -> Option<&MediaError> {
    match failure {
        Failure::Target(error) | Failure::Source(ReadFailure::Media(error)) => {
            error.fault.is_of_host().then_some(error)
        }
        Failure::NoRoom | Failure::TargetDrive(_) | Failure::Source(_) => None,
    }
}

impl Because {
    pub(super) fn of_ending(failure: &Failure) -> Self {
        match failure {
            Failure::NoRoom => Self::Full,
            Failure::Target(error) if error.fault == Fault::NoSpace => Self::Full,
            Failure::Target(error) if error.fault.is_of_host() => Self::Host,
            Failure::TargetDrive(_) => Self::Drive,
            Failure::Target(_) | Failure::Source(_) => Self::Failed,
        }
    }

    pub(super) fn of_sync(failure: &SyncFailure) -> Self {
        match failure {
            SyncFailure::Media(error) if error.fault.is_of_host() => Self::Host,
            failure if failure.is_full() => Self::Full,
            SyncFailure::Drive(_) => Self::Drive,
            SyncFailure::Media(_) | SyncFailure::Evidence(_) => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lrs::ldm::Op;
    use lrs::worker::DriveGone;
    use nix::errno::Errno;

    fn lease_ended() -> DriveGone {
        DriveGone::LeaseEnded { drive: "drv0".into() }
    }

    /// I7: what a target did not do because its lease had ended, while the catalogue was away, says nothing about it.
    #[test]
    fn i7_a_lease_that_ended_does_not_speak_against_the_target() {
        assert_eq!(Because::of_sync(&SyncFailure::Drive(lease_ended())), Because::Drive);
        assert_eq!(Because::of_ending(&Failure::TargetDrive(lease_ended())), Because::Drive);
        let error = |errno| MediaError {
            op: Op::Sync,
            medium: "b".into(),
            at: None,
            fault: Fault::Io(errno),
        };
        assert_eq!(
            Because::of_sync(&SyncFailure::Media(error(Errno::EIO))),
            Because::Failed
        );
        assert_eq!(
            Because::of_sync(&SyncFailure::Media(error(Errno::EMFILE))),
            Because::Host
        );
        assert_eq!(Because::of_ending(&Failure::Target(error(Errno::EIO))), Because::Failed);
    }
}
