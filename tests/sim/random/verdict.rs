//! The end of a run: nothing goes wrong any more, everything must come to rest, and then everything is looked at.

use super::actors::read;
use super::ledger::Row;
use super::life::{Life, mount};
use super::operators::trust;
use super::rules::{Bytes, look};
use super::tapes;
use super::world::{There, World};
use dss::catalogue::{Catalogue, MediumChange, ObjectFilter, Severity};
use dss::model::{AdmState, Blake3, ExtentId, ExtentState, Family, Health, Job, JobState, Medium, ObjectDetail};
use lrs::service::AgeClock;
use respool::api::jobs::exit_code;
use respool::daemon::control;
use respool::engine;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Everything rests within this time, by its own clock.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);
/// How often it is looked whether it does.
const GLANCE: Duration = Duration::from_secs(10);

/// After a crash, before anybody touches anything: every byte has a row (E-04).
pub fn every_file_has_a_row(world: &World) {
    let media = world.media();
    let mut strangers = Vec::new();
    for medium in media.iter().filter(|medium| medium.family == Family::Dir) {
        let rows: BTreeSet<String> = world
            .extents(Some(medium.id))
            .into_iter()
            .map(|row| row.address.0)
            .collect();
        let inner = world.inner();
        for name in inner.matter.slots[&medium.name].platter.names("objects") {
            let path = format!("objects/{name}");
            if !rows.contains(&path) {
                strangers.push(format!("E-04: {path} lies on {} and has no row", medium.name));
            }
        }
    }
    strangers.extend(tapes::strangers(world));
    strangers.into_iter().for_each(|what| world.broken(what));
}

/// The operator puts everything back and lets respoold do the rest.
pub async fn comes_to_rest(life: &Arc<Life>) {
    let world = &life.world;
    world.set_calm(true);
    for medium in world.media() {
        world.put_there(&medium.name, There::Itself);
    }
    set_right(world);
    life.start().await;
    let accepted = life.host.catalogue.accept_clock(life.host.clock.now()).await;
    accepted.expect("a calm catalogue answers");
    for medium in world.media() {
        if medium.locked {
            unlock(life, &medium).await;
        }
        if medium.health != Health::Ok || !medium.in_reach() {
            trust(life, &medium.name).await;
        }
    }
    let end = tokio::time::Instant::now() + PATIENCE;
    while world.jobs().iter().any(|job| !rests(world, job)) {
        if tokio::time::Instant::now() > end {
            return stuck(life).await;
        }
        for job in world.jobs() {
            if job.state == JobState::Paused && life.jobs.watch(job.id).is_none() {
                // It may have gone on by itself meanwhile.
                let _ = control::resume(&life.host, &life.jobs, job.id).await;
            }
        }
        tokio::time::sleep(GLANCE).await;
    }
    // What nobody is at work on any more is swept; media found erasing are erased.
    for _ in 0..2 {
        if let Err(problem) = engine::erase_fenced(&life.host).await {
            life.hear("erasing what was left", &problem);
        }
        match engine::sweep(&life.host).await {
            Ok(swept) => world.say(|| format!("{swept:?}")),
            Err(problem) => world.broken(format!("a calm sweep fails: {}", problem.message)),
        }
    }
}

/// The clock is set right: no quarantine ends later than it was given.
fn set_right(world: &World) {
    let ends = world.media().into_iter().filter_map(|medium| medium.quarantined_until);
    let late = ends
        .map(|end| end.as_millisecond() - world.now().as_millisecond())
        .max();
    if let Some(late) = late.filter(|late| *late > 0) {
        world.set_clock(late);
    }
}

async fn unlock(life: &Arc<Life>, medium: &Medium) {
    let change = MediumChange {
        locked: Some(false),
        why: "the operator says so".to_owned(),
        ..MediumChange::default()
    };
    let changed = life
        .host
        .catalogue
        .change_medium(medium.id, change, life.host.clock.now())
        .await;
    changed.expect("a calm catalogue answers");
    life.host
        .lrs
        .medium_changed(medium.id)
        .await
        .expect("a calm catalogue answers");
}

