//! A swap that is held in the middle of its transaction, by somebody who has the row that it needs.

use respool_test_support::Site;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin};

/// Waits until a window of a job is recorded and not swapped, then holds the row of its target, which the swap shares.
const HOLD: &str = "SET statement_timeout = '60s';
BEGIN;
DO $$ BEGIN
    LOOP
        CONTINUE WHEN NOT EXISTS (SELECT 1 FROM extent WHERE state = 'pending') AND pg_sleep(0.001) IS NOT NULL;
        BEGIN
            PERFORM 1 FROM medium WHERE name = 'TARGET' FOR UPDATE;
            EXIT WHEN EXISTS (SELECT 1 FROM extent WHERE state = 'pending');
            RAISE 'the swap was faster';
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
    END LOOP;
END $$;
SELECT 'held';
";

/// Holds every layout there is: a window is recorded, written and synced all the same, and no swap goes on from there.
const HOLD_LAYOUTS: &str = "BEGIN;
DO $$ BEGIN PERFORM 1 FROM layout FOR UPDATE; END $$;
SELECT 'held';
";

/// Lies in wait for the next swap onto a medium.
pub struct HeldSwap {
    psql: Child,
    ask: ChildStdin,
}

/// A swap that waits until it is released.
pub struct Held(HeldSwap);

impl HeldSwap {
    /// From now on the next swap onto this medium is held.
    pub fn onto(site: &Site, target: &str) -> Self {
        let mut psql = site.psql().spawn().unwrap();
        let mut ask = psql.stdin.take().unwrap();
        ask.write_all(HOLD.replace("TARGET", target).as_bytes()).unwrap();
        Self { psql, ask }
    }

    /// The very first swap of whatever begins now is held, however fast it is.
    #[allow(dead_code, reason = "shared with tests/containers, which has no use for it")]
    pub fn first(site: &Site) -> Held {
        let mut psql = site.psql().spawn().unwrap();
        let mut ask = psql.stdin.take().unwrap();
        ask.write_all(HOLD_LAYOUTS.as_bytes()).unwrap();
        Self { psql, ask }.wait()
    }

    /// Waits until one is.
    pub fn wait(mut self) -> Held {
        let mut line = String::new();
        let answer = self.psql.stdout.as_mut().unwrap();
        BufReader::new(answer).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "held");
        Held(self)
    }
}

impl Held {
    /// Waits until the swap stands before the row: its window is written and durable.
    pub fn stands(&self, site: &Site) {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        site.wait_until("the swap waits for the row", || site.sql(waiting) != "0");
    }

    /// Its connection ended with the server, and the hold with it.
    #[allow(dead_code, reason = "shared with tests/containers, where servers end")]
    pub fn ended(self) {
        let HeldSwap { mut psql, ask } = self.0;
        drop(ask);
        // psql says so when it is to send something, at the latest at its end.
        psql.wait().unwrap();
    }

    /// Lets it go on.
    pub fn release(self) {
        let HeldSwap { mut psql, mut ask } = self.0;
        ask.write_all(b"COMMIT;").unwrap();
        drop(ask);
        assert!(psql.wait().unwrap().success());
    }
}
