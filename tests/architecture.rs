//! Guards of the house: the pure modules stay pure, everybody imports only whom he may, `unsafe` stays where it is
//! argued for, and evidence is made only where the thing it attests happens. Each guard is a table and a function from
//! a source to complaints; each has a test that it can complain. A guard that needs its first exception is a sign that
//! the module wants to be a crate.

#[path = "architecture/evidence.rs"]
mod evidence;
#[path = "architecture/source.rs"]
mod source;

use source::{Source, sources};
use std::path::Path;

// ---------------------------------------------------------------------------------------------------------- purity

/// Decisions live here: synchronous functions without clock, randomness, locks or I/O.
const PURE: [&str; 4] = ["dss/src/model", "lrs/src/core", "src/repack", "src/api"];

/// What a pure module does not name. A path is refused when it begins with one of these.
const IMPURE_PATHS: &[(&str, &str)] = &[
    ("tokio", "a runtime"),
    ("tokio_util", "a runtime"),
    ("tokio_stream", "a runtime"),
    ("async_std", "a runtime"),
    ("futures", "a runtime"),
    ("futures_util", "a runtime"),
    ("async_trait", "a runtime"),
    ("axum", "the network"),
    ("hyper", "the network"),
    ("hyper_util", "the network"),
    ("std::net", "the network"),
    ("sqlx", "a database"),
    ("tokio_postgres", "a database"),
    ("jiff_sqlx", "a database"),
    ("std::fs", "the file system"),
    ("std::os", "the file system"),
    ("std::env", "the environment"),
    ("nix", "the file system"),
    ("libc", "the file system"),
    ("walkdir", "the file system"),
    ("xattr", "the file system"),
    ("tempfile", "the file system"),
    ("std::io::stdin", "input"),
    ("std::io::stdout", "output"),
    ("std::io::stderr", "output"),
    ("std::process", "processes"),
    ("std::thread", "threads"),
    ("std::sync::Mutex", "locks"),
    ("std::sync::RwLock", "locks"),
    ("std::sync::Condvar", "locks"),
    ("std::sync::Barrier", "locks"),
    ("std::sync::mpsc", "threads"),
    ("std::sync::atomic", "threads"),
    ("std::collections::hash_map", "an unordered map"),
    ("std::collections::hash_set", "an unordered map"),
    ("std::hash::RandomState", "randomness"),
    ("rand", "randomness"),
    ("fastrand", "randomness"),
    ("getrandom", "randomness"),
];

/// Words that are refused wherever they stand.
const IMPURE_WORDS: &[(&str, &str)] = &[
    ("HashMap", "an unordered map"),
    ("HashSet", "an unordered map"),
    ("async", "a runtime"),
    ("await", "a runtime"),
    ("elapsed", "a clock"),
    ("println", "output"),
    ("print", "output"),
    ("eprintln", "output"),
    ("eprint", "output"),
    ("thread_local", "threads"),
];

/// The last part of a path that reads a clock (`Instant::now`, `Timestamp::now`, `Zoned::now`, ...) or makes an id.
const IMPURE_CALLS: &[(&str, &str)] = &[("now", "a clock"), ("now_v7", "randomness"), ("new_v4", "randomness")];

/// Where fresh ids are made: their one source of randomness.
const IDS: &str = "dss/src/model/ids.rs";

fn impurities(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut complain = |line: usize, name: &str, what: &str| {
        complaints.push(format!(
            "{}:{line}: `{name}` is {what}, and this module is pure",
            source.file
        ));
    };
    for path in source.paths() {
        let name = path.parts.join("::");
        // The whole of `std`, or `std` under another name, would hide what is used of it.
        let hidden = ["std", "core", "std::*", "core::*"].contains(&name.as_str());
        if hidden && path.parts.first().is_some_and(|first| first == "std" || path.renamed) {
            complain(path.line, &name, "all of the standard library");
        }
        if let Some((_, what)) = IMPURE_PATHS.iter().find(|(begin, _)| begins(&path.parts, begin)) {
            complain(path.line, &name, what);
        }
        if let Some((_, what)) = IMPURE_WORDS
            .iter()
            .find(|(word, _)| path.parts.iter().any(|part| part == word))
        {
            complain(path.line, &name, what);
        }
        let call = path.parts.last().filter(|_| path.parts.len() > 1);
        let call = call.and_then(|last| IMPURE_CALLS.iter().find(|(word, _)| last == word));
        if let Some((_, what)) = call.filter(|(word, _)| !(source.file == IDS && *word == "now_v7")) {
            complain(path.line, &name, what);
        }
    }
    complaints
}

