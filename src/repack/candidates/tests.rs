//! One rule of the ranking a test; the clock is invented.

use super::*;
use dss::model::{Family, Generation, Location, MediumFormat, Revision};
use std::collections::BTreeSet;

const GIB: u64 = 1 << 30;
const DAY: i64 = 86_400;

fn at(days: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + days * DAY).unwrap()
}

fn terms() -> Terms {
    Terms {
        now: at(100),
        undelete_window: SignedDuration::from_hours(24 * 30),
    }
}

/// A medium of 100 GiB in use, so many of them dead, with 1,000 GiB of room.
fn medium(name: &str, dead: u64) -> Facts {
    let id = MediumId::fresh();
    let bytes = |gib: u64| ByteCount(gib * GIB);
    Facts {
        medium: Medium {
            id,
            name: name.to_owned(),
            family: Family::Dir,
            technology: "dir".to_owned(),
            format: MediumFormat::Respool,
            location: Location {
                path: format!("/media/{name}"),
                dock: None,
                library: None,
            },
            tags: BTreeSet::new(),
            groupings: BTreeSet::new(),
            class: None,
            adm_state: AdmState::InService,
            locked: false,
            health: Health::Ok,
            presence: Presence::Attached,
            fs_state: FsState::Used,
            generation: Generation(0),
            capacity: None,
            revision: Revision(0),
            standing: Standing::Level,
            quarantined_until: None,
            emptied_by: None,
            doubts: 0,
            created_at: at(0),
        },
        holding: Holding {
            medium: id,
            used: bytes(100),
            live: bytes(100 - dead),
            live_extents: 100 - dead,
            largest: bytes(1),
            written_at: Some(at(10)),
            deleted: ByteCount::ZERO,
            deleted_at: None,
            dead: bytes(dead),
            held: ByteCount::ZERO,
            held_until: None,
            kept: ByteCount::ZERO,
            pending: 0,
            last_good: 0,
            health_since: None,
        },
        free: Some(bytes(1_000)),
        source_of: None,
        target_of: None,
        stranded: ByteCount::ZERO,
    }
}

fn names(facts: &[Facts]) -> Vec<String> {
    let ranking = rank(facts, terms());
    ranking.candidates.into_iter().map(|one| one.name).collect()
}

/// What speaks against the first of these media.
fn against_first(facts: &[Facts]) -> Vec<Against> {
    let left = rank(facts, terms()).left;
    let found = left.into_iter().find(|one| one.name == facts[0].medium.name);
    found.map(|one| one.against).unwrap_or_default()
}

#[test]
fn the_most_reclaimable_bytes_come_first() {
    let large = medium("large", 61);
    let mut small = medium("small", 90);
    small.holding.used = ByteCount(50 * GIB);
    small.holding.dead = ByteCount(45 * GIB);
    assert_eq!(
        names(&[small, medium("middle", 50), large]),
        ["large", "middle", "small"]
    );
}

#[test]
fn of_as_many_dead_bytes_the_larger_share_comes_first_then_more_later_then_the_older() {
    let mut fuller = medium("fuller", 40);
    fuller.holding.used = ByteCount(200 * GIB);
    let mut soon = medium("soon", 40);
    soon.holding.deleted = ByteCount(GIB);
    soon.holding.deleted_at = Some(at(90));
    let mut older = medium("older", 40);
    older.holding.written_at = Some(at(5));
    let plain = [medium("b", 40), medium("a", 40)];
    let all = [vec![fuller, soon, older], plain.to_vec()].concat();
    assert_eq!(names(&all), ["soon", "older", "a", "b", "fuller"]);
}

#[test]
fn every_order_of_the_same_facts_gives_the_same_list() {
    let mut all: Vec<Facts> = (0..7).map(|n| medium(&format!("m{n}"), 20 + n % 3)).collect();
    all[3].medium.health = Health::Suspect;
    let expected = rank(&all, terms());
    assert_eq!((expected.candidates.len(), expected.left.len()), (7, 0));
    for _ in 0..all.len() {
        all.rotate_left(1);
        assert_eq!(rank(&all, terms()), expected);
        all.reverse();
        assert_eq!(rank(&all, terms()), expected);
    }
}

