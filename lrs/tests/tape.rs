//! The tape family: the conformance suite over a drive of folders and over the driver of real drives, what is special to
//! tapes, and rehearsed disasters.

#[macro_use]
#[path = "volume/mod.rs"]
mod volume;

#[path = "tape/archives.rs"]
mod archives;
#[path = "tape/disasters.rs"]
mod disasters;
// Shared with the tests of LTFS itself, which look at more of it.
#[allow(dead_code)]
#[path = "ltfs/folder_drive.rs"]
mod folder_drive;
#[path = "tape/format.rs"]
mod format;
#[path = "tape/hostile.rs"]
mod hostile;
#[path = "tape/library.rs"]
mod library;
#[path = "tape/overtaken.rs"]
mod overtaken;
#[path = "tape/paths.rs"]
mod paths;
#[path = "tape/rigged.rs"]
mod rigged;
#[path = "tape/unreadable.rs"]
mod unreadable;

mod on_folders {
    volume_conformance!(crate::rigged::Reel::new());
}

mod in_a_library {
    volume_conformance!(crate::library::Slots::new());
}