/// Nothing more happens to it by itself.
fn rests(world: &World, job: &Job) -> bool {
    match job.state {
        JobState::Queued | JobState::Running | JobState::Paused | JobState::Verifying | JobState::Reclaiming => false,
        JobState::Quarantined => job.spec.sources.iter().any(|source| {
            let medium = look(world.catalogue.medium_by_id(*source)).expect("a source has a row");
            medium.adm_state == AdmState::Quarantined && medium.quarantined_until.is_none()
        }),
        JobState::Done | JobState::DoneWithSkips | JobState::Failed | JobState::Cancelled | JobState::Restored => true,
    }
}

async fn stuck(life: &Arc<Life>) {
    for job in life.world.jobs() {
        if !rests(&life.world, &job) {
            let why = life.host.lrs.explain(&format!("job {}", job.id)).await;
            life.world.broken(format!(
                "liveness: job {} is {} after {PATIENCE:?} without trouble; it waits for {why:?}; at work: {}",
                job.id,
                job.state,
                life.jobs.watch(job.id).is_some()
            ));
        }
    }
}

/// Everything that is there, against everything that was told.
pub async fn is_sound(life: &Arc<Life>) {
    let world = &life.world;
    every_file_has_a_row(world);
    for finding in look(world.catalogue.findings(world.now())).expect("findings are listed") {
        if finding.severity == Severity::Error {
            world.broken(format!("check: {finding:?}"));
        }
    }
    jobs_say_why(world);
    let media: BTreeMap<_, _> = world.media().into_iter().map(|medium| (medium.id, medium)).collect();
    let mut good = BTreeSet::new();
    for row in world.extents(None) {
        let medium = &media[&row.medium];
        let held = world.held(&medium.name, &row);
        match (row.state, held) {
            (ExtentState::Pending, _) => world.broken(format!(
                "{} at {} on {} is pending, and nobody writes it",
                row.id, row.address, medium.name
            )),
            (ExtentState::Sync, Bytes::Wrong) => world.broken(format!(
                "E-15: {} of {} at {} on {} is sync and its bytes are gone",
                row.id, row.origin.oid, row.address, medium.name
            )),
            (ExtentState::Sync, Bytes::Good) => _ = good.insert(row.id),
            (ExtentState::Sync, Bytes::Struck) | (ExtentState::Orphan, _) => {}
        }
    }
    for medium in media.values() {
        match medium.family {
            Family::Dir => indexes_agree(life, medium),
            Family::Tape => {}
        }
    }
    tapes::are_sound(world);
    objects_are_there(life, &good).await;
}

fn jobs_say_why(world: &World) {
    for job in world.jobs() {
        let (what, exit) = (format!("job {} is {}", job.id, job.state), exit_code(&job));
        if matches!(exit, 2 | 70) {
            world.broken(format!("I9: {what} with exit {exit}: {:?}", job.error));
        }
        match (job.state, &job.error) {
            (JobState::Failed, None) => world.broken(format!("I9: {what} and does not say why")),
            (JobState::Failed, Some(error)) if exit == 0 || error.message.is_empty() => {
                world.broken(format!("I9: {what} with exit {exit}: {error:?}"));
            }
            (JobState::Done, _) if exit != 0 && !looked_bad(&job) => {
                world.broken(format!("I9: {what} with exit {exit}"));
            }
            (JobState::DoneWithSkips, _) if job.skips.is_empty() => {
                world.broken(format!("I9: {what} and lists none"));
            }
            _ => {}
        }
    }
}

/// Nothing is missing, but a digest did not hold.
fn looked_bad(job: &Job) -> bool {
    job.substitutions.iter().any(|one| one.wrong_bytes) || job.tally.read_back_failed > 0
}

