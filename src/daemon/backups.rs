//! Backups of the catalogue: on request, once a day, and before a migration; and how one is put back while no respoold
//! runs.

use super::answer::Answer;
use super::open;
use super::seat::Seat;
use super::server::Daemon;
use crate::api::Problem;
use crate::api::backup::{BackupReport, BackupRequest, CatalogueStatus, RestoreReport};
use crate::api::wire::Nothing;
use crate::config::Config;
use crate::state::StateFolder;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use dss::model::CatalogueId;
use dss::model::backup::BackupManifest;
use dss::pg::backup::{self, Access, BackupError, Replace};
use jiff::{SignedDuration, Timestamp};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often it is asked whether a backup is due.
const ROUND: Duration = Duration::from_secs(60);
/// How names of automatic backups end.
const ENDING: &str = ".backup";
/// The time in such a name.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// Where automatic backups go, and how they come about.
pub struct Backups {
    /// The way to the database.
    pub access: Access,
    folder: PathBuf,
    state: PathBuf,
    every: Duration,
    keep: usize,
    /// When the catalogue was made here: the first automatic backup is due so long after.
    since: Timestamp,
}

impl Backups {
    /// As configured; in the state folder unless another place is named.
    pub fn new(state: &StateFolder, config: &Config, access: Access) -> Self {
        let made = fs::metadata(state.catalogue_mark()).and_then(|mark| mark.modified());
        let made = made.ok().and_then(|time| Timestamp::try_from(time).ok());
        Self {
            access,
            folder: folder(state, config),
            state: state.path().to_owned(),
            every: config.catalogue.backup_every,
            keep: config.catalogue.backup_keep as usize,
            since: made.unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }

    fn is_due(&self, catalogue: CatalogueId, now: Timestamp) -> bool {
        let newest = automatic(&self.folder, catalogue).into_iter().next_back();
        let last = newest.map_or(self.since, |(made, _)| made);
        let every = SignedDuration::try_from(self.every).unwrap_or(SignedDuration::MAX);
        !self.every.is_zero() && now.duration_since(last) >= every
    }

    async fn make_automatic(&self, catalogue: CatalogueId, now: Timestamp) -> Result<(), Problem> {
        make_folder(&self.folder)?;
        let path = self.folder.join(name(catalogue, now, ""));
        let manifest = backup::make(&self.access, &path, now).await?;
        tracing::info!(path = %path.display(), bytes = manifest.dump_bytes, "the catalogue was backed up");
        if same_device(&path, &self.state) {
            tracing::warn!(
                path = %path.display(),
                "the backup lies on the device of the catalogue itself; name another one with [catalogue] backup_dir"
            );
        }
        let mut old = automatic(&self.folder, catalogue);
        old.truncate(old.len().saturating_sub(self.keep));
        for (_, path) in old {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "an old backup was not removed");
            }
        }
        Ok(())
    }
}

fn folder(state: &StateFolder, config: &Config) -> PathBuf {
    let configured = config.catalogue.backup_dir.clone();
    configured.unwrap_or_else(|| state.path().join("backups"))
}

fn make_folder(folder: &Path) -> Result<(), Problem> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| {
        Problem::environment(
            "backup_failed",
            "us",
            folder.display().to_string(),
            format!("the folder for backups {} cannot be made: {error}", folder.display()),
        )
        .next("correct [catalogue] backup_dir, or mount its device")
    })
}

fn prefix(catalogue: CatalogueId) -> String {
    format!("respool-{catalogue}-")
}

fn name(catalogue: CatalogueId, now: Timestamp, why: &str) -> String {
    format!("{}{}{why}{ENDING}", prefix(catalogue), now.strftime(TIME))
}

/// The automatic backups of a catalogue, oldest first. Those before a migration, and what people made, are left alone.
fn automatic(folder: &Path, catalogue: CatalogueId) -> Vec<(Timestamp, PathBuf)> {
    let prefix = prefix(catalogue);
    let made = |name: &str| {
        let time = name.strip_prefix(&prefix)?.strip_suffix(ENDING)?;
        let time = jiff::civil::DateTime::strptime(TIME, time).ok()?;
        time.to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| Some((made(entry.file_name().to_str()?)?, entry.path())))
        .collect();
    found.sort();
    found
}

fn same_device(path: &Path, state: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    device(path).is_some() && device(path) == device(state)
}

