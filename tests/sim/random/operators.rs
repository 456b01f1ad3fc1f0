//! Operators: what they ask of media and jobs; and what bad luck brings beside the faults of single calls.

use super::life::Life;
use super::rules::look;
use super::scenario::{Repack, Wish};
use super::world::There;
use dss::catalogue::{Catalogue, MediumChange};
use dss::model::{
    AdmState, Family, Health, Holder, HolderId, JobKind, JobSpec, Presence, Quarantine, Resource, VerifyMode,
};
use lrs::service::AgeClock;
use respool::api::Problem;
use respool::daemon::control;
use respool::engine;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub async fn submit(life: &Arc<Life>, repack: Repack) -> Result<(), Problem> {
    let mut sources = Vec::new();
    for name in &repack.sources {
        sources.push(life.host.catalogue.medium(name).await?.id);
    }
    let to = match &repack.to {
        Some(name) => Some(life.host.catalogue.medium(name).await?.id),
        None => None,
    };
    let spec = JobSpec {
        sources,
        only: BTreeSet::new(),
        to,
        to_tags: BTreeSet::new(),
        quarantine: repack.quarantine,
        verify: repack.verify,
        drop_deleted: repack.drop_deleted,
        limit_bytes: repack.limit_bytes,
        limit_seconds: repack.limit_seconds,
    };
    let job = engine::submit(&life.host, JobKind::Repack, spec).await?;
    life.jobs.start(job.id);
    Ok(())
}

/// One extent, to one medium: as `extent migrate` asks for it.
pub async fn migrate(life: &Arc<Life>, which: u64, to: &str) -> Result<(), Problem> {
    let extents = life.world.extents(None);
    let Some(extent) = extents.get(which as usize % extents.len().max(1)) else {
        return Ok(());
    };
    let extent = life.host.catalogue.extent(extent.id).await?;
    let spec = JobSpec {
        sources: vec![extent.medium],
        only: BTreeSet::from([extent.id]),
        to: Some(life.id(to)),
        to_tags: BTreeSet::new(),
        quarantine: Quarantine::None,
        verify: VerifyMode::Full,
        drop_deleted: false,
        limit_bytes: None,
        limit_seconds: None,
    };
    let job = engine::submit(&life.host, JobKind::Migrate, spec).await?;
    life.jobs.start(job.id);
    Ok(())
}

pub async fn job(life: &Arc<Life>, wish: Wish, which: u64) {
    let jobs = life.world.jobs();
    let Some(job) = jobs.get(which as usize % jobs.len().max(1)) else {
        return;
    };
    let (host, runner, id) = (&life.host, &life.jobs, job.id);
    life.world.say(|| format!("{wish:?} job {id}"));
    match wish {
        Wish::Pause => drop(life.heard("pause", control::pause(host, runner, id).await)),
        Wish::Resume => drop(life.heard("resume", control::resume(host, runner, id).await)),
        Wish::Cancel => drop(life.heard("cancel", control::cancel(host, runner, id).await)),
        Wish::Restore => drop(life.heard("restore", control::restore(host, runner, id).await)),
    }
}

pub async fn trust(life: &Arc<Life>, medium: &str) {
    let row = look(life.world.catalogue.medium(medium)).expect("a medium of this run");
    let presence = match row.family {
        Family::Dir => Presence::Attached,
        Family::Tape => Presence::Near,
    };
    let change = MediumChange {
        health: Some(Health::Ok),
        presence: Some(presence),
        why: "the operator trusts it".to_owned(),
        ..MediumChange::default()
    };
    life.heard("trust", life.change(medium, change).await);
}

/// As `medium set adm_state=in_service`, which respoold refuses for the source of a job at work.
pub async fn serve(life: &Arc<Life>, medium: &str) {
    let row = look(life.world.catalogue.medium(medium)).expect("a medium of this run");
    let busy = life
        .world
        .jobs()
        .iter()
        .any(|job| job.state.is_active() && job.spec.sources.contains(&row.id));
    if busy {
        return;
    }
    let change = MediumChange {
        expect_adm_state: Some(row.adm_state),
        adm_state: Some(AdmState::InService),
        why: "the operator says so".to_owned(),
        ..MediumChange::default()
    };
    life.heard("serve", life.change(medium, change).await);
}

pub async fn away(life: &Arc<Life>, medium: &str, there: There, span: Duration) {
    life.world.put_there(medium, there);
    tokio::time::sleep(span).await;
    life.world.put_there(medium, There::Itself);
}

/// Another respoold, whose clock is right, takes a lease that we could not renew; some time later it gives it back.
pub async fn usurp(life: &Arc<Life>, medium: &str) {
    let seconds = life.host.config.daemon.lease_seconds;
    let span = Duration::from_secs(u64::from(2 * seconds) + 5);
    life.world.cut_off(span + Duration::from_secs(20));
    tokio::time::sleep(span).await;
    let holder = Holder {
        id: HolderId::fresh(),
        seat: "theirs".to_owned(),
    };
    let resource = Resource::Medium(life.id(medium));
    let now = life.world.now();
    let taken = life
        .world
        .catalogue
        .take_lease(&resource, &holder, seconds, seconds, now)
        .await;
    let Ok(lease) = taken else { return };
    life.world.say(|| format!("{medium} is another respoold's"));
    life.world.inner().seen.elsewhere.insert(medium.to_owned());
    tokio::time::sleep(Duration::from_secs(30)).await;
    life.world.inner().seen.elsewhere.remove(medium);
    if life.world.catalogue.release_lease(&lease).await.is_ok() {
        life.world.say(|| format!("{medium} is given back"));
    }
}