/// A medium names what the catalogue says of it, and nothing that the catalogue does not know.
fn indexes_agree(life: &Arc<Life>, medium: &Medium) {
    let world = &life.world;
    if medium.name == world.victim || medium.adm_state == AdmState::Erasing {
        return;
    }
    let index = mount(world, medium).and_then(|mut volume| volume.index()?.collect::<Result<Vec<_>, _>>());
    let named: BTreeSet<ExtentId> = match index {
        Ok(entries) => entries.into_iter().map(|entry| entry.tag.extent).collect(),
        Err(error) => return world.broken(format!("{} cannot be mounted in the end: {error}", medium.name)),
    };
    let rows = world.extents(Some(medium.id));
    let known: BTreeSet<ExtentId> = rows.iter().map(|row| row.id).collect();
    let sync = rows.iter().filter(|row| row.state == ExtentState::Sync);
    for row in sync.filter(|row| !named.contains(&row.id)) {
        world.broken(format!(
            "{} at {} is not in the index of {}",
            row.id, row.address, medium.name
        ));
    }
    for stranger in named.difference(&known) {
        world.broken(format!(
            "the index of {} names {stranger}, which has no row",
            medium.name
        ));
    }
}

async fn objects_are_there(life: &Arc<Life>, good: &BTreeSet<ExtentId>) {
    let filter = ObjectFilter {
        prefix: None,
        deleted: true,
    };
    let all = look(life.world.catalogue.list_objects(&filter, None, u32::MAX)).expect("objects are listed");
    let mut rows: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for detail in all {
        let content = is_readable(life, &detail, good).await;
        let object = detail.object;
        if look(life.world.catalogue.object_by_id(object.id)).is_err() {
            continue;
        }
        let told = || {
            let inner = life.world.inner();
            let page = inner.matter.ledger.pages.get(object.oid.as_str())?;
            page.told(object.version)
        };
        // What was lost by an honest fault was what it was.
        let Some(content) = content.or_else(told) else { continue };
        rows.entry(object.oid.as_str().to_owned()).or_default().push(Row {
            version: object.version,
            live: object.deleted_at.is_none(),
            content,
        });
    }
    let ledger = life.world.inner().matter.ledger.clone();
    for (name, page) in &ledger.pages {
        let rows = rows.remove(name).unwrap_or_default();
        for wrong in page.held_against(name, &rows) {
            life.world.broken(wrong);
        }
    }
    for name in rows.into_keys() {
        life.world.broken(format!("{name} is there, and nobody put it"));
    }
}

/// Reads a version: it must come whole while one copy of every extent is good, and never come wrong.
async fn is_readable(life: &Arc<Life>, detail: &ObjectDetail, good: &BTreeSet<ExtentId>) -> Option<Blake3> {
    let object = &detail.object;
    let what = format!("{} version {}", object.oid, object.version);
    let places: BTreeSet<_> = detail.entries.iter().map(|entry| entry.index).collect();
    let whole = places.iter().all(|index| {
        let mut copies = detail.entries.iter().filter(|entry| entry.index == *index);
        copies.any(|entry| good.contains(&entry.extent.id))
    });
    let version = Some(object.version);
    match read(life, object.oid.as_str(), version).await {
        Ok((_, bytes)) => Some(Blake3(*blake3::hash(&bytes).as_bytes())),
        Err(problem) => {
            life.hear(&what, &problem);
            if look(life.world.catalogue.object_by_id(object.id)).is_err() {
                // Its window ended, and it was purged, between the list and the look.
                return None;
            }
            if whole {
                life.world.broken(format!(
                    "I5: {what} cannot be read, and its bytes are there: {}",
                    problem.message
                ));
            } else if !matches!(problem.exit, 3 | 4) {
                life.world.broken(format!(
                    "I9: {what} is lost, and that is told with exit {}",
                    problem.exit
                ));
            }
            None
        }
    }
}
