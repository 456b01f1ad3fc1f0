//! Which test shows which row of `tests/ROWS.md`: printed as a table, and a failure where a row has none. Run it with
//! `cargo test --test rows -- --nocapture`. The same for the refusals of `tests/REFUSALS.md` and their transcripts.

#[path = "rows/page.rs"]
mod page;
#[path = "rows/refusals.rs"]
mod refusals;
#[path = "rows/tests.rs"]
mod shown;

use page::{On, Row, Seen, rows};
use shown::{Test, Through, unsaid_kills};
use std::path::Path;

fn page() -> Vec<Row> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ROWS.md");
    rows(&std::fs::read_to_string(page).unwrap())
}

/// What is wrong with a row and the tests that name it.
fn complaint(row: &Row, tests: &[&Test]) -> Option<String> {
    let program = tests.iter().any(|test| test.through == Through::Program);
    match (&row.seen, tests.is_empty(), program) {
        (_, true, _) => Some(format!("{} has no test: {}", row.id, row.what)),
        (Seen::Program, _, false) => Some(format!("{} has no test of the real program: {}", row.id, row.what)),
        (Seen::Program, _, true) | (Seen::InProcess(_), _, _) => None,
    }
}

/// Where tests of tapes stand. What is shown with directories says nothing of them.
const OF_TAPES: [&str; 6] = [
    "tests/tape/",
    "tests/cli/refused/tapes",
    "lrs/tests/ltfs/",
    "lrs/tests/scsi/",
    "lrs/tests/library/",
    "lrs/src/core/tests/library.rs",
];

/// Whether a test shows a row.
fn shows(test: &Test, row: &Row) -> bool {
    let on = match row.on {
        On::Directories => true,
        On::Tapes => OF_TAPES.iter().any(|place| test.name.starts_with(place)),
    };
    on && test.rows.contains(&row.id)
}

#[test]
fn every_row_has_a_test_that_shows_it() {
    let (rows, tests) = (page(), shown::all());
    assert!(rows.len() >= 40, "the page was read");
    let mut complaints = vec![];
    for on in [On::Directories, On::Tapes] {
        let count = rows.iter().filter(|row| row.on == on).count();
        assert!(count >= 20, "the page was read");
        println!("{count} rows concern {}.", on.word());
    }
    println!("Which test shows which, and what it does:");
    for row in &rows {
        let own: Vec<&Test> = tests.iter().filter(|test| shows(test, row)).collect();
        println!("{}  {} ({})", row.id, row.what, row.on.word());
        if let Seen::InProcess(why) = &row.seen {
            println!("      (not through the program: {why})");
        }
        for test in &own {
            println!(
                "      {:10}  {:22}  {}",
                test.through.word(),
                test.kind.unwrap_or(&row.done),
                test.name
            );
        }
        complaints.extend(complaint(row, &own));
    }
    let program = tests.iter().filter(|test| test.through == Through::Program).count();
    println!("{} tests, {program} of them of the real program", tests.len());
    assert_eq!(complaints, Vec::<String>::new());
}

#[test]
fn every_file_that_kills_says_that_a_kill_is_no_power_cut() {
    assert_eq!(unsaid_kills(), Vec::<String>::new());
}

#[test]
fn a_row_without_a_test_is_noticed() {
    let page = "| id | what | done | seen |\n|---|---|---|---|\n| X-98 | a | fault | program |\n| X-99 | b | race | in process: so |\n\
                ## Tapes\n| id | what | done | seen |\n| X-99 | b | race | program |\n";
    let mut rows = rows(page);
    let of_tapes = rows.pop().unwrap();
    assert_eq!((of_tapes.on, rows[0].on), (On::Tapes, On::Directories));
    assert_eq!(rows[1].seen, Seen::InProcess("so".to_owned()));
    let source = "
/// X-98: in words.
#[test]
fn a_name() {
    body();
}

#[test]
fn x99_x98_by_name() {
    Simulates::KilledProcess.say();
}
";
    let found = shown::of_source("tests/engine/bad.rs", source, Through::InProcess);
    assert_eq!(found[0].rows, ["X-98"]);
    assert_eq!(found[1].rows, ["X-99", "X-98"]);
    assert_eq!((found[0].kind, found[1].kind), (None, Some("killed process")));
    let complaints = |tests: &[&Test]| rows.iter().filter_map(|row| complaint(row, tests)).count();
    assert_eq!(complaints(&[]), 2);
    assert_eq!(complaints(&[&found[0]]), 1, "it must be seen through the program");
    let through = Test {
        through: Through::Program,
        ..found[0].clone()
    };
    assert_eq!(complaints(&[&through]), 0);
    // What is shown with directories is not shown with tapes.
    assert!(shows(&found[1], &rows[1]) && !shows(&found[1], &of_tapes));
    let with_tapes = Test {
        name: "tests/tape/bad.rs x99".to_owned(),
        ..found[1].clone()
    };
    assert!(shows(&with_tapes, &of_tapes));
}
