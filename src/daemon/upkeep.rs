//! What respoold does by itself, beside requests and jobs: ends quarantines, sweeps orphans, purges versions whose
//! undelete window is over, seals the event log, raises the clock's high-water mark, and leaves when nobody needs it.

use super::runner::Runner;
use super::server::Daemon;
use crate::api::Problem;
use crate::engine;
use crate::host::Host;
use jiff::SignedDuration;
use std::sync::Arc;
use std::time::Duration;

/// How often quarantines, windows and the clock are looked at.
const ROUND: Duration = Duration::from_secs(5);
/// Sweeping touches media; nobody waits for it.
const SWEEP: Duration = Duration::from_secs(60);
/// Versions and events of one transaction.
const BATCH: u32 = 1_000;

/// Runs until respoold leaves.
pub async fn run(host: Arc<Host>, jobs: Runner) {
    loop {
        if let Err(problem) = round(&host, &jobs).await {
            tracing::warn!(%problem, "upkeep will be tried again");
        }
        tokio::select! {
            biased;
            () = host.stopping.cancelled() => return,
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}

/// Sweeps until respoold leaves. A task of its own: a medium that is busy for hours must not keep quarantines from ending
/// and events from being sealed. Holds end by age, so nothing is swept while the clock is in doubt.
pub async fn sweep(host: Arc<Host>) {
    loop {
        tokio::select! {
            biased;
            () = host.stopping.cancelled() => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
        let swept = async {
            engine::recognise_unseen(&host).await?;
            host.may_destroy_by_age().await?;
            engine::sweep(&host).await
        };
        match swept.await {
            Ok(done) if done.removed > 0 => tracing::info!(removed = done.removed, "orphans were swept"),
            Ok(_) => {}
            Err(problem) => tracing::warn!(%problem, "the sweep will be tried again"),
        }
    }
}

async fn round(host: &Arc<Host>, jobs: &Runner) -> Result<(), Problem> {
    while host.catalogue.seal_events(BATCH).await? == u64::from(BATCH) {}
    for job in engine::reclaim_due(host).await? {
        jobs.start(job);
    }
    let now = host.clock.now();
    if host.may_destroy().await.is_err() {
        // Told to whoever asks, and by `check`; every five seconds is not for the log.
        return Ok(());
    }
    host.may_destroy_by_age().await?;
    let window = SignedDuration::try_from(host.config.store.undelete_window).unwrap_or(SignedDuration::MAX);
    if let Ok(before) = now.checked_sub(window) {
        while host.catalogue.purge(before, BATCH, now).await? == u64::from(BATCH) {}
    }
    Ok(())
}

/// Asks respoold to leave when nobody used it for as long as is configured.
pub async fn leave_when_idle(daemon: Arc<Daemon>) {
    let limit = daemon.host.config.daemon.idle_exit;
    if limit.is_zero() {
        return;
    }
    while !daemon.stopping.is_cancelled() {
        if daemon.activity.idle_for() >= limit {
            tracing::info!("nobody needs this respoold; it leaves");
            daemon.stopping.cancel();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
