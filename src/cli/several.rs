//! Commands about many objects: what could not be done, in lines for people and as one exit code.

use crate::api::{Problem, exit};
use dss::model::Oid;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;

/// So many of a kind are named to people; the others are counted. JSON has all of them.
pub const NAMED_MAX: usize = 20;

#[derive(Debug, Serialize, JsonSchema)]
pub struct Refused {
    pub oid: Oid,
    pub problem: Problem,
}

/// The exit code of all together, when `done` of them were done and `error` ended the command early, if anything did.
/// "Refused, nothing touched" is not true of many of which some were done.
pub fn exit_of(done: usize, refused: &[Refused], error: Option<&Problem>) -> u8 {
    let exits = refused.iter().map(|refused| refused.problem.exit);
    let exits = exits.chain(error.map(|problem| problem.exit));
    let truly = |code| match code {
        exit::REFUSED if done > 0 => exit::SKIPS,
        code => code,
    };
    exits.map(truly).fold(exit::DONE, exit::worse)
}

/// A line for each of the first, and one that counts the others.
pub fn named<T>(all: &[T], word: &str, line: impl Fn(&T) -> String) -> Vec<String> {
    let first = all.iter().take(NAMED_MAX);
    let mut lines: Vec<String> = first.map(|one| format!("{word}: {}", line(one))).collect();
    let more = all.len() - lines.len();
    if more > 0 {
        lines.push(format!("{word}: {more} more"));
    }
    lines
}

/// Those that were refused, and what to do about it: many are refused for one reason, and its way out is said once.
pub fn refusals(refused: &[Refused], word: &str) -> Vec<String> {
    let mut lines = named(refused, word, |refused| {
        format!("{}: {}", refused.oid, refused.problem.message)
    });
    let ways: BTreeSet<&str> = refused.iter().map(|refused| &*refused.problem.next).collect();
    let ways = ways.into_iter().filter(|way| !way.is_empty()).take(NAMED_MAX);
    lines.extend(ways.map(|way| format!("  next: {way}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(number: usize, exit: u8) -> Refused {
        let oid = Oid::new(format!("o/{number}")).unwrap();
        let problem = Problem::refused("c", oid.as_str(), format!("message {number}")).next("the way");
        Refused {
            problem: Problem { exit, ..problem },
            oid,
        }
    }

    #[test]
    fn the_first_are_named_and_the_rest_is_counted() {
        let all: Vec<Refused> = (0..NAMED_MAX + 3).map(|number| refused(number, 2)).collect();
        let lines = refusals(&all, "not stored");
        assert_eq!(lines.len(), NAMED_MAX + 2, "{lines:?}");
        assert_eq!(lines[0], "not stored: o/0: message 0");
        assert_eq!(lines[NAMED_MAX..], ["not stored: 3 more", "  next: the way"]);
        assert_eq!(refusals(&all[..NAMED_MAX], "x").len(), NAMED_MAX + 1);
        assert_eq!(refusals(&[], "x"), [""; 0]);
    }

    #[test]
    fn the_worst_is_told_and_a_refusal_stands_alone() {
        let (bad, worse) = (refused(0, exit::REFUSED), refused(1, exit::ENVIRONMENT));
        let stopped = Problem::stopped("interrupted", "x", "x");
        assert_eq!(exit_of(3, &[], None), exit::DONE);
        assert_eq!(exit_of(0, &[refused(0, 2)], None), exit::REFUSED);
        assert_eq!(exit_of(1, &[refused(0, 2)], None), exit::SKIPS);
        assert_eq!(exit_of(1, &[refused(0, 2)], Some(&stopped)), exit::SKIPS);
        assert_eq!(exit_of(0, &[refused(0, 2)], Some(&stopped)), exit::STOPPED);
        assert_eq!(exit_of(1, &[], Some(&stopped)), exit::STOPPED);
        assert_eq!(exit_of(1, &[bad, worse], Some(&stopped)), exit::ENVIRONMENT);
    }
}
