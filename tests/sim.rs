//! The simulator: real core, store, engine, directory format and tape (library, drivers, LTFS) on disks and model drives
//! that lose at a power cut what was not made durable, in one thread, from one seed. `SIM_SEED` takes another seed; a
//! failure names the instant, the crash and the seed.
//! `SIM_AGAIN=all` crashes every recovery at each of its instants, not at one.

#[path = "sim/around.rs"]
mod around;
#[path = "sim/catalogue.rs"]
mod catalogue;
#[path = "sim/chance.rs"]
mod chance;
#[path = "sim/crash.rs"]
mod crash;
#[path = "sim/disk.rs"]
mod disk;
#[path = "sim/house.rs"]
mod house;
#[path = "sim/life.rs"]
mod life;
#[path = "sim/misfits.rs"]
mod misfits;
#[path = "sim/named.rs"]
mod named;
#[path = "sim/platter.rs"]
mod platter;
#[path = "sim/random/mod.rs"]
mod random;
#[path = "sim/robot.rs"]
mod robot;
#[path = "sim/scene.rs"]
mod scene;
#[path = "sim/scenes.rs"]
mod scenes;
#[path = "sim/seed.rs"]
mod seed;
#[path = "sim/tape.rs"]
mod tape;
#[path = "sim/tapes.rs"]
mod tapes;
#[path = "sim/universe.rs"]
mod universe;
