//! The kill harness: the real programs and the real private PostgreSQL, killed again and again while a repack of 3,000
//! extents goes back and forth between two media and clients put, overwrite, delete and read.
//!
//! `KILLS_RESPOOL`, `KILLS_PG` and `KILLS_BOTH` say how many kills of each kind (6, 3 and 1 unless told otherwise),
//! `KILLS_SEED` which. With [`plan::MUST_COVER`] kills of respoold or more, every step of `respool drill steps` must be
//! hit [`plan::HITS`] times. `KILLS_BETWEEN=tapes` has the repack go between two tapes in a library of model drives.
//!
//! What is simulated: a process killed with SIGKILL. The kernel keeps what such a process wrote, synced or not; what a
//! power cut takes away is simulated in `tests/sim`.

#[path = "kills/audit.rs"]
mod audit;
#[path = "kills/clients.rs"]
mod clients;
#[path = "kills/director.rs"]
mod director;
#[allow(dead_code, reason = "shared with tests/repack, which uses more of it")]
#[path = "repack/house.rs"]
mod house;
#[path = "kills/ledger.rs"]
mod ledger;
#[path = "kills/plan.rs"]
mod plan;
#[path = "kills/postgres.rs"]
mod postgres;
#[path = "kills/stage.rs"]
mod stage;
#[path = "kills/talk.rs"]
mod talk;
#[path = "kills/tally.rs"]
mod tally;

#[test]
fn e07_x11_killed_at_any_instant_and_in_every_step_it_loses_nothing() {
    let orders = plan::Orders::from_environment();
    println!("{orders}");
    println!("simulated here: processes killed with SIGKILL. That is no power cut: the kernel keeps what was written.");
    director::run(&orders);
}
