//! A volume that was not left clean is brought back by a commit, and nothing of the tree that counts is lost.

use crate::fixtures::{Fixture, each, folder};
use crate::folder_drive::FolderDrive;
use crate::reading::{damage, tree};
use crate::writing::{judged, judged_with, session, what};
use lrs::ldm::drive::Drive;
use lrs::ldm::fs::ltfs::Code;
use lrs::ldm::fs::ltfs::index::{File, Location};
use lrs::ldm::fs::ltfs::volume::{Contents, Known, State, check, commit, mount};
use std::path::Path;

/// Ignores the bytes.
struct Whatever;

impl Known for Whatever {
    fn begin(&mut self, _path: &str, _file: &File) {}
    fn bytes(&mut self, _bytes: &[u8]) {}
    fn end(&mut self) -> Option<String> {
        None
    }
}

/// A commit brings a volume that was not left clean back, and loses nothing of the tree that counts. The cartridge lies in
/// a drive that is opened twice.
pub fn recovered<D: Drive>(fixture: &Fixture, cartridge: &Path, open: impl Fn() -> D) {
    let mut drive = open();
    let mut mounted = mount(&mut drive).unwrap();
    let (before, end) = (tree(&mounted), mounted.data.end);
    let highest = mounted.tree.head.generation;
    let done = commit(&mut drive, &mut mounted, &what(end)).unwrap();
    assert!(done.generation > highest);
    let expected = Location {
        partition: mounted.labels.label.data,
        block: end + 1,
    };
    assert_eq!(done.on_data, expected, "behind everything, a tail included");
    drop(drive);
    let mut drive = open();
    let mut again = mount(&mut drive).unwrap();
    assert_eq!((again.state, tree(&again)), (State::Clean, before));
    let findings = check(&mut drive, &again, Contents::Read(&mut Whatever)).unwrap();
    assert!(
        findings.iter().all(|finding| finding.code == Code::Unreadable),
        "{findings:?}"
    );
    let Some(folder) = folder() else { return };
    let manifest = folder.join(format!("{}.json", fixture.name()));
    if damage(fixture).is_none_or(|kind| kind.starts_with("badxml")) {
        judged_with(cartridge, &["--all-times", "--manifest", manifest.to_str().unwrap()]);
        session(&mut drive, &mut again, "appended by us", &[1, 100_000, 7]);
        judged(cartridge);
    }
}

#[test]
fn every_fixture_is_recovered_by_a_commit_and_appended_to() {
    each(|fixture| recovered(fixture, &fixture.cartridge, || FolderDrive::open(&fixture.cartridge)));
}