#[test]
fn what_must_be_got_off_goes_before_what_is_merely_dead() {
    let with = |name, health, adm_state| {
        let mut one = medium(name, 0);
        (one.medium.health, one.medium.adm_state) = (health, adm_state);
        one
    };
    let all = [
        medium("dead", 100),
        with("draining", Health::Ok, AdmState::Draining),
        with("suspect", Health::Suspect, AdmState::InService),
        with("ship", Health::Ok, AdmState::AbandonShip),
        with("failing", Health::Failing, AdmState::ReadOnly),
    ];
    assert_eq!(names(&all), ["failing", "ship", "suspect", "draining", "dead"]);
}

#[test]
fn a_reason_says_how_much_is_dead_since_when_it_is_ill_and_what_goes_later() {
    let mut one = medium("a", 61);
    one.medium.health = Health::Suspect;
    one.holding.health_since = Some(at(88));
    one.holding.deleted = ByteCount(GIB);
    one.holding.deleted_at = Some(at(90));
    one.holding.kept = ByteCount(2 * GIB);
    let reason = &rank(&[one, medium("b", 0)], terms()).candidates[0].reason;
    let expected = "63 % of 100.0 GiB is dead; suspect since 12 days: get off it while it can be read; 2.0 GiB are held \
                    and go only when it is emptied; 1.0 GiB more can go by ";
    assert!(reason.starts_with(expected), "{reason}");
    assert!(
        reason.ends_with(&at(120).strftime("%Y-%m-%d %H:%M UTC").to_string()),
        "{reason}"
    );
}

#[test]
fn a_tenth_has_to_be_dead() {
    let other = medium("other", 0);
    assert_eq!(names(&[medium("a", 10), other.clone()]), ["a"]);
    let facts = [medium("a", 9), other];
    assert!(matches!(against_first(&facts)[..], [Against::NotWorth { .. }]));
    assert!(against_first(&facts)[0].way_out("a").contains("more of it is deleted"));
}

#[test]
fn what_will_be_dead_at_a_time_makes_a_candidate_then_and_says_so() {
    let mut one = medium("a", 9);
    one.holding.deleted = ByteCount(2 * GIB);
    one.holding.deleted_at = Some(at(90));
    let why = against_first(&[one, medium("b", 0)]);
    let when = at(120).strftime("%Y-%m-%d").to_string();
    let way = why[0].way_out("a");
    assert!(way.contains(&when) && way.contains("11 %"), "{way}");
}

#[test]
fn what_deleted_versions_hold_can_be_given_up_where_there_is_no_candidate() {
    use crate::repack::reasons::without_candidates;
    let holding = |name, deleted| {
        let mut one = medium(name, 0);
        one.holding.deleted = ByteCount(deleted * GIB);
        one.holding.deleted_at = Some(at(90));
        one
    };
    let told = |facts: &[Facts]| without_candidates(&rank(facts, terms()));
    let mut locked = holding("locked", 9);
    locked.medium.locked = true;
    let facts = [holding("a", 2), holding("b", 5), locked, medium("c", 0)];
    let way = told(&facts).unwrap();
    assert!(
        way.contains("`respool repack b --drop-deleted`"),
        "the most, where it can be had: {way}"
    );
    assert!(way.contains("5.0 GiB") && way.contains("cannot be undeleted"), "{way}");
    let own = rank(&facts, terms()).left[0].against[0].way_out("a");
    assert!(own.contains("or `respool repack a --drop-deleted`"), "{own}");
    assert_eq!(told(&[medium("a", 0), medium("c", 0)]), None, "nothing was deleted");
    let worth = medium("worth", 50);
    assert_eq!(told(&[holding("a", 2), worth, medium("c", 0)]), None, "there is one");
}

/// A change to a medium, and what it has to say against it.
type Case = (fn(&mut Facts), Against);

