//! Media: added, shown, changed, formatted. What touches a medium goes through its drive, granted by the scheduler; only
//! a directory that is no medium yet is looked at directly.

use super::answer::Answer;
use super::places::{check_directory, check_name, look, overlaps, unfit};
use super::server::Daemon;
use crate::api::Problem;
use crate::api::import::ImportReport;
use crate::api::loss::{self, LossReport, LossRequest};
use crate::api::media::{CheckErase, DriveView, MediaList, MediumView, out_of_quarantine, view};
use crate::api::requests::{DirAddRequest, ImportRequest, MediumRequest, MediumSetRequest};
use crate::api::standing::in_doubt;
use crate::api::units::parse_size;
use crate::api::wire::Nothing;
use crate::engine;
use crate::host::Host;
use crate::store;
use crate::store::import::Missing;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use dss::catalogue::{MediumChange, NewMedium};
use dss::model::medium::{NoTarget, operator_may_set};
use dss::model::{
    AdmState, ByteCount, Family, FsState, Health, Job, JobState, Location, Medium, MediumId, Presence, Standing,
};
use lrs::ldm::fs::{Label, Space, dir};
use lrs::service::DriveStatus;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most objects that `what-if-lost` names; the rest is counted.
const LISTED_MAX: u32 = 1_000;

/// The requests about media.
pub fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/v1/dir/add", post(dir_add))
        .route("/v1/medium/list", post(list))
        .route("/v1/medium/show", post(show))
        .route("/v1/medium/candidates", post(super::candidates::list))
        .route("/v1/medium/what-if-lost", post(what_if_lost))
        .route("/v1/medium/set", post(set))
        .route("/v1/medium/lock", post(lock))
        .route("/v1/medium/unlock", post(unlock))
        .route("/v1/medium/trust", post(super::trust::trust))
        .route("/v1/medium/dead", post(dead))
        .route("/v1/medium/check-erase", post(check_erase))
        .route("/v1/medium/format", post(format))
        .route("/v1/medium/import", post(import))
}

/// What the medium itself says of its room. None: it is not there, or something else is.
pub(super) fn space_of(medium: &Medium, used: ByteCount) -> Option<Space> {
    if medium.family == Family::Tape {
        return room_of_tape(medium, used);
    }
    let path = Path::new(&medium.location.path);
    let there = medium.family == Family::Dir && path.join(".respool/label.json").exists();
    let found = there.then(|| nix::sys::statvfs::statvfs(path).ok()).flatten()?;
    let block = found.fragment_size();
    let capacity = medium.capacity.unwrap_or(ByteCount(found.blocks() * block));
    let left = capacity.saturating_sub(used);
    Some(Space {
        capacity,
        used,
        free: left.min(ByteCount(found.blocks_available() * block)),
    })
}

/// A tape is not loaded to be asked: what it said when it became a medium, less all that was written since.
fn room_of_tape(medium: &Medium, used: ByteCount) -> Option<Space> {
    let capacity = medium.capacity?;
    Some(Space {
        capacity,
        used,
        free: match medium.fs_state {
            FsState::Full => ByteCount::ZERO,
            FsState::Blank | FsState::Empty | FsState::Used => capacity.saturating_sub(used),
        },
    })
}

/// Where a medium is now, as far as its place tells. A look changes nothing: the catalogue is told at the next use.
fn presence_of(medium: &Medium) -> Presence {
    let label = Path::new(&medium.location.path).join(".respool/label.json");
    let labelled = medium.family == Family::Dir && medium.fs_state != FsState::Blank;
    match medium.presence {
        Presence::Attached if labelled && matches!(label.try_exists(), Ok(false)) => Presence::Missing,
        known => known,
    }
}

pub(super) async fn shown(host: &Host, medium: Medium) -> Result<MediumView, Problem> {
    let usage = host.catalogue.usage(medium.id, host.clock.now()).await?;
    let (space, presence) = (space_of(&medium, usage.used), presence_of(&medium));
    let folder = match medium.family {
        Family::Tape => host.lrs.mounter().folder_of(&medium),
        Family::Dir => Some(PathBuf::from(&medium.location.path)),
    };
    Ok(MediumView {
        presence,
        path: folder.map(|folder| folder.display().to_string()),
        ..view(medium, &usage, space)
    })
}

