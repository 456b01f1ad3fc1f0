//! LTFS volumes: the fixtures that the reference wrote, volumes that are written here and judged by a checker of no common
//! code, and bytes that nobody wrote. In `model` the same over the driver of real drives, on a library of model drives.

#[path = "support/clock.rs"]
mod clock;
#[path = "ltfs/decoders.rs"]
mod decoders;
#[path = "ltfs/defects.rs"]
mod defects;
#[path = "support/fixtures.rs"]
mod fixtures;
#[path = "ltfs/folder_drive.rs"]
mod folder_drive;
#[path = "ltfs/foreign/mod.rs"]
mod foreign;
#[path = "ltfs/fuzz.rs"]
mod fuzz;
#[path = "ltfs/model/mod.rs"]
mod model;
#[path = "ltfs/reading.rs"]
mod reading;
#[path = "ltfs/recovering.rs"]
mod recovering;
#[path = "support/spoil.rs"]
mod spoil;
#[path = "ltfs/writing.rs"]
mod writing;
