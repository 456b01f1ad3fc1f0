//! Media that are lost for good.

use super::house::{fill, filling, mixed, site};
use respool_test_support::Site;

fn copies(site: &Site, oid: &str) -> (u64, u64) {
    let shown = site.ok(&["object", "show", oid]);
    let listed = site.ok(&["object", "list"]);
    let listed = listed["objects"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["oid"] == oid);
    assert_eq!(listed.unwrap()["copies"], shown["copies"], "{shown:#}");
    (
        shown["copies"].as_u64().unwrap(),
        shown["copies_wanted"].as_u64().unwrap(),
    )
}

#[test]
fn i10_a_copy_on_a_dead_medium_is_no_copy_and_death_is_confirmed_first() {
    let site = site(&["a", "b", "c"]);
    for medium in ["a", "b"] {
        site.ok(&["medium", "set", medium, &format!("tags={medium},pair")]);
    }
    fill(&site, "pair", &mixed(6), &["--copies", "2", "--tags", "pair"]);
    assert_eq!(copies(&site, "pair/0003"), (2, 2));
    let refused = site.run(&["medium", "dead", "a"]);
    assert_eq!((refused.code, refused.problem()), (2, "not_confirmed"), "{refused:?}");
    site.run(&["medium", "set", "a", "adm_state=dead"]).expect(2);
    assert_eq!(site.medium("a")["adm_state"], "in_service");
    assert_eq!(copies(&site, "pair/0003"), (2, 2));
    site.ok(&["medium", "dead", "a", "--yes"]);
    assert_eq!(site.medium("a")["adm_state"], "dead");
    assert_eq!(copies(&site, "pair/0003"), (1, 2), "what was lost is no copy");
    assert_eq!(site.get("pair/0003"), filling(3 + 7 * 4, 4_096));
}
