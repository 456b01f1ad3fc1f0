//! A fresh database for every test, from one PostgreSQL for the whole run.
//!
//! `RESPOOL_TEST_DB` chooses the server: `auto` (the default) and `cluster` share one private cluster with fsync off;
//! `url` uses the server of `RESPOOL_TEST_DB_URL`; `container` is refused in this build. `RESPOOL_TEST_CLUSTER` names a
//! folder for the cluster, whose maker then also stops it; without it the cluster lives in the target folder, is
//! started by the first test that needs it, and stops when no test process has used it for a while.
//!
//! A database is dropped when its test succeeds. When the test panics it is kept and its name printed.
//!
//! [`Site`] needs none of this: it is the real program in a state folder of its own, with its own private cluster, or with
//! a catalogue at a url.
//! [`Transcript`] holds what an operator sees there against a reviewed file; [`Simulates`] says what a test that ends
//! processes or power does.

mod backend;
mod database;
pub mod house;
mod mount;
mod simulates;
pub mod site;
mod template;
mod transcript;

pub use backend::TestCluster;
pub use database::TestDatabase;
pub use mount::Mount;
pub use simulates::Simulates;
pub use site::Site;
pub use transcript::Transcript;

/// A new database with the current schema, on the server of this run. Panics with the reason when there is none.
pub async fn fresh_database() -> TestDatabase {
    TestCluster::get().await.fresh_database().await
}
