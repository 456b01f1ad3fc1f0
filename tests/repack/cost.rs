//! E-13, X-23: what a medium costs depends on what is on it, not on what else the catalogue knows; and what a put costs,
//! not even on that.

use super::house::{Held, all_is_well, fill, filling, mixed, site};
use respool_test_support::Site;
use serde_json::Value;
use std::fs;
use std::process::Stdio;

/// Other objects in the small catalogue. Fewer would fit whole into a few blocks, which PostgreSQL rightly reads whole.
const FEW: u32 = 80_000;
/// And in the large one, whose indexes are as deep.
const MANY: u32 = 240_000;

/// Plans that PostgreSQL made since a mark, from its own log.
struct Plans {
    extent_scans: Vec<String>,
    buffers: u64,
}

fn log_of(site: &Site) -> String {
    let folder = walkdir::WalkDir::new(site.state().join("pg")).into_iter().flatten();
    let logs = folder.filter(|entry| entry.path().extension().is_some_and(|kind| kind == "log"));
    logs.map(|entry| String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned())
        .collect()
}

/// Runs commands and takes the plans of everything they asked the catalogue.
fn plans_of(site: &Site, commands: &[&[&str]]) -> Plans {
    let before = log_of(site).len();
    for command in commands {
        site.ok(command);
    }
    site.ok(&["job", "list"]);
    let log = log_of(site);
    let mut plans = Plans {
        extent_scans: vec![],
        buffers: 0,
    };
    for (at, _) in log[before..].match_indices("plan:\n") {
        let text = &log[before + at + "plan:\n".len()..];
        let Some(Ok(plan)) = serde_json::Deserializer::from_str(text).into_iter::<Value>().next() else {
            panic!("not a plan: {:.300}", text);
        };
        // What upkeep asks meanwhile is not what is measured.
        let asked = plan["Query Text"].as_str().unwrap_or_default();
        let counts = asked.contains("extent") || asked.contains("medium_used");
        if counts && !asked.contains("purge") {
            visit(&plan["Plan"], asked, &mut plans);
        }
    }
    plans
}

fn visit(node: &Value, asked: &str, plans: &mut Plans) {
    plans.buffers += ["Shared Hit Blocks", "Shared Read Blocks"]
        .iter()
        .map(|key| node[key].as_u64().unwrap_or(0))
        .sum::<u64>();
    scans(node, asked, plans);
}

fn scans(node: &Value, asked: &str, plans: &mut Plans) {
    let table = node["Relation Name"].as_str().unwrap_or_default();
    if node["Node Type"] == "Seq Scan" && ["extent", "layout", "object", "copy"].contains(&table) {
        plans.extent_scans.push(format!("{table}: {asked}"));
    }
    for below in node["Plans"].as_array().into_iter().flatten() {
        scans(below, asked, plans);
    }
}

/// More objects, whole and sound: nothing but an empty extent each, on a medium of their own.
fn add_others(site: &Site, first: u32, last: u32) {
    site.sql(&format!(
        "BEGIN;
         SET LOCAL session_replication_role = replica;
         CREATE TEMP TABLE other ON COMMIT DROP AS
             SELECT gen_random_uuid() AS object, gen_random_uuid() AS extent, n FROM generate_series({first}, {last}) n;
         INSERT INTO object (id, oid, version, bytes, copies, metadata, created_at)
             SELECT object, 'other/' || n, 1, 0, 1, '{{}}', now() FROM other;
         INSERT INTO copy (object_id, copy_no, layout_type, params, extents)
             SELECT object, 0, 'simple', (SELECT params FROM copy LIMIT 1), 1 FROM other;
         INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address, bytes,
                             blake3, crc32, chunk_crcs, created_at)
             SELECT extent, 'sync', object, 'other/' || n, 1, 0, 0, m.id, m.generation, 'objects/other' || n, 0,
                    e.blake3, e.crc32, e.chunk_crcs, now()
               FROM other, medium m, (SELECT * FROM extent WHERE bytes = 0 LIMIT 1) e WHERE m.name = 'z';
         DELETE FROM extent_unindexed;
         INSERT INTO layout (object_id, copy_no, index, extent) SELECT object, 0, 0, extent FROM other;
         COMMIT;
         VACUUM ANALYZE;"
    ));
    anew(site);
}

