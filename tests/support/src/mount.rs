//! File systems that fill up or become read-only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system of its own. Only root may mount.
#[derive(Debug)]
pub struct Mount(PathBuf);

impl Mount {
    /// Makes the folder, and mounts one of this size there. None, and a word about it, for whoever is not root.
    pub fn new(place: &Path, size: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            println!("not run: only root can mount a file system for this");
            return None;
        }
        fs::create_dir(place).expect("the name is new");
        mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], place);
        Some(Self(place.to_owned()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Mounts it again, `ro` or `rw`.
    pub fn again(&self, how: &str) {
        mount(&["-o", &format!("remount,{how}")], &self.0);
    }
}

fn mount(how: &[&str], place: &Path) {
    let mounted = Command::new("mount")
        .args(how)
        .arg(place)
        .output()
        .expect("there is mount");
    assert!(mounted.status.success(), "{mounted:?}");
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: respoold may still be there when a test fails.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
