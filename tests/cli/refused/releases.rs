//! Copies that are not given up, because too little would be left.

use super::{Refusals, site};
use respool_test_support::Site;

/// The extent of an object on a medium.
fn extent(site: &Site, oid: &str, medium: &str) -> String {
    let rows = site.extents(&["--oid", oid, "--medium", medium]);
    rows[0]["id"].as_str().unwrap().to_owned()
}

/// I10, as the operator sees it.
#[test]
fn a_copy_is_not_given_up_while_no_other_can_be_relied_on() {
    let site = site(&["a", "b", "c"]);
    for disk in ["a", "b"] {
        site.ok(&["medium", "set", disk, "tags=twice"]);
    }
    site.put("two", b"bytes", &["--copies", "2", "--tags", "twice"]);
    site.put_on("c", "single", b"bytes");
    let (first, second) = (extent(&site, "two", "a"), extent(&site, "two", "b"));
    let single = extent(&site, "single", "c");
    let disks = ["a", "b", "c"];
    let mut refusals = Refusals::new(&site, &disks, "Copies that are not given up");
    refusals.note("The only copy.");
    refusals.run(&format!("extent release {single}"), 2);
    refusals.run(&format!("extent release {single} --yes"), 2);
    refusals.note("One of two, and the other was never read back.");
    refusals.run(&format!("extent release {first} --yes"), 2);
    site.ok(&["extent", "migrate", &second, "--to", "c"]);
    refusals.note("The other was read back when it was moved to c. It is not said that this is meant.");
    refusals.run(&format!("extent release {first}"), 2);
    refusals.note("What was moved from is no copy any more.");
    refusals.run(&format!("extent release {second} --yes"), 2);
    site.ok(&["medium", "lock", "c"]);
    refusals.note("Medium c is locked.");
    refusals.run(&format!("extent release {first} --yes"), 2);
    site.ok(&["medium", "unlock", "c"]);
    site.ok(&["medium", "set", "c", "health=suspect"]);
    refusals.note("Medium c is suspect.");
    refusals.run(&format!("extent release {first} --yes"), 2);
    refusals.matches("releases");
    assert_eq!(site.get("two"), b"bytes");
}
