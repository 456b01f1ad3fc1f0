//! Objects through store, scheduler and drives' threads, with a catalogue in memory. Media are in memory, too, where they
//! have to fail, else directories.

#[path = "store/get.rs"]
mod get;
#[path = "store/import.rs"]
mod import;
#[path = "store/misfits.rs"]
mod misfits;
#[path = "store/put.rs"]
mod put;
#[path = "store/volume.rs"]
mod volume;
#[path = "store/world.rs"]
mod world;