#[test]
fn the_pure_modules_are_pure() {
    check_all(&PURE, impurities);
}

#[test]
fn an_impure_module_is_noticed() {
    for bad in [
        "use tokio::sync::mpsc;",
        "fn f() { tokio::spawn(g()); }",
        "use std::{fmt, fs};",
        "use std::{collections::{BTreeMap, HashMap}};",
        "use std::collections as c; type M = c::HashMap<u8, u8>;",
        "use std as s; fn f() { s::fs::read(p); }",
        "fn f() -> Instant { std::time::Instant::now() }",
        "fn f() { let t = jiff::Timestamp::now(); }",
        "fn f(begun: Instant) -> Duration { begun.elapsed() }",
        "async fn f() {}",
        "use sqlx::PgPool;",
        "fn f() { ::std::process::exit(1) }",
        "/* a comment */ use nix::unistd::Pid;",
        "#[cfg(test)] mod tests { use std::fs; } use std::thread;",
        "const S: &str = \"\\\"\"; use libc::c_int;",
        "fn f() { println!(\"x\"); }",
        "fn f() -> Uuid { Uuid::now_v7() }",
    ] {
        assert_ne!(
            impurities(&Source::new("src/repack/bad.rs", bad)),
            [""; 0],
            "not noticed: {bad}"
        );
    }
}

#[test]
fn a_pure_module_may_talk_about_impure_things_and_test_with_them() {
    let good = r##"
        //! Never uses std::fs.
        use std::collections::BTreeMap; // not HashMap
        use std::time::{Duration, Instant};
        const HELP: &str = "see tokio::spawn"; const RAW: &str = r#"use "std::fs";"#;
        fn later<'a>(now: Instant, map: &'a BTreeMap<char, u8>) -> bool { map.contains_key(&'"') && now > now }
        #[cfg(test)]
        mod tests { use std::collections::HashSet; #[test] fn t() { std::fs::read("x").unwrap(); } }
    "##;
    assert_eq!(impurities(&Source::new("src/repack/good.rs", good)), [""; 0]);
    assert_eq!(
        impurities(&Source::new(IDS, "fn fresh() -> Uuid { Uuid::now_v7() }")),
        [""; 0]
    );
}

// ------------------------------------------------------------------------------------------- who may import whom

/// Which of our own paths a module may name, besides its own. The first matching place decides. Naming
/// `dss::catalogue` permits its data (rows, bounds, errors); the trait needs all of `dss`.
const MAY_NAME: &[(&str, &[&str])] = &[
    // Results and problems are made from the words and errors of the rooms, never from their machinery.
    (
        "src/api",
        &[
            "dss::model",
            "dss::catalogue",
            "lrs::core",
            "lrs::ldm::Blame",
            "lrs::ldm::Fault",
            "lrs::ldm::MediaError",
            "lrs::ldm::fs::Space",
        ],
    ),
    // A verb without state, such as `order`, may call pure code.
    (
        "src/cli",
        &[
            "respool::api",
            "respool::client",
            "respool::config",
            "respool::state",
            "respool::repack",
            "dss::model",
            "lrs::core",
        ],
    ),
    ("src/client.rs", &["respool::api", "respool::config", "respool::state"]),
    ("src/client", &["respool::api", "respool::config", "respool::state"]),
    // Where things lie in the state folder, for both sides of the socket.
    ("src/state.rs", &["respool::api", "respool::config"]),
    // Settings are written in the units of the command line, and refused as it refuses.
    (
        "src/config.rs",
        &["respool::api", "dss::model", "dss::catalogue", "lrs::core"],
    ),
    // Starts and ends everything, so it names everything that is made at the start; bytes go through store and engine.
    (
        "src/daemon",
        &[
            "respool::api",
            "respool::config",
            "respool::host",
            "respool::state",
            "respool::store",
            "respool::engine",
            "respool::repack",
            "lrs",
            "dss",
        ],
    ),
    // What store and engine share; handed to them by the daemon.
    ("src/host.rs", &["respool::api", "respool::config", "lrs", "dss"]),
    ("src/naming.rs", &["lrs::ldm", "dss"]),
    // They answer a request, so they speak its words: results and problems.
    ("src/store", ENGINE_ROOM),
    ("src/engine.rs", ENGINE_ROOM),
    ("src/engine", ENGINE_ROOM),
    ("src/repack", &["dss::model", "dss::catalogue", "lrs::core"]),
    // A drive is reached through its handle.
    (
        "src/mover",
        &[
            "dss::model",
            "dss::catalogue",
            "lrs::ldm",
            "lrs::worker::DriveHandle",
            "lrs::worker::DriveGone",
        ],
    ),
    ("src/lib.rs", &["respool"]),
    ("src/main.rs", &["respool"]),
    ("src/bin", &["respool"]),
    ("lrs/src/core", &["dss::model"]),
    ("lrs/src/ldm", &["dss::model", "dss::catalogue", "lrs::core"]),
    ("lrs/src", &["lrs", "dss"]),
    // In a simulation, fresh ids come from its seed.
    ("dss/src/model/ids.rs", &["dss::mint::next"]),
    ("dss/src/model", &[]),
    ("dss/src", &["dss"]),
];

