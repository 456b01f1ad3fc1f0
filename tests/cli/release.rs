//! A copy is given up by name, and never the last that can be relied on.

use crate::site::Site;
use serde_json::Value;

/// The id and medium of every live extent of an object.
fn extents(site: &Site, oid: &str) -> Vec<(String, String)> {
    let rows = site.run(&["extent", "list", "--oid", oid, "--state", "sync"]).exits(0);
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = rows.json["extents"].as_array().unwrap().clone();
    rows.iter().map(|row| (text(row, "id"), text(row, "medium"))).collect()
}

#[test]
fn i10_a_surplus_copy_is_released_and_the_last_one_is_not() {
    let site = Site::new();
    site.add_dir("a");
    site.add_dir("b");
    let file = site.file("in-x", 5_000);
    site.run(&["put", &file, "x", "--copies", "2"]).exits(0);
    site.add_dir("c");
    let before = extents(&site, "x");
    let on = |medium: &str| before.iter().find(|(_, on)| on == medium).unwrap().0.clone();
    let (first, second) = (on("a"), on("b"));
    let unread = site.run(&["extent", "release", &first, "--yes"]).exits(2);
    assert!(unread.text("/error/message").contains("0 verified copies of it remain"));
    site.run(&["extent", "migrate", &second, "--to", "c"]).exits(0);
    let asked = site.run(&["extent", "release", &first]).exits(2);
    assert_eq!(asked.text("/error/code"), "not_confirmed");
    assert!(
        asked
            .text("/error/message")
            .contains("left with 1 verified copies, of 2 asked for")
    );
    assert_eq!(extents(&site, "x").len(), 2, "only asked");
    site.run(&["medium", "lock", "c"]).exits(0);
    site.run(&["extent", "release", &first, "--yes"]).exits(2);
    site.run(&["medium", "unlock", "c"]).exits(0);
    let done = site.run(&["extent", "release", &first, "--yes"]).exits(0);
    assert_eq!(
        (
            done.number("/copies_left"),
            done.number("/extents"),
            done.number("/bytes")
        ),
        (1, 1, 5_000)
    );
    let left = extents(&site, "x");
    assert_eq!(
        left.iter().map(|(_, medium)| medium.as_str()).collect::<Vec<_>>(),
        ["c"]
    );
    let last = site.run(&["extent", "release", &left[0].0, "--yes"]).exits(2);
    assert_eq!(last.text("/error/code"), "not_surplus");
    site.run(&["extent", "release", &first, "--yes"]).exits(2);
    site.run(&["extent", "release", "01933f5e-0000-7000-8000-000000000001", "--yes"])
        .exits(2);
    site.holds("x", 5_000);
    site.run(&["check"]).exits(0);
}
