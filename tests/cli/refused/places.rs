//! Files that `get` does not write.

use super::{Refusals, site};
use respool_test_support::Mount;
use std::fs;

#[test]
fn a_get_replaces_nothing_and_makes_no_folder() {
    let site = site(&["a"]);
    site.put_on("a", "one", b"bytes");
    fs::write(site.root().join("there"), "precious").unwrap();
    fs::create_dir(site.root().join("folder")).unwrap();
    let mut refusals = Refusals::new(&site, &["a"], "Places to which nothing is read");
    refusals.run("get one there", 2);
    refusals.run("get one folder", 2);
    refusals.run("get one folder --overwrite", 2);
    refusals.run("get one missing/copy", 2);
    refusals.run("get one there/copy", 2);
    refusals.matches("places");
    assert_eq!(fs::read(site.root().join("there")).unwrap(), b"precious");
    assert_eq!(fs::read_dir(site.root().join("folder")).unwrap().count(), 0);
}

#[test]
fn a_get_to_a_full_disk_leaves_nothing_there() {
    let site = site(&["a"]);
    let Some(disk) = Mount::new(&site.root().join("small"), "1m") else {
        return;
    };
    site.put_on("a", "large", &vec![7; 2 << 20]);
    let mut refusals = Refusals::new(&site, &["a"], "A get to a disk that has no room for it");
    refusals.run("get large small/copy", 3);
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 0);
    refusals.matches("places-full");
}