/// Makes automatic backups until respoold leaves. One that fails is tried again; nothing else waits for it.
pub async fn run(daemon: Arc<Daemon>) {
    loop {
        let (catalogue, now) = (daemon.host.catalogue_id, daemon.host.clock.now());
        if daemon.backups.is_due(catalogue, now)
            && let Err(problem) = daemon.backups.make_automatic(catalogue, now).await
        {
            tracing::warn!(%problem, "the backup of the catalogue will be tried again");
        }
        tokio::select! {
            () = daemon.stopping.cancelled() => return,
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}

/// Before the schema is changed: without a backup it is not.
pub async fn before_migration(
    state: &StateFolder,
    config: &Config,
    access: &Access,
    (from, to): (i64, i64),
    now: Timestamp,
) -> Result<(), Problem> {
    let folder = folder(state, config);
    make_folder(&folder)?;
    let mark = fs::read_to_string(state.catalogue_mark()).unwrap_or_default();
    let id = mark.trim();
    let path = folder.join(format!("respool-{id}-{}-before-{to}{ENDING}", now.strftime(TIME)));
    backup::make(access, &path, now).await?;
    tracing::info!(path = %path.display(), from, to, "the catalogue was backed up before its schema is changed");
    Ok(())
}

/// The requests about backups.
pub fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/v1/catalogue/backup", post(make))
        .route("/v1/catalogue/status", post(status))
}

async fn make(State(daemon): State<Arc<Daemon>>, Json(request): Json<BackupRequest>) -> Answer<BackupReport> {
    let now = daemon.host.clock.now();
    let manifest = backup::make(&daemon.backups.access, &request.path, now).await?;
    let present = Some(current(&daemon).await?.against(&manifest));
    Ok(Json(BackupReport {
        same_device: same_device(&request.path, &daemon.backups.state),
        path: request.path,
        manifest,
        present,
    }))
}

async fn status(State(daemon): State<Arc<Daemon>>, Json(Nothing {}): Json<Nothing>) -> Answer<CatalogueStatus> {
    Ok(Json(current(&daemon).await?))
}

async fn current(daemon: &Daemon) -> Result<CatalogueStatus, Problem> {
    let stamp = daemon.host.catalogue.stamp().await?;
    Ok(CatalogueStatus {
        catalogue: daemon.host.catalogue_id,
        revision: stamp.revision,
        events: stamp.head.link,
        now: daemon.host.clock.now(),
        jobs: daemon.jobs.at_work(),
        requests: daemon.activity.users().saturating_sub(1),
    })
}

/// Looks at a backup; no respoold and no server is needed.
pub async fn look(state: &StateFolder, path: &Path) -> Result<BackupReport, Problem> {
    let place = path.to_owned();
    let looked = tokio::task::spawn_blocking(move || backup::verify(&place)).await;
    let manifest: BackupManifest = looked.map_err(|panic| Problem::bug("backup", panic.to_string()))??;
    Ok(BackupReport {
        same_device: same_device(path, state.path()),
        path: path.to_owned(),
        manifest,
        present: None,
    })
}

/// Puts a backup back, in the place of whoever would run respoold.
pub async fn restore(
    state: &StateFolder,
    config: &Config,
    path: &Path,
    replace: Replace,
    now: Timestamp,
) -> Result<RestoreReport, Problem> {
    let seat = Seat::take(state)?;
    let (_, beside) = seat.socket_folders()?;
    let (access, cluster) = open::reach(state, config, beside).await?;
    let put = backup::put_back(&access, path, replace, now).await;
    if let (Ok(put), false) = (&put, state.catalogue_mark().exists()) {
        // A new state folder: the catalogue is known here from now on.
        open::mark(state, put.manifest.catalogue)?;
    }
    if let Some(cluster) = cluster {
        cluster.stop().await.map_err(open::of_cluster)?;
    }
    seat.leave();
    let put_back = put?;
    let next = format!(
        "attach all media and run any command: {} media are compared with the catalogue; `respool check` names those \
         that are ahead of it. Media that were added after {} are imported with `respool medium import PATH --reconcile`",
        put_back.media, put_back.manifest.created_at
    );
    Ok(RestoreReport {
        path: path.to_owned(),
        put_back,
        next,
    })
}

impl From<BackupError> for Problem {
    fn from(error: BackupError) -> Self {
        let message = error.to_string();
        match error {
            BackupError::Exists(path) => Self::refused("exists", path.display().to_string(), message)
                .next("choose another name; nothing was touched"),
            BackupError::NotAFile(path) => Self::refused("not_a_file", path.display().to_string(), message)
                .next("name the backup's own file; the catalogue was not touched"),
            BackupError::Io { path, .. } => {
                Self::environment("backup_failed", "us", path.display().to_string(), message)
                    .next("correct the path, its permissions or its disk; the catalogue was not touched")
            }
            BackupError::Damaged { path, .. } => {
                Self::integrity("backup_damaged", "us", path.display().to_string(), message)
                    .next("use another backup; the catalogue was not touched")
            }
            BackupError::Unfit(_) => Self::refused("backup_unfit", "backup", message)
                .next("choose a backup of this catalogue, or add --force to replace it; it was not touched"),
            BackupError::Program { program, .. } => Self::environment("backup_failed", "us", program, message)
                .next("correct what it says; the catalogue in use was not touched"),
            BackupError::Sql { .. } => Self::environment("backup_failed", "us", "PostgreSQL", message).next(
                "the catalogue in use was not touched. A server of yours must let this role create and rename databases, \
                 with nobody else connected; or restore the dump yourself: `tail -c +4097 FILE | pg_restore -d DATABASE`",
            ),
            BackupError::Embedded(error) => open::of_cluster(error),
            BackupError::Catalogue(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn automatic_backups_are_told_from_others_and_sorted_by_time() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, other) = (CatalogueId::fresh(), CatalogueId::fresh());
        let early: Timestamp = "2027-01-02T03:04:05Z".parse().unwrap();
        let late: Timestamp = "2027-01-03T03:04:05Z".parse().unwrap();
        for file in [
            name(ours, late, ""),
            name(ours, early, ""),
            name(ours, late, "-before-4"),
            name(other, late, ""),
            "letter.txt".to_owned(),
        ] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        let found = automatic(folder.path(), ours);
        assert_eq!(found.iter().map(|(made, _)| *made).collect::<Vec<_>>(), [early, late]);
    }
}
