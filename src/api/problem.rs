//! What went wrong, in the one form that every layer above the catalogue and the media answers.

use dss::model::JobError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Exit codes: a contract with scripts.
pub mod exit {
    /// Done.
    pub const DONE: u8 = 0;
    /// Done but for extents that are listed.
    pub const SKIPS: u8 = 1;
    /// Refused, nothing touched.
    pub const REFUSED: u8 = 2;
    /// A drive, medium or catalogue is not available.
    pub const ENVIRONMENT: u8 = 3;
    /// A digest mismatch or a broken invariant.
    pub const INTEGRITY: u8 = 4;
    /// Stopped early, resumable.
    pub const STOPPED: u8 = 5;
    /// A bug.
    pub const BUG: u8 = 70;

    /// Of two that apply, the one to tell: 70, 4, 3, 1, 5. A refusal stands alone and yields to what happened.
    pub fn worse(a: u8, b: u8) -> u8 {
        let rank = |code: u8| match code {
            BUG => 6,
            INTEGRITY => 5,
            ENVIRONMENT => 4,
            SKIPS => 3,
            STOPPED => 2,
            REFUSED => 1,
            DONE => 0,
            _ => 6,
        };
        if rank(b) > rank(a) { b } else { a }
    }
}

/// A failed request. `message` says what failed, on which medium or drive, and what the system did; `next` what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, JsonSchema)]
#[error("{message}")]
pub struct Problem {
    /// A short constant word for scripts.
    pub code: String,
    /// extent, medium, drive, library, operator or us.
    pub blame: String,
    /// The thing to blame, by name.
    pub subject: String,
    /// What failed and what was done about it.
    pub message: String,
    /// What to do next.
    pub next: String,
    /// The exit code it deserves.
    pub exit: u8,
}

impl Problem {
    fn new(code: &str, blame: &str, subject: impl Into<String>, message: impl Into<String>, exit: u8) -> Self {
        Self {
            code: code.to_owned(),
            blame: blame.to_owned(),
            subject: subject.into(),
            message: message.into(),
            next: String::new(),
            exit,
        }
    }

    /// The request was refused and nothing was touched (exit 2).
    pub fn refused(code: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(code, "operator", subject, message, exit::REFUSED)
    }

    /// A medium, drive or the catalogue is not available (exit 3). `blame` is one of the words of the media layer.
    pub fn environment(code: &str, blame: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(code, blame, subject, message, exit::ENVIRONMENT)
    }

    /// Bytes or rows are not what they should be (exit 4).
    pub fn integrity(code: &str, blame: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(code, blame, subject, message, exit::INTEGRITY)
    }

    /// Stopped early and resumable (exit 5).
    pub fn stopped(code: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(code, "operator", subject, message, exit::STOPPED)
    }

    /// A bug of ours (exit 70).
    pub fn bug(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new("bug", "us", subject, message, exit::BUG)
            .next("report this with the log of respoold; `respool check` tells whether anything is broken")
    }

    /// What failed first stays the problem to tell; what was met when it was tried again is told with it.
    #[must_use]
    pub fn and_then(mut self, later: Self) -> Self {
        if later.message != self.message {
            self.message = format!("{}; tried again: {}", self.message, later.message);
        }
        self.exit = exit::worse(self.exit, later.exit);
        self
    }

    /// Keeps what failed first, with what was met since.
    pub fn keep_first(known: &mut Option<Self>, now: Self) {
        *known = Some(match known.take() {
            None => now,
            Some(first) => first.and_then(now),
        });
    }

    /// Says what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }
}

impl From<Problem> for JobError {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code,
            blame: problem.blame,
            subject: problem.subject,
            message: problem.message,
            next: problem.next,
            exit: problem.exit,
        }
    }
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        Self {
            code: error.code,
            blame: error.blame,
            subject: error.subject,
            message: error.message,
            next: error.next,
            exit: error.exit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Problem;
    use super::exit::{BUG, DONE, ENVIRONMENT, INTEGRITY, REFUSED, SKIPS, STOPPED, worse};

    ///
    #[test]
    fn what_failed_first_stays_the_problem_when_it_is_tried_again() {
        let first = Problem::environment("put_void", "medium", "b", "medium b is read-only").next("see to b");
        let told = first
            .clone()
            .and_then(Problem::refused("no_target", "x", "b is suspect").next("add a medium"));
        assert_eq!(
            (&told.code, &told.subject, &told.next),
            (&first.code, &first.subject, &first.next)
        );
        assert_eq!(told.message, "medium b is read-only; tried again: b is suspect");
        assert_eq!(told.exit, ENVIRONMENT);
        assert_eq!(
            first.clone().and_then(first.clone()),
            first,
            "the same again is said once"
        );
    }

    #[test]
    fn of_several_exits_the_worst_is_told() {
        let order = [BUG, INTEGRITY, ENVIRONMENT, SKIPS, STOPPED, REFUSED, DONE];
        for (position, code) in order.into_iter().enumerate() {
            for milder in &order[position..] {
                assert_eq!((worse(code, *milder), worse(*milder, code)), (code, code));
            }
        }
    }
}
