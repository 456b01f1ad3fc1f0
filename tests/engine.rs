//! The engine on real directories, over the catalogue in memory: repack, read-back, quarantine, restore, reclaim.

#[path = "engine/choosy.rs"]
mod choosy;
#[path = "engine/ends.rs"]
mod ends;
#[path = "engine/misfits.rs"]
mod misfits;
#[path = "engine/names.rs"]
mod names;
#[path = "engine/overlap.rs"]
mod overlap;
#[path = "engine/read_back.rs"]
mod read_back;
#[path = "engine/repack.rs"]
mod repack;
#[path = "engine/restore.rs"]
mod restore;
#[path = "engine/rig.rs"]
mod rig;
#[path = "engine/safety.rs"]
mod safety;
#[path = "engine/turns.rs"]
mod turns;
#[path = "engine/waiting.rs"]
mod waiting;
