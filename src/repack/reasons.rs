//! Why a medium is worth emptying or not, in an operator's words, and what would change that.

use super::candidates::{Against, Facts, Left, Ranking, Terms, WORTH_PERCENT};
use dss::model::medium::NoTarget;
use dss::model::{AdmState, ByteCount, Health, JobState};
use jiff::Timestamp;

/// A part in hundredths, rounded down; less than one is said so.
pub fn percent(part: ByteCount, whole: ByteCount) -> String {
    match (u128::from(part.0) * 100).checked_div(u128::from(whole.0)) {
        None | Some(0) if part == ByteCount::ZERO => "0 %".to_owned(),
        None | Some(0) => "less than 1 %".to_owned(),
        Some(hundredths) => format!("{hundredths} %"),
    }
}

/// A time that has passed: the largest unit of which there are two.
fn span(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    for (unit, length) in [("days", 86_400), ("hours", 3_600), ("minutes", 60)] {
        if seconds >= 2 * length {
            return format!("{} {unit}", seconds / length);
        }
    }
    format!("{seconds} seconds")
}

/// A time as far as anybody plans by it.
fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// What speaks for a candidate.
pub fn of_candidate(facts: &Facts, terms: Terms, later_at: Option<Timestamp>) -> String {
    let holding = &facts.holding;
    let dead = holding.dead + holding.kept;
    let mut words = vec![format!("{} of {} is dead", percent(dead, holding.used), holding.used)];
    match facts.medium.health {
        Health::Suspect | Health::Failing => {
            let health = facts.medium.health;
            let since = holding
                .health_since
                .map(|since| format!(" since {}", span(since, terms.now)));
            let since = since.unwrap_or_default();
            words.push(format!("{health}{since}: get off it while it can be read"));
        }
        Health::Ok | Health::Failed => {}
    }
    match facts.medium.adm_state {
        state @ (AdmState::Draining | AdmState::AbandonShip) => {
            words.push(format!("{state}: the operator wants it emptied"));
        }
        AdmState::InService
        | AdmState::ReadOnly
        | AdmState::Quarantined
        | AdmState::Erasing
        | AdmState::Retired
        | AdmState::Dead => {}
    }
    if holding.kept > ByteCount::ZERO {
        words.push(format!("{} are held and go only when it is emptied", holding.kept));
    }
    if let Some(at) = later_at {
        words.push(format!(
            "{} more can go by {}",
            holding.deleted + holding.held,
            minute(at)
        ));
    }
    words.join("; ")
}

impl Against {
    /// What is so.
    pub fn why(&self) -> String {
        match self {
            Self::Locked => "it is locked".to_owned(),
            Self::Standing(standing) => format!("it is {}", NoTarget::Standing(*standing)),
            Self::Quarantined(job, until, held) => {
                let job = job.map_or_else(String::new, |job| format!(" by job {job}"));
                let until = until.map_or_else(
                    || "until an operator decides".to_owned(),
                    |at| format!("until {}", minute(at)),
                );
                format!("it was emptied{job} and is quarantined: {held} are held {until}")
            }
            Self::State(state) => format!("it is {state}"),
            Self::Failed => "its health is failed: it is taken for gone".to_owned(),
            Self::Away(presence) => format!("it is {presence}"),
            Self::SourceOf(job, state) => format!("job {job} empties it, and is {state}"),
            Self::TargetOf(job) => format!("it is the only target of job {job}"),
            Self::Written(extents) => format!("{extents} extents are being written to it"),
            Self::LastGood(extents) => {
                format!("its old bytes may be the last good ones of {extents} extents on media in doubt")
            }
            Self::Nothing => "there is nothing on it".to_owned(),
            Self::NotWorth { dead, used, .. } => format!(
                "{} of {used} is dead, and less than {WORTH_PERCENT} % is not worth moving the rest for",
                percent(*dead, *used)
            ),
            Self::NoTarget(missing) => {
                format!("what lives on it would find no place: {missing} are missing on other media")
            }
        }
    }

