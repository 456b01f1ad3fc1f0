//! A row of the catalogue that somebody holds, so that whoever needs it stands still for as long as a test wants.

use respool_test_support::Site;
use std::io::Write;
use std::process::Child;

/// The row of a medium, which every put to it and every job onto it needs.
pub struct Hold(Child);

impl Hold {
    /// From now on.
    pub fn of(site: &Site, medium: &str) -> Self {
        let mut psql = site.psql().spawn().unwrap();
        let begin = format!("BEGIN; SELECT 'held' FROM medium WHERE name = '{medium}' FOR UPDATE;\n");
        psql.stdin.as_mut().unwrap().write_all(begin.as_bytes()).unwrap();
        let held = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%held%'";
        site.wait_until("the row is held", || site.sql(held) != "0");
        Self(psql)
    }

    /// Waits until at least so many stand still, for the row or for each other.
    pub fn stops(site: &Site, count: usize) {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        site.wait_until("somebody stands still", || {
            site.sql(waiting).parse().is_ok_and(|found: usize| found >= count)
        });
    }

    /// Lets everybody go on.
    pub fn release(mut self) {
        self.0.stdin.take().unwrap().write_all(b"COMMIT;").unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}