async fn list(State(daemon): State<Arc<Daemon>>, Json(Nothing {}): Json<Nothing>) -> Answer<MediaList> {
    let mut media = Vec::new();
    for medium in daemon.host.catalogue.media().await? {
        media.push(shown(&daemon.host, medium).await?);
    }
    Ok(Json(MediaList { media }))
}

async fn show(State(daemon): State<Arc<Daemon>>, Json(request): Json<MediumRequest>) -> Answer<MediumView> {
    let host = &daemon.host;
    let medium = host.catalogue.medium(&request.medium).await?;
    let drive = match host.lrs.drive_of(&medium).await {
        Some(status) => Some(drive_view(host, status).await?),
        None => None,
    };
    let view = shown(host, medium).await?;
    Ok(Json(MediumView { drive, ..view }))
}

async fn drive_view(host: &Host, status: DriveStatus) -> Result<DriveView, Problem> {
    let medium = match status.medium {
        Some(id) => Some(host.catalogue.medium_by_id(id).await?.name),
        None => None,
    };
    Ok(DriveView {
        name: status.drive,
        state: status.state.to_owned(),
        medium,
        used_by: status.used_by,
        out_of_service: status.out_of_service,
    })
}

/// `medium what-if-lost`.
async fn what_if_lost(State(daemon): State<Arc<Daemon>>, Json(request): Json<LossRequest>) -> Answer<LossReport> {
    let catalogue = &daemon.host.catalogue;
    let mut media = BTreeSet::new();
    for name in &request.media {
        media.insert(catalogue.medium(name).await?.id);
    }
    let lost = catalogue.what_if_lost(&media, LISTED_MAX).await?;
    Ok(Json(loss::report(request.media, lost)))
}

// ------------------------------------------------------------------------------------------------------------- add

async fn dir_add(State(daemon): State<Arc<Daemon>>, Json(request): Json<DirAddRequest>) -> Answer<MediumView> {
    let host = &daemon.host;
    check_name(&request.name)?;
    let place = check_directory(&request)?;
    // One after the other: what another one has under way does not look cut short.
    static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one = ONE.lock().await;
    let media = host.catalogue.media().await?;
    if let Some(known) = media.iter().find(|medium| medium.name == request.name) {
        if is_half_added(known, &place) {
            return finish_adding(host, known, place).await;
        }
        return Err(dss::catalogue::CatalogueError::Exists {
            what: "medium",
            name: request.name,
        }
        .into());
    }
    if let Some(other) = media.iter().find(|medium| overlaps(&place, medium)) {
        return Err(unfit(
            &request.name,
            format!(
                "{} lies inside the medium {} ({}), or holds it",
                place.display(),
                other.name,
                other.location.path
            ),
        )
        .into());
    }
    look(&request.name, &place).await?;
    let now = host.clock.now();
    let new = NewMedium {
        id: MediumId::fresh(),
        name: request.name.clone(),
        family: Family::Dir,
        technology: "dir".into(),
        location: Location {
            path: place.display().to_string(),
            dock: request.dock,
            library: None,
        },
        tags: request.tags,
        class: request.class,
        capacity: request.capacity,
    };
    let id = new.id;
    let medium = host.catalogue.add_medium(new, now).await?;
    if let Err(problem) = label(host, &medium, place).await {
        // The first failure is told; a row that stays is blank and takes nothing.
        if let Err(error) = host.catalogue.forget_medium(id).await {
            tracing::warn!(medium = %request.name, %error, "it was not labelled and could not be forgotten");
        }
        return Err(problem.into());
    }
    labelled(host, id).await
}

async fn labelled(host: &Host, id: MediumId) -> Answer<MediumView> {
    let change = MediumChange {
        fs_state: Some(FsState::Empty),
        why: "labelled".into(),
        ..MediumChange::default()
    };
    let medium = host.catalogue.change_medium(id, change, host.clock.now()).await?;
    host.lrs.medium_changed(id).await?;
    Ok(Json(shown(host, medium).await?))
}

/// Whether a row is what an earlier `dir add` of the same directory left when it was cut short.
fn is_half_added(known: &Medium, place: &Path) -> bool {
    known.family == Family::Dir && known.fs_state == FsState::Blank && Path::new(&known.location.path) == place
}

