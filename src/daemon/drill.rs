//! Drills: what the environment asks of a respoold that rehearses a disaster. Refused as a whole when any part of it is
//! not in order, and wherever the catalogue was not made for it.

use crate::api::Problem;
use crate::api::hello::Terms;
use jiff::{SignedDuration, Timestamp};
use lrs::ldm::faults::{CrashCheckpoints, FaultPlan};
use lrs::service::AgeClock;
use std::path::Path;

/// The clock that ages are counted on: the system's, shifted in a drill, running in any case.
#[derive(Clone, Copy, Debug)]
pub struct ShiftedClock {
    by: SignedDuration,
}

impl AgeClock for ShiftedClock {
    fn now(&self) -> Timestamp {
        // A drill near the end of time is refused when it is read.
        Timestamp::now().saturating_add(self.by).unwrap_or(Timestamp::MAX)
    }
}

/// The clock that the terms ask for.
pub fn clock(terms: &Terms) -> Result<ShiftedClock, Problem> {
    let by = match &terms.now {
        None => SignedDuration::ZERO,
        Some(text) => {
            let wanted: Timestamp = text.parse().map_err(|error| {
                Problem::refused(
                    "bad_drill",
                    "RESPOOL_NOW",
                    format!("RESPOOL_NOW={text} is not a time: {error}"),
                )
                .next("write it like 2030-01-31T12:00:00Z")
            })?;
            wanted.duration_since(Timestamp::now())
        }
    };
    Ok(ShiftedClock { by })
}

/// The faults that the terms name.
pub fn faults(terms: &Terms) -> Result<FaultPlan, Problem> {
    let Some(path) = &terms.faults else {
        return Ok(FaultPlan::none());
    };
    FaultPlan::load(Path::new(path)).map_err(|error| {
        Problem::refused("bad_drill", "RESPOOL_FAULTS", error.to_string()).next("correct the file; nothing was started")
    })
}

/// The steps at which the drill ends respoold, and their trace.
pub fn checkpoints(faults: FaultPlan) -> Result<CrashCheckpoints, Problem> {
    CrashCheckpoints::new(faults).map_err(|error| {
        let message = format!("the trace that RESPOOL_FAULTS asks for cannot be written: {error}");
        Problem::refused("bad_drill", "RESPOOL_FAULTS", message).next("name a file in a folder that exists")
    })
}

/// Drill variables need `RESPOOL_TESTING=1`, whatever the catalogue.
pub fn require_declared(terms: &Terms) -> Result<(), Problem> {
    match (&terms.testing, terms.drills()) {
        (Some(value), _) if value == "1" => Ok(()),
        (None, false) => Ok(()),
        (Some(value), _) => Err(Problem::refused(
            "bad_drill",
            "RESPOOL_TESTING",
            format!("RESPOOL_TESTING={value} means nothing; a drill has RESPOOL_TESTING=1"),
        )
        .next("set it to 1, or unset it")),
        (None, true) => Err(Problem::refused(
            "bad_drill",
            "RESPOOL_TESTING",
            "RESPOOL_NOW and RESPOOL_FAULTS are for drills, and RESPOOL_TESTING=1 is not set",
        )
        .next("unset them, or rehearse in a catalogue made by `respool init --testing`")),
    }
}

/// A drill happens only in a catalogue that was made for drills.
pub fn require_testing_catalogue(terms: &Terms, testing: bool) -> Result<(), Problem> {
    if terms.drills() && !testing {
        return Err(no_testing_catalogue());
    }
    Ok(())
}

/// There is a catalogue that matters, or none at all.
pub fn no_testing_catalogue() -> Problem {
    Problem::refused(
        "not_a_testing_catalogue",
        "RESPOOL_TESTING",
        "drills are rehearsed only in a catalogue that `respool init --testing` made, and this state folder has none",
    )
    .next("unset RESPOOL_TESTING, or run `respool init --testing` with another state folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_clock_starts_where_it_is_told_and_runs() {
        let terms = Terms {
            now: Some("2031-05-06T07:08:09Z".into()),
            ..Terms::default()
        };
        let clock = clock(&terms).unwrap();
        let first = clock.now();
        assert!(first.as_second() - "2031-05-06T07:08:09Z".parse::<Timestamp>().unwrap().as_second() <= 1);
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(clock.now() > first);
    }

    #[test]
    fn drill_variables_without_their_declaration_are_refused() {
        let terms = Terms {
            faults: Some("f.toml".into()),
            ..Terms::default()
        };
        assert_eq!(require_declared(&terms).unwrap_err().exit, 2);
        assert_eq!(require_testing_catalogue(&terms, false).unwrap_err().exit, 2);
        assert!(require_testing_catalogue(&Terms::default(), false).is_ok());
    }
}