#[test]
fn what_is_in_use_or_out_of_reach_is_left_with_every_reason() {
    let cases: [Case; 10] = [
        (|one| one.medium.locked = true, Against::Locked),
        (
            |one| one.medium.standing = Standing::Ahead,
            Against::Standing(Standing::Ahead),
        ),
        (
            |one| one.medium.adm_state = AdmState::Retired,
            Against::State(AdmState::Retired),
        ),
        (|one| one.medium.health = Health::Failed, Against::Failed),
        (
            |one| one.medium.presence = Presence::Missing,
            Against::Away(Presence::Missing),
        ),
        (
            |one| one.source_of = Some((JobId(7), JobState::Paused)),
            Against::SourceOf(JobId(7), JobState::Paused),
        ),
        (|one| one.target_of = Some(JobId(8)), Against::TargetOf(JobId(8))),
        (|one| one.holding.pending = 3, Against::Written(3)),
        (|one| one.holding.last_good = 2, Against::LastGood(2)),
        (
            |one| {
                one.medium.adm_state = AdmState::Quarantined;
                one.medium.emptied_by = Some(JobId(9));
                one.medium.quarantined_until = Some(at(107));
                one.source_of = Some((JobId(9), JobState::Quarantined));
            },
            Against::Quarantined(Some(JobId(9)), Some(at(107)), ByteCount(100 * GIB)),
        ),
    ];
    let mut both = medium("a", 50);
    for (change, expected) in &cases {
        let mut one = medium("a", 50);
        change(&mut one);
        let found = against_first(&[one, medium("b", 0)]);
        assert_eq!(found, [*expected]);
        assert!(!found[0].why().is_empty() && !found[0].way_out("a").is_empty());
    }
    (cases[0].0)(&mut both);
    (cases[4].0)(&mut both);
    assert_eq!(against_first(&[both, medium("b", 0)]), [cases[0].1, cases[4].1]);
}

#[test]
fn without_room_elsewhere_the_missing_bytes_are_told() {
    let need = ByteCount(50 * GIB + 50 * EXTENT_OVERHEAD.0);
    assert_eq!(against_first(&[medium("a", 50)]), [Against::NoTarget(need)]);
    let mut locked = medium("b", 0);
    locked.medium.locked = true;
    assert_eq!(against_first(&[medium("a", 50), locked]), [Against::NoTarget(need)]);
    let mut source = medium("b", 0);
    source.source_of = Some((JobId(1), JobState::Running));
    assert_eq!(against_first(&[medium("a", 50), source]), [Against::NoTarget(need)]);
    let mut small = medium("b", 0);
    small.free = Some(ByteCount(20 * GIB));
    let short = ByteCount(need.0 - 20 * GIB);
    assert_eq!(
        against_first(&[medium("a", 50), small.clone()]),
        [Against::NoTarget(short)]
    );
    let two = [
        medium("a", 80),
        small.clone(),
        Facts {
            medium: medium("c", 0).medium,
            ..small
        },
    ];
    assert_eq!(against_first(&two), [], "room on several media counts together");
}

#[test]
fn an_extent_is_never_split_and_copies_never_meet() {
    let mut large = medium("a", 50);
    large.holding.largest = ByteCount(40 * GIB);
    let small = Facts {
        free: Some(ByteCount(30 * GIB)),
        ..medium("b", 0)
    };
    let other = Facts {
        free: Some(ByteCount(30 * GIB)),
        ..medium("c", 0)
    };
    let short = ByteCount(10 * GIB + EXTENT_OVERHEAD.0);
    assert_eq!(against_first(&[large, small, other]), [Against::NoTarget(short)]);
    let mut apart = medium("a", 50);
    apart.stranded = ByteCount(5 * GIB);
    assert_eq!(
        against_first(&[apart, medium("b", 0)]),
        [Against::NoTarget(ByteCount(5 * GIB))]
    );
}

#[test]
fn a_medium_with_nothing_live_needs_no_target_and_an_empty_one_is_none() {
    assert_eq!(names(&[medium("a", 100)]), ["a"]);
    let mut empty = medium("a", 0);
    (empty.holding.used, empty.holding.live, empty.holding.live_extents) = (ByteCount(0), ByteCount(0), 0);
    empty.medium.health = Health::Failing;
    assert_eq!(against_first(&[empty]), [Against::Nothing]);
}

#[test]
fn a_share_below_one_hundredth_is_not_called_none() {
    use crate::repack::reasons::percent;
    assert_eq!(percent(ByteCount(1), ByteCount(1_000)), "less than 1 %");
    assert_eq!(percent(ByteCount(0), ByteCount(0)), "0 %");
    assert_eq!(percent(ByteCount(999), ByteCount(1_000)), "99 %");
}
