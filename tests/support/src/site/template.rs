//! Making a catalogue costs seconds, copying one does not: the folder that sites begin with.

use super::{QUICK, Site};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A state folder with a catalogue for drills, stopped: made once for a build of the programs, then copied.
pub(super) fn template(respool: &Path) -> PathBuf {
    let built = respool
        .with_file_name("respoold")
        .metadata()
        .expect("respoold lies beside respool");
    let folder = respool.with_file_name("site-templates");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let lock = File::create(folder.join("lock")).expect("the target folder can be written");
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).expect("a lock is waited for");
    let template = folder.join(format!("{}-{}", built.mtime(), built.mtime_nsec()));
    if template.exists() {
        return template;
    }
    for old in fs::read_dir(&folder)
        .expect("just made")
        .flatten()
        .filter(|old| old.path().is_dir())
    {
        fs::remove_dir_all(old.path()).expect("nobody copies under the lock");
    }
    let site = Site::bare(respool, QUICK);
    site.ok(&["init", "--testing"]);
    site.stop();
    for own in ["sockets", "respoold.pid", "respoold.lock", "respoold.log"] {
        // What is not there need not go.
        let _ = fs::remove_file(site.state().join(own));
    }
    let copied = Command::new("cp").arg("-a").arg(site.state()).arg(&template).status();
    assert!(copied.is_ok_and(|status| status.success()), "the template was not kept");
    template
}