/// New connections, new plans; and once before it is measured, for what only a first time reads.
fn anew(site: &Site) {
    site.stop();
    site.ok(&["repack", "a", "--plan"]);
    site.ok(&["extent", "list", "--medium", "a"]);
}

/// The same, after it planned a medium.
fn peak_of_planning(site: &Site, medium: &str) -> u64 {
    let planned = site
        .command(&["repack", medium, "--plan"])
        .stdout(Stdio::null())
        .status();
    assert!(planned.unwrap().success());
    peak(site)
}

/// The most memory that this respoold ever had, by the kernel's word.
fn peak(site: &Site) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", site.pid().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1024
}

/// What it costs to put one small object on a medium that holds all the others, beside media of which each has a bound.
fn plans_of_put(site: &Site, oid: &str, held: &mut Held) -> Plans {
    let file = site.root().join("small");
    let bytes = filling(u64::from(FEW), 1_000);
    fs::write(&file, &bytes).unwrap();
    held.insert(oid.to_owned(), bytes);
    plans_of(site, &[&["put", &file.display().to_string(), oid, "--tags", "z"]])
}

/// The same costs when so much more is known, to a tenth: the indexes are as deep.
fn no_dearer(what: &str, few: &Plans, many: &Plans) {
    for plans in [few, many] {
        assert_eq!(
            plans.extent_scans,
            Vec::<String>::new(),
            "{what}: whole tables are read"
        );
    }
    let (few, many) = (few.buffers, many.buffers);
    println!("{what}: {few} blocks among {FEW} others, {many} among {MANY}");
    assert!(
        many * 10 <= few * 11,
        "{what}: {few} blocks among {FEW} others, {many} among {MANY}"
    );
}

#[test]
fn e13_x23_planning_and_listing_a_medium_cost_its_own_extents_and_a_put_its_own() {
    let site = site(&["a", "b", "z"]);
    let mut held = fill(&site, "things", &mixed(60), &["--tags", "a"]);
    site.sql(
        "ALTER DATABASE respool SET session_preload_libraries = 'auto_explain';
         ALTER DATABASE respool SET auto_explain.log_min_duration = 0;
         ALTER DATABASE respool SET auto_explain.log_analyze = on;
         ALTER DATABASE respool SET auto_explain.log_timing = off;
         ALTER DATABASE respool SET auto_explain.log_format = json;
         ALTER DATABASE respool SET auto_explain.log_buffers = on;
         ALTER DATABASE respool SET auto_explain.log_nested_statements = on;
         ALTER DATABASE respool SET enable_seqscan = on;
         VACUUM ANALYZE;",
    );
    let asked: [&[&str]; 3] = [
        &["repack", "a", "--plan"],
        &["extent", "list", "--medium", "a"],
        &["medium", "show", "a"],
    ];
    add_others(&site, 1, FEW);
    let few = plans_of(&site, &asked);
    let few_put = plans_of_put(&site, "small/few", &mut held);
    add_others(&site, FEW + 1, MANY);
    let small = peak(&site);
    let large = peak_of_planning(&site, "z");
    // at the stated 300 bytes for each extent of the medium, 5,000,000 of them need 1.4 GiB.
    let each = large.saturating_sub(small) / u64::from(MANY);
    println!("peaks of {small} and {large} bytes: {each} for each extent");
    assert!(
        each <= 300,
        "{each} bytes for each extent of the medium that is planned"
    );
    assert!(large <= (128 << 20) + 300 * u64::from(MANY), "{large} bytes in all");
    anew(&site);
    let many = plans_of(&site, &asked);
    assert!(few.buffers > 1_000, "the plans are read");
    no_dearer("planning and listing", &few, &many);
    let many_put = plans_of_put(&site, "small/many", &mut held);
    assert!(few_put.buffers > 100, "the plans are read: {}", few_put.buffers);
    no_dearer("a small put", &few_put, &many_put);
    assert_eq!(
        site.ok(&["repack", "a", "--plan"])["steps"].as_array().unwrap().len(),
        60
    );

    site.ok(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    site.sql(
        "SET session_replication_role = replica;
         DELETE FROM layout USING object WHERE object_id = object.id AND oid LIKE 'other/%';
         DELETE FROM copy USING object WHERE object_id = object.id AND oid LIKE 'other/%';
         DELETE FROM extent WHERE oid LIKE 'other/%';
         DELETE FROM object WHERE oid LIKE 'other/%';",
    );
    all_is_well(&site, &held);
}
