//! The keys of JSON that scripts rely on, written down by hand as they were promised (DESIGN, section 7). `schemas.rs`
//! compares results with a schema that is made from the types: whoever renames a key makes it anew, and it agrees. Here
//! the same rename fails.

use respool_test_support::Site;
use serde_json::Value;

const RESPOOL: &str = env!("CARGO_BIN_EXE_respool");

/// What was run, where in its result (`*` is each of a list, which is not empty), and what is there.
type Promise = (&'static str, &'static str, &'static str);

const MEDIUM: &str = "name family technology library tags groupings adm_state locked health presence fs_state generation \
                      capacity_bytes used_bytes free_bytes live_bytes dead_bytes held_bytes unindexed_bytes \
                      quarantined_until extents";
const STATES: &str = "pending sync orphan";
const EXTENT: &str = "id oid version copy index state medium address bytes blake3 crc32 created_at";
const OBJECT: &str = "oid id version bytes copies grouping metadata created_at deleted_at extents";
const JOB: &str = "job kind state sources targets extents bytes_moved bytes_recopied skipped substituted read_back seconds \
                   predicted_seconds syncs transactions error";
const TALLY: &str = "live moved released skipped failed remaining";
const SKIPPED: &str = "extent oid medium reason";
const ERROR: &str = "code blame subject message next";

const PROMISED: &[Promise] = &[
    ("medium list", "/media/*", MEDIUM),
    ("medium list", "/media/*/extents", STATES),
    ("medium show", "", MEDIUM),
    ("medium show", "/extents", STATES),
    ("extent list", "/extents/*", EXTENT),
    ("object list", "/objects/*", OBJECT),
    ("object show", "", OBJECT),
    ("repack", "", JOB),
    ("repack", "/targets/*", "medium extents bytes"),
    ("repack", "/extents", TALLY),
    ("repack", "/skipped/*", SKIPPED),
    ("repack", "/read_back", "extents bytes failed"),
    ("job show", "", JOB),
    ("job show", "/targets/*", "medium extents bytes"),
    ("job show", "/extents", TALLY),
    ("job show", "/skipped/*", SKIPPED),
    ("job show", "/read_back", "extents bytes failed"),
    ("job list", "/jobs/*", JOB),
    (
        "repack --plan",
        "",
        "sources steps targets bytes predicted_seconds block_order_seconds lower_bound_seconds reclaimed_bytes not_moved",
    ),
    (
        "repack --plan",
        "/steps/*",
        "extent oid medium bytes action start_block",
    ),
    ("repack --plan", "/not_moved/*", "extent why"),
    ("check", "", "ok findings"),
    ("check", "/findings/*", "severity invariant subject detail"),
    ("error", "/error", ERROR),
];

/// Everything that a path means in a result; a list on the way stands for all that it holds.
fn meant<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    let parts = path.split('/').skip(1);
    parts.fold(vec![value], |values, part| {
        let below = values.into_iter();
        match part {
            "*" => below.flat_map(|value| value.as_array().into_iter().flatten()).collect(),
            key => below.filter_map(|value| value.get(key)).collect(),
        }
    })
}

/// The promises about one command that its result does not keep.
fn broken(what: &str, result: &Value) -> Vec<String> {
    let mut broken = vec![];
    for (_, path, keys) in PROMISED.iter().filter(|promise| promise.0 == what) {
        let found = meant(result, path);
        if found.is_empty() {
            broken.push(format!("{what}: nothing at `{path}`"));
        }
        for key in keys.split_whitespace() {
            if found.iter().any(|value| value.get(key).is_none()) {
                broken.push(format!("{what}: no `{key}` at `{path}`"));
            }
        }
    }
    broken
}

#[test]
fn the_keys_that_scripts_rely_on_are_there() {
    let site = Site::new(RESPOOL);
    site.disks(&["a", "b"]);
    for oid in ["one", "two", "bad"] {
        site.put_on("a", oid, &[7; 30_000]);
    }
    let mut kept = vec![];
    let mut run = |what: &'static str, typed: &[&str], code: i32| {
        kept.push(what);
        assert_eq!(broken(what, &site.run(typed).expect(code)), [""; 0]);
    };
    run("medium list", &["medium", "list"], 0);
    run("medium show", &["medium", "show", "a"], 0);
    run("extent list", &["extent", "list"], 0);
    run("object list", &["object", "list"], 0);
    run("object show", &["object", "show", "one"], 0);
    site.ok(&["medium", "set", "b", "capacity=40000"]);
    run("repack --plan", &["repack", "a", "--plan"], 2);
    run("error", &["repack", "a"], 2);
    site.ok(&["medium", "set", "b", "capacity=1GiB"]);
    site.faults("[[fault]]\nmedium = \"a\"\nop = \"read\"\noid = \"bad\"\nerror = \"eio\"\ntimes = 0\n");
    run("repack", &["repack", "a"], 1);
    run("job show", &["job", "show", "1"], 0);
    run("job list", &["job", "list"], 0);
    site.ok(&["medium", "set", "b", "health=failing"]);
    run("check", &["check"], 0);
    let forgotten: Vec<&Promise> = PROMISED.iter().filter(|promise| !kept.contains(&promise.0)).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}

#[test]
fn a_key_that_was_renamed_and_a_list_that_is_empty_are_noticed() {
    let error = serde_json::json!({ "code": "c", "blame": "b", "subject": "s", "message": "m", "next": "n" });
    let good = serde_json::json!({ "error": error });
    assert_eq!(broken("error", &good), [""; 0]);
    let mut renamed = good;
    let known = renamed["error"].as_object_mut().unwrap();
    let next = known.remove("next").unwrap();
    known.insert("advice".to_owned(), next);
    assert_eq!(broken("error", &renamed), ["error: no `next` at `/error`"]);
    let empty = serde_json::json!({ "ok": true, "findings": [] });
    let told = broken("check", &empty);
    assert_eq!(told[0], "check: nothing at `/findings/*`");
}