    /// What would make the medium a candidate, as far as this goes.
    pub fn way_out(&self, medium: &str) -> String {
        match self {
            Self::Locked => told(NoTarget::Locked, medium),
            Self::Standing(standing) => told(NoTarget::Standing(*standing), medium),
            Self::Away(presence) => told(NoTarget::Presence(*presence), medium),
            Self::Quarantined(Some(job), None, _) => format!(
                "`respool repack {medium} --quarantine 0` erases it, `respool job restore {job}` goes back to its bytes"
            ),
            Self::Quarantined(Some(job), Some(_), _) => format!(
                "nothing: it is erased then, and takes extents again; until then `respool job restore {job}` goes back \
                 to its bytes"
            ),
            Self::Quarantined(None, ..) => "nothing: it is erased then, and takes extents again".to_owned(),
            Self::State(AdmState::Erasing) => "nothing: it is being erased".to_owned(),
            Self::State(AdmState::Dead) => "nothing brings it back; what it held is told by `respool check`".to_owned(),
            Self::State(_) => format!("`respool medium set {medium} adm_state=read_only` takes it into account again"),
            Self::Failed => format!(
                "when it is mended run `respool medium trust {medium}`; if it is lost, `respool medium dead {medium}`"
            ),
            Self::SourceOf(job, JobState::Paused) => {
                format!("go on with that job: `respool job resume {job}`; or cancel it")
            }
            Self::SourceOf(job, _) => format!("wait for that job with `respool job wait {job}`, or cancel it"),
            Self::TargetOf(job) => format!("wait for that job with `respool job wait {job}`, or cancel it"),
            Self::Written(_) => "wait until these are stored".to_owned(),
            Self::LastGood(_) => {
                "mend the media in doubt (`respool medium list`) and trust them, or repack those first".to_owned()
            }
            Self::Nothing => "it is empty already".to_owned(),
            Self::NotWorth {
                dead,
                used,
                later,
                later_at,
                deleted,
            } => {
                let then = *dead + *later;
                let way = match later_at {
                    Some(at) if u128::from(then.0) * 100 >= u128::from(used.0) * u128::from(WORTH_PERCENT) => {
                        format!(
                            "wait until {}: by then {} of it can go",
                            minute(*at),
                            percent(then, *used)
                        )
                    }
                    Some(_) | None => format!(
                        "it becomes one when more of it is deleted; `respool repack {medium}` empties it all the same"
                    ),
                };
                match *deleted > ByteCount::ZERO {
                    true => format!("{way}; or {}", dropping(*deleted, medium)),
                    false => way,
                }
            }
            Self::NoTarget(_) => {
                "add a medium with `respool dir add`, make room on another one, or wait until quarantines end"
                    .to_owned()
            }
        }
    }
}

/// What to do with deleted versions that hold bytes, and what that takes away.
pub fn dropping(deleted: ByteCount, medium: &str) -> String {
    format!(
        "`respool repack {medium} --drop-deleted` gives up the {deleted} that deleted and overwritten versions hold \
         there: they cannot be undeleted then, and the bytes are free when its quarantine ends"
    )
}

/// What gives bytes back where no medium is a candidate, on the one where that gives most; None: nothing does.
pub fn without_candidates(ranking: &Ranking) -> Option<String> {
    if !ranking.candidates.is_empty() {
        return None;
    }
    let held = |left: &Left| Some((only_deleted(left)?, left.name.clone()));
    let (deleted, name) = ranking.left.iter().filter_map(held).max()?;
    Some(dropping(deleted, &name))
}

/// What deleted versions hold on a medium that nothing else speaks against than that too little of it is dead.
fn only_deleted(left: &Left) -> Option<ByteCount> {
    let [Against::NotWorth { deleted, .. }] = left.against[..] else {
        return None;
    };
    (deleted > ByteCount::ZERO).then_some(deleted)
}

fn told(what: NoTarget, medium: &str) -> String {
    what.way_out(medium).unwrap_or_default()
}