/// Goes on where it was cut short: before its label, or between the label and the note of it.
async fn finish_adding(host: &Host, known: &Medium, place: PathBuf) -> Answer<MediumView> {
    let (expected, there) = (
        dir::Expected {
            medium: known.id,
            name: known.name.clone(),
            generations: vec![known.generation],
            capacity: known.capacity,
        },
        place.clone(),
    );
    let mounted = tokio::task::spawn_blocking(move || {
        let disk = dir::open_disk(&expected.name, &there)?;
        dir::mount(disk, expected).map(drop)
    });
    let has_label = mounted.await.is_ok_and(|mounted| mounted.is_ok());
    if !has_label {
        label(host, known, place).await?;
    }
    labelled(host, known.id).await
}

async fn label(host: &Host, medium: &Medium, place: PathBuf) -> Result<(), Problem> {
    let label = Label {
        format: dir::FORMAT.into(),
        medium: medium.id,
        name: medium.name.clone(),
        generation: medium.generation,
        catalogue: host.catalogue_id,
        revision: host.catalogue.stamp().await?.revision,
        created_at: host.clock.now(),
    };
    let work = tokio::task::spawn_blocking(move || dir::format(dir::open_disk(&label.name, &place)?, &label));
    match work.await {
        Ok(made) => Ok(made?),
        Err(panic) => Err(Problem::bug(&medium.name, panic.to_string())),
    }
}

// ---------------------------------------------------------------------------------------------------------- change

pub(super) async fn change(daemon: &Daemon, name: &str, change: MediumChange) -> Answer<MediumView> {
    let host = &daemon.host;
    let medium = host.catalogue.medium(name).await?;
    let changed = host
        .catalogue
        .change_medium(medium.id, change, host.clock.now())
        .await?;
    host.lrs.medium_changed(medium.id).await?;
    Ok(Json(shown(host, changed).await?))
}

async fn lock(State(daemon): State<Arc<Daemon>>, Json(request): Json<MediumRequest>) -> Answer<MediumView> {
    let locked = MediumChange {
        locked: Some(true),
        why: "locked by the operator".into(),
        ..MediumChange::default()
    };
    change(&daemon, &request.medium, locked).await
}

async fn unlock(State(daemon): State<Arc<Daemon>>, Json(request): Json<MediumRequest>) -> Answer<MediumView> {
    let unlocked = MediumChange {
        locked: Some(false),
        why: "unlocked by the operator".into(),
        ..MediumChange::default()
    };
    change(&daemon, &request.medium, unlocked).await
}

async fn dead(State(daemon): State<Arc<Daemon>>, Json(request): Json<MediumRequest>) -> Answer<MediumView> {
    let host = &daemon.host;
    let medium = host.catalogue.medium(&request.medium).await?;
    let awaits_erasure = matches!(medium.adm_state, AdmState::Quarantined | AdmState::Erasing);
    if awaits_erasure && medium.standing != Standing::Level {
        // Nothing is erased before it was compared, and it never will be.
        let why = "declared dead by the operator";
        let given_up = host.catalogue.give_up(medium.id, why, host.clock.now()).await?;
        host.lrs.medium_changed(medium.id).await?;
        return Ok(Json(shown(host, given_up).await?));
    }
    require_settable(host, &medium, AdmState::Dead).await?;
    let dead = MediumChange {
        expect_adm_state: Some(medium.adm_state),
        adm_state: Some(AdmState::Dead),
        health: Some(Health::Failed),
        presence: Some(Presence::Missing),
        why: "declared dead by the operator".into(),
        ..MediumChange::default()
    };
    change(&daemon, &request.medium, dead).await
}

async fn set(State(daemon): State<Arc<Daemon>>, Json(request): Json<MediumSetRequest>) -> Answer<MediumView> {
    let medium = daemon.host.catalogue.medium(&request.medium).await?;
    let mut wish = MediumChange {
        why: "set by the operator".into(),
        ..MediumChange::default()
    };
    for (key, value) in &request.values {
        if key == "path" && medium.family == Family::Tape {
            let why = "a tape has no path: its library finds it by its barcode";
            return Err(Problem::refused("bad_value", key, why)
                .next("put it into its library and run `respool library scan`; nothing was changed")
                .into());
        }
        apply(&mut wish, key, value)?;
    }
    if let Some(to) = wish.adm_state {
        require_settable(&daemon.host, &medium, to).await?;
        wish.expect_adm_state = Some(medium.adm_state);
    }
    change(&daemon, &request.medium, wish).await
}

