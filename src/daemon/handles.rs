//! How many files respoold may have open. A put keeps every file open that it finished since the last sync, hundreds on
//! each medium, and a login shell commonly allows 1,024: the kernel's own limit for this user is asked for instead.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. That it fails is told and no reason not to start; whoever meets the limit is
/// told again, by the command that failed.
pub fn raise() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        Ok((soft, hard))
    });
    match raised {
        Ok((before, now)) => tracing::info!(before, now, "respoold may have so many file handles"),
        Err(error) => tracing::warn!(%error, "the limit of file handles stays as it is"),
    }
}
