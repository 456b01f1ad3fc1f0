//! The page of rows.

/// A row that concerns directories.
#[derive(Debug)]
pub struct Row {
    /// As in `X-07`.
    pub id: String,
    /// What must happen.
    pub what: String,
    /// What its tests do to the system, unless they say otherwise.
    pub done: String,
    /// Where it shows.
    pub seen: Seen,
}

/// Where a row shows.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// To whoever types commands.
    Program,
    /// Only from inside, for this reason.
    InProcess(String),
}

/// Everything that may be done to the system.
const DONE: [&str; 5] = ["operator", "fault", "race", "killed process", "power cut"];

/// The rows of a page. Panics on one that it cannot read.
pub fn rows(page: &str) -> Vec<Row> {
    let lines = page.lines().filter(|line| line.starts_with("| ")).skip(1);
    lines.map(row).collect()
}

fn row(line: &str) -> Row {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [id, what, done, seen] = cells[..] else {
        panic!("not four cells: {line}");
    };
    assert!(DONE.contains(&done), "{id}: `{done}` is none of {DONE:?}");
    Row {
        id: id.to_owned(),
        what: what.to_owned(),
        done: done.to_owned(),
        seen: match seen.strip_prefix("in process: ") {
            Some(why) => Seen::InProcess(why.to_owned()),
            None => {
                assert_eq!(seen, "program", "{id}");
                Seen::Program
            }
        },
    }
}
