//! Things that do not exist.

use super::{Refusals, site};

#[test]
fn what_does_not_exist_is_refused_by_every_verb_that_names_it() {
    let site = site(&["a"]);
    site.put_on("a", "reports/2019", b"bytes");
    let mut refusals = Refusals::new(&site, &["a"], "Media, objects, extents and jobs that do not exist");
    for verb in [
        "medium show b",
        "medium set b tags=blue",
        "medium lock b",
        "medium unlock b",
        "medium trust b",
        "medium dead b --yes",
        "medium check-erase b",
        "medium format b",
        "medium extents b",
        "medium import b",
        "medium what-if-lost b",
        "medium what-if-lost a b",
        "medium candidates --why-not b",
        "extent list --medium b",
        "repack b",
        "repack a b",
        "repack a --to b",
        "repack a --to b --plan",
        "repack --best --to b",
    ] {
        refusals.run(verb, 2);
    }
    for verb in [
        "object show reports/2020",
        "get reports/2020 file",
        "delete reports/2020",
        "undelete reports/2020",
    ] {
        refusals.run(verb, 2);
    }
    refusals.run("object show reports/2019 --version 2", 2);
    refusals.run("get reports/2019 file --version 2", 2);
    refusals.run("undelete reports/2019", 2);
    for verb in [
        "extent show",
        "extent migrate --to a",
        "extent release",
        "extent release --yes",
    ] {
        refusals.run(&format!("{verb} 01900000-0000-7000-8000-000000000000"), 2);
    }
    let known = site.extents(&[])[0]["id"].as_str().unwrap().to_owned();
    refusals.run(&format!("extent migrate {known} --to b"), 2);
    refusals.run("extent show one", 2);
    for verb in ["show", "report", "wait", "pause", "resume", "cancel", "restore"] {
        refusals.run(&format!("job {verb} 7"), 2);
    }
    refusals.run("job show one", 2);
    refusals.run("catalogue verify nowhere", 3);
    refusals.run("catalogue restore nowhere", 3);
    refusals.matches("names");
}
