//! From the words of a library to problems, with what to do next.

use crate::api::Problem;
use crate::api::convert::blame_word;
use lrs::ldm::Blame;
use lrs::ldm::library::{LibraryError, Trouble};

/// What helps a library that did not do what was asked.
fn library_advice(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::NotToBeHad(_) | Trouble::Unusable(_) | Trouble::Folder(_) => {
            "see to it, then run `respool library scan`; `respool library list` tells how it is"
        }
        Trouble::Changer(_) | Trouble::Arm { .. } | Trouble::OutOfReach { .. } => {
            "look into the library, free what is stuck, then run `respool library scan` and repeat"
        }
        Trouble::NoSuchBay(_) | Trouble::Unreachable { .. } => {
            "`respool drive list` shows the drives and what is wrong"
        }
        Trouble::InUse { .. } | Trouble::Occupied { .. } | Trouble::InAnotherBay { .. } => {
            "wait until it is free, or put it away with `respool tape unload`; then repeat"
        }
        Trouble::NotHere { .. } | Trouble::Twice { .. } => {
            "put it right, then run `respool library scan`; `respool tape list` shows the cartridges"
        }
        Trouble::Cleaning(_) | Trouble::WrongGeneration { .. } | Trouble::Unfit { .. } => {
            "choose another cartridge; nothing was touched"
        }
        Trouble::NoRoom { .. } => "take a cartridge out of the library, then repeat",
        Trouble::AnotherCartridge { .. } => "make sure of the labels, then run `respool library scan`",
        Trouble::Drive { .. } => {
            "`respool drive status` tells what the drive has to say; try the cartridge in another one"
        }
        Trouble::Refused(_) => "correct this, then repeat; nothing was touched",
        Trouble::Media(_) => "",
    }
}

impl From<LibraryError> for Problem {
    fn from(error: LibraryError) -> Self {
        let (message, next) = (error.to_string(), library_advice(&error.trouble));
        let problem = match (error.blame(), error.trouble) {
            (_, Trouble::Media(error)) => return error.into(),
            (Blame::Operator, _) => Self::refused("library_refused", error.library, message),
            (blame, _) => Self::environment("library_unavailable", blame_word(blame), error.library, message),
        };
        problem.next(next)
    }
}
