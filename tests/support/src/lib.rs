//! A fresh database for every test, from one PostgreSQL for the whole run.
//!
//! `RESPOOL_TEST_DB` chooses the server: `container` is one in a container, from the image that `scripts/test-image`
//! makes, and fails where there is none; `cluster` is one private cluster; both with fsync off, shared by all tests. `auto`
//! (the default) is a container where an engine answers and the image is there, else the cluster. `url` uses the server of
//! `RESPOOL_TEST_DB_URL`. `RESPOOL_TEST_CLUSTER` names a folder for either, whose maker then also stops it; without it the
//! folder lies in the target folder, and the server is started by the first test that needs it and stops when no test
//! process has used it for a while.
//!
//! A database is dropped when its test succeeds. When the test panics it is kept and its name printed.
//!
//! [`Site`] needs none of this: it is the real program in a state folder of its own, with its own private cluster, or with
//! a catalogue at a url.
//! [`Transcript`] holds what an operator sees there against a reviewed file; [`Simulates`] says what a test that ends
//! processes or power does.

mod backend;
mod container;
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
