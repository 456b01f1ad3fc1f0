//! Programs that do not belong together: a client and a respoold of different versions, a PostgreSQL that is too old, and
//! one that did not make the catalogue.

use super::between::{Between, version_of_all};
use super::catalogue::meanwhile;
use super::{Refusals, site};
use dss::pg::embedded::Binaries;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// One command that reads and one that writes.
const BOTH: [&str; 2] = ["medium list", "put file new"];

#[test]
fn a_client_of_another_version_is_told_so_and_may_stop_respoold() {
    let site = site(&["a"]);
    site.put_on("a", "one", b"bytes");
    fs::write(site.root().join("file"), "new").unwrap();
    let mut refusals = Refusals::new(&site, &["a"], "A client and a respoold of different versions");
    let first = site.pid();
    for (digit, which) in [('0', "an older"), ('9', "a newer")] {
        let version = version_of_all(digit);
        let _between = Between::saying(&site, &version);
        refusals.note(&format!("respoold runs. This respool is {which} one: {version}."));
        for typed in BOTH {
            refusals.run(typed, 2);
        }
        assert_eq!(site.pid(), first, "respoold goes on");
    }
    refusals.note("It does what it was told to, and is of the same version then.");
    let before = refusals.everything();
    let between = Between::saying(&site, &version_of_all('9'));
    refusals.disturbed("stop", 0);
    assert!(site.pid().is_none(), "respoold is gone");
    drop(between);
    refusals.disturbed("medium list", 0);
    refusals.nothing_since(&before, "respoold was stopped by a client of another version");
    refusals.matches("versions");
}

/// A real server, which is asked as every server is, and answers as an older one would.
const OLDER: &str = "CREATE SCHEMA older; \
    CREATE FUNCTION older.current_setting(name text) RETURNS text LANGUAGE sql AS \
    $$ SELECT CASE name WHEN 'server_version_num' THEN '140012' ELSE pg_catalog.current_setting(name) END $$; \
    ALTER DATABASE respool SET search_path = older, pg_catalog, public";
const AS_IT_IS: &str = "ALTER DATABASE respool RESET search_path; DROP SCHEMA older CASCADE";

#[test]
fn a_server_or_programs_of_a_wrong_version_are_an_environment_that_fails() {
    let site = site(&["a"]);
    site.put_on("a", "one", b"bytes");
    fs::write(site.root().join("file"), "new").unwrap();
    let mut refusals = Refusals::new(&site, &["a"], "A PostgreSQL of a wrong version");
    let before = refusals.everything();
    refusals.note("The server of the catalogue says that it is PostgreSQL 14.");
    site.sql(OLDER);
    site.stop();
    for typed in BOTH {
        refusals.disturbed(typed, 3);
    }
    meanwhile(&site, AS_IT_IS);
    site.ok(&["medium", "list"]);
    refusals.nothing_since(&before, "the server was too old");

    site.stop();
    let newest = Binaries::newest().unwrap();
    refusals.seen.hide(&newest.folder.display().to_string(), "PROGRAMS");
    refusals.seen.hide(&format!("only {} in", newest.major), "only N in");
    refusals.note("The catalogue was made by a newer PostgreSQL than this host has.");
    let mark = site.state().join("pg/PG_VERSION");
    let right = fs::read_to_string(&mark).unwrap();
    fs::write(&mark, "99\n").unwrap();
    with_programs(&mut refusals, "PROGRAMS", &newest.folder);
    fs::write(&mark, right).unwrap();

    refusals.note("PostgreSQL 14 is all that this host has.");
    let old = site.root().join("old");
    fs::create_dir(&old).unwrap();
    for program in ["postgres", "initdb"] {
        fs::write(old.join(program), "#!/bin/sh\necho 'postgres (PostgreSQL) 14.12'\n").unwrap();
    }
    for path in [old.join("postgres"), old.join("initdb"), old.clone()] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    with_programs(&mut refusals, "old", &old);
    site.ok(&["medium", "list"]);
    refusals.nothing_since(&before, "the programs were of a wrong version");
    assert_eq!(site.get("one"), b"bytes");
    refusals.matches("server-versions");
}

/// Both commands, with the programs of PostgreSQL in this folder.
fn with_programs(refusals: &mut Refusals<'_>, shown: &str, folder: &Path) {
    for typed in BOTH {
        let words: Vec<&str> = typed.split_whitespace().collect();
        let mut command = refusals.site.spoken(&words);
        command.env("RESPOOL_PG_BIN", folder);
        let typed = format!("RESPOOL_PG_BIN={shown} respool {typed}");
        assert_eq!(refusals.seen.command(&typed, command), 3, "{typed}");
        assert!(refusals.site.pid().is_none(), "no respoold runs");
    }
}
