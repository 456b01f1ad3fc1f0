//! respool and a PostgreSQL on a host of its own: `[catalogue] url` names a container, to which every test does what
//! happens to hosts. Whatever it is, nothing is lost, whoever asks meanwhile gets exit 3 and the reason, and afterwards
//! the work goes on to its end.
//!
//! These tests need a Docker engine and the image of `scripts/test-image`, and are ignored unless they are asked for:
//! `scripts/check` does where both are there, and counts them as not run where they are not. By hand it is
//! `cargo test --workspace --no-run`, then `cargo test --workspace --test containers -- --ignored`.

mod away;
mod full;
mod scene;
mod server;
#[path = "../repack/swaps.rs"]
mod swaps;