/// Whom store and engine name.
const ENGINE_ROOM: &[&str] = &[
    "respool::api",
    "respool::config",
    "respool::host",
    "respool::repack",
    "respool::mover",
    "respool::naming",
    "lrs",
    "dss",
];

/// The database behind the catalogue is named only where respoold starts.
const MAY_NAME_PG: [&str; 3] = ["src/daemon", "dss/src/pg", "dss/src/lib.rs"];

const OURS: [&str; 4] = ["respool", "lrs", "dss", "respool_test_support"];

fn foreign_imports(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    let place = MAY_NAME.iter().find(|(place, _)| source.is_in(place));
    for path in source.paths() {
        let name = path.parts.join("::");
        if !OURS.contains(&path.parts[0].as_str()) {
            continue;
        }
        let naked_pg = begins(&path.parts, "dss::pg") && source.module[0] != "dss";
        if naked_pg && !MAY_NAME_PG.iter().any(|place| source.is_in(place)) {
            complaints.push(format!(
                "{}:{}: `{name}`: only respoold's start names dss::pg",
                source.file, path.line
            ));
        }
        // A word that is nobody's path: a local, a field, a crate named in an attribute.
        if path.parts.len() == 1 && !path.renamed {
            continue;
        }
        let Some((room, permitted)) = place else {
            complaints.push(format!(
                "{}: this file needs a row in MAY_NAME of tests/architecture.rs",
                source.file
            ));
            break;
        };
        let allowed =
            begins(&path.parts, &module_path(room)) || permitted.iter().any(|begin| begins(&path.parts, begin));
        let the_trait = matches!(&path.parts[..], [dss, catalogue, rest @ ..] if dss == "dss" && catalogue == "catalogue"
            && rest.first().is_none_or(|item| item == "Catalogue" || item == "*"));
        if !allowed || (the_trait && !permitted.contains(&"dss")) {
            complaints.push(format!("{}:{}: {room} may not name `{name}`", source.file, path.line));
        }
    }
    complaints
}

/// `src/repack` is `respool::repack`.
fn module_path(place: &str) -> String {
    Source::new(&format!("{}/mod.rs", place.trim_end_matches(".rs")), "")
        .module
        .join("::")
}

#[test]
fn everybody_imports_only_whom_he_may() {
    check_all(&["src", "lrs/src", "dss/src"], foreign_imports);
}

