//! Kills PostgreSQL: the postmaster and every process below it at once, in any moment or in the middle of a commit.

use super::plan::Commit;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use respool_test_support::Site;
use respool_test_support::site::{children, is_alive, wait_until};
use std::fs;

/// How often a commit is tried to be caught.
const TRIES: u32 = 100;

/// Server processes of respoold that are in a commit: between the request for it and its answer.
const COMMITTING: &str =
    "datname = 'respool' AND state = 'active' AND query ILIKE 'commit%' AND pid <> pg_backend_pid()";

/// Whether it takes connections.
pub fn is_ready(site: &Site) -> bool {
    let mark = fs::read_to_string(site.state().join("pg/postmaster.pid")).unwrap_or_default();
    mark.lines().nth(7).is_some_and(|line| line.trim() == "ready") && site.postmaster().is_some_and(is_alive)
}

/// Kills it, and the processes given, all at once. False: it does not run.
pub fn kill_all(site: &Site, and: &[Pid]) -> bool {
    let Some(postmaster) = site.postmaster().filter(|pid| is_alive(*pid)) else {
        return false;
    };
    // Stopped first: it makes no child that is not seen, and tells none.
    let _ = kill(postmaster, Signal::SIGSTOP);
    let mut all = children(postmaster);
    all.push(postmaster);
    all.extend_from_slice(and);
    for pid in &all {
        // It may end in this very moment.
        let _ = kill(*pid, Signal::SIGKILL);
    }
    wait_until("what was killed is gone", || !all.iter().any(|pid| is_alive(*pid)));
    true
}

/// Kills it while a commit of respoold has begun and was not answered. False: no commit was caught.
pub fn kill_in_commit(site: &Site, commit: Commit) -> bool {
    let (slower, waits) = match commit {
        // Everybody who commits waits a tenth of a second before the flush.
        Commit::BeforeFlush => (
            "ALTER SYSTEM SET commit_delay = 100000; ALTER SYSTEM SET commit_siblings = 0;",
            "wait_event IS DISTINCT FROM 'SyncRep'",
        ),
        // Everybody who commits has flushed, and waits for a copy that never comes before answering.
        Commit::AfterFlush => (
            "ALTER SYSTEM SET synchronous_standby_names = 'nobody';",
            "wait_event = 'SyncRep'",
        ),
    };
    site.sql(&format!("{slower} SELECT pg_reload_conf();"));
    let caught = (0..TRIES).any(|_| freeze(site, waits));
    // For the next start; the server that is killed does not hear of it.
    let reset = ["commit_delay", "commit_siblings", "synchronous_standby_names"];
    let reset: String = reset.iter().map(|name| format!("ALTER SYSTEM RESET {name};")).collect();
    site.sql(&reset);
    if caught {
        return kill_all(site, &[]);
    }
    site.sql("SELECT pg_reload_conf();");
    false
}

/// Stops the server processes that are in a commit, and looks whether they still were when they stopped.
fn freeze(site: &Site, waits: &str) -> bool {
    let wait = format!(
        "DO $$ BEGIN
            FOR i IN 1..100 LOOP
                PERFORM pg_stat_clear_snapshot();
                EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE {COMMITTING} AND {waits});
                PERFORM pg_sleep(0.002);
            END LOOP;
         END $$;
         SELECT pid FROM pg_stat_activity WHERE {COMMITTING} AND {waits};"
    );
    let pids: Vec<i32> = site
        .sql(&wait)
        .lines()
        .map(|line| line.parse().expect("a pid"))
        .collect();
    for pid in &pids {
        // It may end in this very moment.
        let _ = kill(Pid::from_raw(*pid), Signal::SIGSTOP);
    }
    let still = site.sql(&format!(
        "SELECT pid FROM pg_stat_activity WHERE {COMMITTING} AND {waits};"
    ));
    let still: Vec<i32> = still.lines().map(|line| line.parse().expect("a pid")).collect();
    if pids.iter().any(|pid| still.contains(pid)) {
        return true;
    }
    for pid in &pids {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGCONT);
    }
    false
}
