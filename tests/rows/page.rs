//! The page of rows.

/// What a row concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Directories, or every medium.
    Directories,
    /// Tapes alone.
    Tapes,
}

impl On {
    /// For the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Directories => "directories",
            Self::Tapes => "tapes",
        }
    }
}

/// A row.
#[derive(Debug)]
pub struct Row {
    /// Which media it is about.
    pub on: On,
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
    let mut on = On::Directories;
    let mut rows = vec![];
    for line in page.lines() {
        match line {
            "## Tapes" => on = On::Tapes,
            head if head.starts_with("| id ") => {}
            row_of if row_of.starts_with("| ") => rows.push(row(row_of, on)),
            _ => {}
        }
    }
    rows
}

fn row(line: &str, on: On) -> Row {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [id, what, done, seen] = cells[..] else {
        panic!("not four cells: {line}");
    };
    assert!(DONE.contains(&done), "{id}: `{done}` is none of {DONE:?}");
    Row {
        on,
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
