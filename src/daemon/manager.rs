//! What respoold tells a service manager that waits for it (`NOTIFY_SOCKET`, `WATCHDOG_USEC`): that requests are taken,
//! that it leaves, and that it is alive. Without one, nothing. Decides nothing: what cannot be told changes nothing here,
//! and is the manager's to find out.

use sd_notify::NotifyState;
use std::time::Duration;

/// Requests are taken.
pub fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("takes requests")]);
}

/// Jobs come to an extent boundary, then the database to a checkpoint.
pub fn stopping() {
    tell(&[
        NotifyState::Stopping,
        NotifyState::Status("stops jobs at their next extent, then PostgreSQL"),
    ]);
}

/// Says that respoold lives, three times within the time after which the manager gives it up. It shows that tasks get
/// their turn. A disk or a database that does not answer is no reason to kill respoold: nothing that waits for one keeps
/// this from being told, and both are told of where they are asked for.
pub async fn signs_of_life() {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut beat = tokio::time::interval((limit / 3).max(Duration::from_millis(1)));
    loop {
        beat.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(what: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(what) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