fn apply(wish: &mut MediumChange, key: &str, value: &str) -> Result<(), Problem> {
    let refuse = |why: String| {
        Problem::refused("bad_value", key, why).next("nothing was changed; see `respool medium set --help`")
    };
    let some = (!value.is_empty()).then(|| value.to_owned());
    match key {
        "adm_state" => match value.parse().map_err(|error| refuse(format!("{error}")))? {
            AdmState::Dead => return Err(refuse("a medium is declared dead with `respool medium dead`".into())),
            other => wish.adm_state = Some(other),
        },
        "health" => wish.health = Some(value.parse().map_err(|error| refuse(format!("{error}")))?),
        "presence" => wish.presence = Some(value.parse().map_err(|error| refuse(format!("{error}")))?),
        "tags" => wish.tags = Some(words(value)),
        "class" => wish.class = Some(some),
        "capacity" => {
            let size = some.map(|text| parse_size(&text)).transpose();
            wish.capacity = Some(size.map_err(refuse)?);
        }
        "path" => {
            let path = some.filter(|path| path.starts_with('/'));
            wish.path = Some(path.ok_or_else(|| refuse("a path begins with '/'".into()))?);
        }
        other => {
            return Err(refuse(format!(
                "'{other}' cannot be set; adm_state, health, presence, tags, class, capacity and path can"
            )));
        }
    }
    Ok(())
}

