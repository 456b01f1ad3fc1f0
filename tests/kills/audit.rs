//! The proof between kills and at the end: nobody works, and everything is as the ledger says.

use super::clients::Shared;
use super::house::files_and_rows_agree;
use super::plan::Between;
use super::talk::Talk;
use respool_test_support::Site;
use respool_test_support::site::holds_within;
use std::collections::BTreeSet;
use std::time::Duration;

/// The undelete window, a purge, and a sweep of each medium.
const SWEPT_WITHIN: Duration = Duration::from_secs(300);

/// `check` has nothing to say, nothing is pending, files and rows agree, every object is what it was acknowledged to be
/// and no other exists. The caller holds the clients off; no job is at work.
pub fn audit(shared: &Shared<'_>, talk: &Talk) {
    let site = shared.site;
    let report = site.ok(&["check"]);
    assert_eq!(report["ok"], true, "{report:#}");
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(0), "{report:#}");
    let pending = site.extents(&["--state", "pending"]);
    assert!(pending.is_empty(), "leaked: {pending:#?}");
    files_and_rows_agree(site);
    for oid in shared.ledger.names() {
        assert!(shared.look(talk, &oid), "{oid} is not to be had");
    }
    shared.require_no_failure();
    let listed = site.ok(&["object", "list"]);
    let listed: BTreeSet<&str> = listed["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["oid"].as_str().unwrap())
        .collect();
    let live = shared.ledger.live();
    assert_eq!(
        listed,
        live.iter().map(String::as_str).collect(),
        "these objects and no other"
    );
}

/// At the very end: what nobody references any more is gone from the disks and from the catalogue. A tape regains nothing
/// before it is erased whole.
pub fn nothing_is_left(site: &Site, between: Between) {
    let files = |name: &str| site.files(name).len();
    let disks: &[&str] = match between {
        Between::Disks => &["a", "b", "c"],
        Between::Tapes => &["c"],
    };
    for medium in disks.iter().copied() {
        let orphans = || site.extents(&["--medium", medium, "--state", "orphan"]);
        assert!(
            holds_within(SWEPT_WITHIN, || orphans().is_empty()),
            "after {SWEPT_WITHIN:?} these of {medium} are not swept: {:#?}\nmedia: {:#}\njobs: {:#}\ncheck: {:#}",
            orphans(),
            site.ok(&["medium", "list"]),
            site.ok(&["job", "list"]),
            site.run(&["check"]).json,
        );
        let rows = site.extents(&["--medium", medium]).len();
        assert_eq!(files(medium), rows, "{medium}: as many files as rows");
    }
    files_and_rows_agree(site);
}
