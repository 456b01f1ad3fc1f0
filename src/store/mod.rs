//! Objects: put, get, delete, list, and the import of what media hold. The shell between requests and catalogue,
//! scheduler and media; respoold calls it. It never decides what a repack does, and no byte is written here before the
//! catalogue has a *pending* row for it.

pub mod delete;
pub mod deleted;
pub mod foreign;
pub mod get;
pub mod import;
pub mod list;
pub mod placement;
pub mod put;

use crate::api::Problem;
use lrs::worker::DriveGone;

/// A drive's thread ended.
pub(crate) fn of_drive(error: &DriveGone, medium: impl std::fmt::Display) -> Problem {
    let medium = medium.to_string();
    let message = format!("the drive of medium {medium} is gone: {error}");
    Problem::environment("drive_gone", "drive", medium, message)
        .next("run `respool stop` and repeat the request; what was not acknowledged does not count")
}

/// Requests are served on any thread of the runtime.
#[cfg(test)]
mod tests {
    fn can_be_sent<T: Send>(_: &T) {}

    #[allow(dead_code, reason = "that it compiles is the test")]
    fn streams_can_be_served_by_any_thread(
        session: super::put::PutSession,
        results: tokio::sync::mpsc::Sender<super::put::PutResult>,
        mut get: super::get::GetStream,
    ) {
        can_be_sent(&super::put::serve(session, futures_util::stream::pending(), results));
        can_be_sent(&get.next());
    }
}
