//! Objects through store, scheduler and drives' threads, with a catalogue and media in memory.

#[path = "store/get.rs"]
mod get;
#[path = "store/put.rs"]
mod put;
#[path = "store/volume.rs"]
mod volume;
#[path = "store/world.rs"]
mod world;