#[test]
fn a_foreign_import_is_noticed() {
    for (file, bad) in [
        ("src/repack/plan.rs", "use crate::mover::Ring;"),
        ("src/repack/plan.rs", "use super::super::mover::Ring;"),
        ("src/repack/plan.rs", "use dss::catalogue::Catalogue;"),
        ("src/repack/plan.rs", "use dss::{model::ExtentId, catalogue::*};"),
        ("src/repack/plan.rs", "fn f(t: &dyn lrs::ldm::Tape) {}"),
        ("src/mover/copy.rs", "use dss::catalogue::Catalogue;"),
        ("src/cli/put.rs", "use crate::daemon::Jobs;"),
        ("src/client.rs", "use crate::store::Store;"),
        ("src/api/mod.rs", "use crate::engine::Engine;"),
        ("src/engine.rs", "use crate::daemon::Jobs;"),
        (
            "src/api/check.rs",
            "use dss::catalogue; fn f(c: &dyn catalogue::Catalogue) {}",
        ),
        ("src/newcomer.rs", "use dss::model::ExtentId;"),
        ("src/engine.rs", "use dss::pg::PgCatalogue;"),
        ("src/store/put.rs", "fn f() { dss::pg::embedded::start(); }"),
        ("src/main.rs", "use dss::pg::embedded::EmbeddedCluster;"),
        ("lrs/src/core/drive.rs", "use crate::ldm::Changer;"),
        ("lrs/src/worker.rs", "use dss::pg::PgCatalogue;"),
        ("dss/src/model/extent.rs", "use crate::catalogue::Catalogue;"),
        ("dss/src/model/extent.rs", "use super::super::pg::codec;"),
    ] {
        assert_ne!(
            foreign_imports(&Source::new(file, bad)),
            [""; 0],
            "not noticed in {file}: {bad}"
        );
    }
}

#[test]
fn a_permitted_import_passes() {
    for (file, good) in [
        (
            "src/repack/plan.rs",
            "use super::manifest::Item; use dss::model::ByteCount; use crate::repack::order;",
        ),
        (
            "src/repack/plan.rs",
            "use lrs::core::{Grant, request::ReadGrant}; use dss::catalogue::ManifestRow;",
        ),
        (
            "src/daemon/start.rs",
            "use dss::pg::embedded::EmbeddedCluster; use crate::engine::Engine;",
        ),
        (
            "src/store/put.rs",
            "#[cfg(test)] mod tests { use dss::pg::PgCatalogue; }",
        ),
        ("dss/src/pg/extent.rs", "use crate::model::Extent; use super::codec;"),
        (
            "lrs/src/worker.rs",
            "use crate::core::Scheduler; use dss::catalogue::Catalogue;",
        ),
    ] {
        assert_eq!(foreign_imports(&Source::new(file, good)), [""; 0], "{file}: {good}");
    }
}

// ---------------------------------------------------------------------------------------------------------- unsafe

/// The device layer, and the launcher of the private PostgreSQL.
const MAY_BE_UNSAFE: [&str; 2] = ["lrs/src/ldm", "dss/src/pg/embedded/launch.rs"];

fn unsafe_words(source: &Source) -> Vec<String> {
    if MAY_BE_UNSAFE.iter().any(|place| source.is_in(place)) {
        return Vec::new();
    }
    let refused = |text: &str| text == "unsafe" || text == "unsafe_code";
    let found = source.all_tokens.iter().filter(|token| refused(&token.text));
    found
        .map(|token| format!("{}:{}: `{}` is not permitted here", source.file, token.line, token.text))
        .collect()
}

#[test]
fn unsafe_stays_where_it_is_argued_for() {
    check_all(&["src", "lrs", "dss", "tests", "benches"], unsafe_words);
}

#[test]
fn unsafe_elsewhere_is_noticed() {
    for bad in [
        "fn f() { unsafe { g() } }",
        "#![allow(unsafe_code)]",
        "#[cfg(test)] mod tests { unsafe fn f() {} }",
    ] {
        assert_ne!(
            unsafe_words(&Source::new("src/mover/ring.rs", bad)),
            [""; 0],
            "not noticed: {bad}"
        );
        assert_eq!(unsafe_words(&Source::new("lrs/src/ldm/scsi/sg.rs", bad)), [""; 0]);
    }
    assert_eq!(
        unsafe_words(&Source::new("src/lib.rs", "// unsafe\nconst S: &str = \"unsafe\";")),
        [""; 0]
    );
}

// ----------------------------------------------------------------------------------------------------------- tools

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn check_all(places: &[&str], guard: fn(&Source) -> Vec<String>) {
    let sources = places.iter().flat_map(|place| sources(root(), place));
    let complaints: Vec<String> = sources.flat_map(|source| guard(&source)).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Whether a path begins with all parts of `begin`.
fn begins(parts: &[String], begin: &str) -> bool {
    let mut parts = parts.iter();
    begin
        .split("::")
        .all(|wanted| parts.next().is_some_and(|part| part == wanted))
}
