//! Starts the private PostgreSQL again when it ended under a running respoold. What was committed is there again after
//! its recovery; requests and jobs wait for it and go on.

use dss::pg::embedded::{Durability, EmbeddedCluster, EmbeddedConfig};
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked at.
const GLANCE: Duration = Duration::from_millis(500);
/// How long to wait after a start that failed.
const PAUSE: Duration = Duration::from_secs(5);

/// Watches until respoold leaves.
pub async fn run(state_dir: PathBuf, socket_dir: PathBuf, stopping: CancellationToken) {
    let config = EmbeddedConfig {
        state_dir,
        socket_dir,
        durability: Durability::Durable,
    };
    let mut pause = GLANCE;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = GLANCE;
        if matches!(EmbeddedCluster::running(&config.state_dir).await, Ok(Some(_))) {
            continue;
        }
        if !config.state_dir.join("pg/PG_VERSION").exists() {
            // A new cluster in its place would be an empty catalogue, and in the way of the one that may come back.
            tracing::error!("PostgreSQL has ended and its folder is gone; nothing is made in its place");
            pause = PAUSE;
            continue;
        }
        tracing::warn!("PostgreSQL has ended; it is started again");
        if let Err(error) = EmbeddedCluster::open(&config).await {
            tracing::warn!(%error, "PostgreSQL could not be started; it will be tried again");
            pause = PAUSE;
        }
    }
}
