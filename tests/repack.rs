//! Repack as an operator meets it: the real programs, a private PostgreSQL, directories as media, disasters rehearsed.
//! Every test ends with the catalogue, the files and every object's bytes as they must be.

#[path = "repack/again.rs"]
mod again;
#[path = "repack/basics.rs"]
mod basics;
#[path = "repack/bugs.rs"]
mod bugs;
#[path = "repack/cost.rs"]
mod cost;
#[path = "repack/damage.rs"]
mod damage;
#[path = "repack/docks.rs"]
mod docks;
#[path = "repack/erasing.rs"]
mod erasing;
#[path = "repack/faults.rs"]
mod faults;
#[path = "repack/gets.rs"]
mod gets;
#[path = "repack/holding.rs"]
mod holding;
#[path = "repack/house.rs"]
mod house;
#[path = "repack/killed.rs"]
mod killed;
#[path = "repack/lost.rs"]
mod lost;
#[path = "repack/older.rs"]
mod older;
#[path = "repack/orders.rs"]
mod orders;
#[path = "repack/places.rs"]
mod places;
#[path = "repack/racing.rs"]
mod racing;
#[path = "repack/room.rs"]
mod room;
#[path = "repack/seen.rs"]
mod seen;
#[path = "repack/silent.rs"]
mod silent;
#[path = "repack/staged.rs"]
mod staged;
#[path = "repack/stopping.rs"]
mod stopping;
#[path = "repack/substitute.rs"]
mod substitute;
#[path = "repack/swaps.rs"]
mod swaps;
#[path = "repack/takeover.rs"]
mod takeover;
#[path = "repack/wire.rs"]
mod wire;
