//! The simulator: real core, store, engine and directory format on disks that lose at a power cut what was not made
//! durable, one seed. `SIM_SEED` takes another seed; a failure names the boundary, the call and the seed.

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
#[path = "sim/life.rs"]
mod life;
#[path = "sim/platter.rs"]
mod platter;
#[path = "sim/seed.rs"]
mod seed;
#[path = "sim/universe.rs"]
mod universe;