fn words(text: &str) -> BTreeSet<String> {
    text.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether the operator may set this state now: never against the catalogue's own states or a job at work.
async fn require_settable(host: &Host, medium: &Medium, to: AdmState) -> Result<(), Problem> {
    let jobs = host.catalogue.active_jobs().await?;
    if !operator_may_set(medium.adm_state, to) {
        let message = format!(
            "medium {} is {} and cannot be set to {to}",
            medium.name, medium.adm_state
        );
        let next = match medium.adm_state {
            AdmState::Quarantined => out_of_quarantine(medium, &jobs),
            AdmState::InService
            | AdmState::ReadOnly
            | AdmState::Draining
            | AdmState::AbandonShip
            | AdmState::Erasing
            | AdmState::Retired
            | AdmState::Dead => "jobs quarantine and erase media; see `respool job list`".to_owned(),
        };
        return Err(Problem::refused("state_refused", &medium.name, message).next(next));
    }
    let busy = jobs
        .iter()
        .find(|job| job.state.is_active() && job.spec.sources.contains(&medium.id));
    match busy {
        Some(job) if to == AdmState::InService => Err(Problem::refused(
            "in_use",
            &medium.name,
            format!(
                "medium {} is being emptied by job {}, which is {}",
                medium.name, job.id, job.state
            ),
        )
        .next(format!("run `respool job cancel {}` first", job.id))),
        Some(_) | None => Ok(()),
    }
}

async fn import(State(daemon): State<Arc<Daemon>>, Json(request): Json<ImportRequest>) -> Answer<ImportReport> {
    let host = Arc::clone(&daemon.host);
    // Goes on when the client leaves: half an import is no use to anybody.
    let import = tokio::spawn(async move {
        let (what, adopt) = (&request.medium, request.adopt);
        match (request.reconcile, request.forget_missing) {
            (false, _) => store::import::import(&host, what, adopt).await,
            (true, false) => store::import::reconcile(&host, what, adopt, Missing::Kept).await,
            (true, true) => store::import::reconcile(&host, what, adopt, Missing::Forgotten).await,
        }
    });
    let report = import
        .await
        .map_err(|panic| Problem::bug("import", panic.to_string()))??;
    Ok(Json(report))
}

// ----------------------------------------------------------------------------------------------------------- erase

async fn check_erase(State(daemon): State<Arc<Daemon>>, Json(request): Json<MediumRequest>) -> Answer<CheckErase> {
    let medium = daemon.host.catalogue.medium(&request.medium).await?;
    let mut told = may_erase(&daemon.host, &medium).await?;
    let last_good = match medium.adm_state {
        AdmState::Erasing => 0,
        _ => daemon.host.catalogue.doubtful(medium.id).await?.len(),
    };
    if last_good > 0 {
        told.erasable = false;
        told.reasons.push(format!(
            "its old bytes may be the last good ones of {last_good} extents: the media that these are on now are in doubt"
        ));
    }
    Ok(Json(told))
}

async fn may_erase(host: &Host, medium: &Medium) -> Result<CheckErase, Problem> {
    let now = host.clock.now();
    let usage = host.catalogue.usage(medium.id, now).await?;
    let jobs = host.catalogue.active_jobs().await?;
    let at_work = jobs.iter().find(|job| {
        job.state.is_active() && job.state != JobState::Quarantined && job.spec.sources.contains(&medium.id)
    });
    let mut reasons = Vec::new();
    let mut against = |broken: bool, why: String| {
        if broken {
            reasons.push(why);
        }
    };
    against(
        usage.extents.sync > 0,
        format!("{} extents are live", usage.extents.sync),
    );
    against(
        usage.extents.pending > 0,
        format!("{} extents are pending", usage.extents.pending),
    );
    against(medium.locked, "it is locked".into());
    against(!medium.in_reach(), format!("it is {}", medium.presence));
    against(
        matches!(medium.adm_state, AdmState::Dead | AdmState::Retired),
        format!("it is {}", medium.adm_state),
    );
    if let Some(problem) = in_doubt(
        &host.catalogue.media().await?,
        "nothing is erased before it is reconciled",
    ) {
        against(true, problem.message);
    }
    if medium.adm_state == AdmState::Quarantined {
        let job = jobs
            .iter()
            .find(|job| job.state == JobState::Quarantined && job.spec.sources.contains(&medium.id));
        match (medium.quarantined_until, job) {
            (Some(until), _) if until > now => against(true, format!("it is quarantined until {until}")),
            // Over: its job erases it. A job that ended without doing so leaves it to `format`.
            (Some(_), Some(job)) => against(true, format!("job {} is about to erase it", job.id)),
            (Some(_), None) => {}
            (None, _) => against(true, "its bytes are kept for the job that emptied it".to_owned()),
        }
    }
    if let Some(job) = at_work {
        against(true, format!("job {} works on it", job.id));
    }
    Ok(CheckErase {
        medium: medium.name.clone(),
        erasable: reasons.is_empty(),
        reasons,
        live: usage.extents.sync,
        pending: usage.extents.pending,
        orphan: usage.extents.orphan,
        held_bytes: usage.held,
        job: at_work.map(|job| job.id),
    })
}

/// What to do about what speaks against erasing a medium, in the order in which it is done.
fn way_to_erase(medium: &Medium, verdict: &CheckErase, jobs: &[Job]) -> String {
    let name = &medium.name;
    let mut ways = vec![];
    if medium.locked {
        ways.extend(NoTarget::Locked.way_out(name));
    }
    if !medium.in_reach() {
        ways.extend(NoTarget::Presence(medium.presence).way_out(name));
    }
    match verdict.job {
        Some(job) => ways.push(format!(
            "wait for job {job} with `respool job wait {job}`, or cancel it"
        )),
        None if medium.adm_state == AdmState::Quarantined => ways.push(out_of_quarantine(medium, jobs)),
        None if verdict.live > 0 => ways.push(format!("empty it with `respool repack {name}`")),
        None => {}
    }
    if ways.is_empty() {
        ways.push(format!(
            "`respool medium check-erase {name}` tells when it may be erased"
        ));
    }
    ways.join("; then ")
}

pub(super) async fn format(
    State(daemon): State<Arc<Daemon>>,
    Json(request): Json<MediumRequest>,
) -> Answer<MediumView> {
    let host = &daemon.host;
    let medium = host.catalogue.medium(&request.medium).await?;
    host.may_destroy().await?;
    let verdict = may_erase(host, &medium).await?;
    let jobs = host.catalogue.active_jobs().await?;
    let in_use = |why: String| {
        Problem::refused(
            "in_use",
            &medium.name,
            format!("medium {} was not formatted: {why}; nothing was touched", medium.name),
        )
        .next(way_to_erase(&medium, &verdict, &jobs))
    };
    if !verdict.erasable {
        return Err(in_use(verdict.reasons.join("; ")).into());
    }
    if medium.adm_state == AdmState::Quarantined {
        // Its quarantine is over by a clock that may have jumped.
        host.may_destroy_by_age().await?;
    }
    match engine::erase(host, medium.id, None).await? {
        engine::Erased::Done => {}
        engine::Erased::InUse => return Err(in_use("something was put on it meanwhile".into()).into()),
    }
    let medium = host.catalogue.medium_by_id(medium.id).await?;
    Ok(Json(shown(host, medium).await?))
}
