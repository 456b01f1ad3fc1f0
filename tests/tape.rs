//! Tape as an operator meets it: the real programs, a private PostgreSQL, and a library of model drives below the SCSI
//! commands. Every test ends with the catalogue, the tapes and every object's bytes as they must be; the tapes are also
//! checked by a program that shares no code with respool, where the fixtures that it comes with are here.

#[path = "tape/archives.rs"]
mod archives;
#[path = "tape/basics.rs"]
mod basics;
#[path = "tape/drives.rs"]
mod drives;
#[path = "tape/faults.rs"]
mod faults;
#[path = "tape/formats.rs"]
mod formats;
#[path = "tape/house.rs"]
mod house;
#[path = "tape/import.rs"]
mod import;
#[path = "tape/indexes.rs"]
mod indexes;
#[path = "tape/killed.rs"]
mod killed;
#[path = "tape/misfits.rs"]
mod misfits;
#[path = "tape/names.rs"]
mod names;
#[path = "tape/scheduling.rs"]
mod scheduling;
#[path = "tape/targets.rs"]
mod targets;
#[path = "tape/texts.rs"]
mod texts;
