//! What an operator is told when media may hold what the catalogue does not know (E-16).

use super::Problem;
use dss::model::{AdmState, Medium, Standing};

/// The problem that these media are, if any of them is in doubt; `refused` says what was not done. Lost media are not.
pub fn in_doubt<'a>(media: impl IntoIterator<Item = &'a Medium>, refused: &str) -> Option<Problem> {
    let (mut ahead, mut unseen): (Vec<&str>, Vec<&str>) = (vec![], vec![]);
    for medium in media.into_iter().filter(|medium| medium.adm_state != AdmState::Dead) {
        match medium.standing {
            Standing::Level => {}
            Standing::Ahead => ahead.push(&medium.name),
            Standing::Unseen => unseen.push(&medium.name),
        }
    }
    if let Some(first) = ahead.first() {
        let message = format!(
            "{} saw a history that this catalogue does not have: the catalogue was restored from an older backup; \
             {refused}",
            named(&ahead)
        );
        return Some(
            Problem::integrity("medium_ahead", "us", *first, message)
                .next(format!("run `respool medium import {first} --reconcile`")),
        );
    }
    let first = unseen.first()?;
    let message = format!(
        "{} was not compared with the catalogue since that was restored; {refused}",
        named(&unseen)
    );
    Some(Problem::integrity("medium_unseen", "us", *first, message).next(format!(
        "attach it and run `respool medium import {first} --reconcile`, or, if it is lost, `respool medium dead {first}`"
    )))
}

fn named(names: &[&str]) -> String {
    match names {
        [one] => format!("medium {one}"),
        many => format!("each of the media {}", many.join(", ")),
    }
}
