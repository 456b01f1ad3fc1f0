//! Backups of the catalogue: on request, once a day, and before a migration; and how one is put back while no respoold
//! runs.

use super::answer::Answer;
use super::seat::Seat;
use super::server::Daemon;
use super::{mark, open};
use crate::api::Problem;
use crate::api::backup::{BackupReport, BackupRequest, CatalogueStatus, RestoreReport};
use crate::api::wire::Nothing;
use crate::config::Config;
use crate::state::StateFolder;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use dss::catalogue::{Finding, Severity};
use dss::model::CatalogueId;
use dss::model::backup::{BackupManifest, PutBack};
use dss::pg::backup::{self, Access, BackupError, BackupFile, Replace};
use dss::pg::embedded::EmbeddedError;
use jiff::{SignedDuration, Timestamp};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often it is asked whether a backup is due.
const ROUND: Duration = Duration::from_secs(60);
/// A respoold that starts when a backup is due makes one at once, and is not reproached with it for so long.
const FIRST_ROUND: Duration = Duration::from_secs(600);
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
    started: Instant,
    /// Whether the first attempt that was due since the start has ended.
    settled: AtomicBool,
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
            started: Instant::now(),
            settled: AtomicBool::new(false),
        }
    }

    /// Removes what backups left that never ended. Called before anybody can ask for one.
    pub fn clear(&self, catalogue: CatalogueId) {
        for path in unfinished(&self.folder, catalogue) {
            match fs::remove_file(&path) {
                Ok(()) => tracing::info!(path = %path.display(), "what is left of an unfinished backup was removed"),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "what is left of an unfinished backup stays");
                }
            }
        }
    }

    /// When the catalogue was last known to be safe; None: that is told to be later than now, and says nothing.
    fn last(&self, catalogue: CatalogueId, now: Timestamp) -> Option<Timestamp> {
        let newest = automatic(&self.folder, catalogue, now).into_iter().next_back();
        let last = newest.map_or(self.since, |(made, _)| made);
        (last <= now).then_some(last)
    }

    fn is_due(&self, catalogue: CatalogueId, now: Timestamp) -> bool {
        let overdue = |last| now.duration_since(last) >= self.times(1);
        !self.every.is_zero() && self.last(catalogue, now).is_none_or(overdue)
    }

    fn times(&self, count: u32) -> SignedDuration {
        let long = self.every.saturating_mul(count);
        SignedDuration::try_from(long).unwrap_or(SignedDuration::MAX)
    }

    /// What `check` says when no good automatic backup is as young as it should be.
    pub fn finding(&self, catalogue: CatalogueId, now: Timestamp) -> Option<Finding> {
        let settled = self.settled.load(Ordering::Relaxed) || self.started.elapsed() > FIRST_ROUND;
        if self.every.is_zero() || !settled {
            return None;
        }
        let newest = automatic(&self.folder, catalogue, now).into_iter().next_back();
        let (last, what) = match newest {
            Some((made, _)) => (made, "the last good automatic backup was made at"),
            None => (
                self.since,
                "there is no good automatic backup of this catalogue, known since",
            ),
        };
        (now.duration_since(last) > self.times(2)).then(|| Finding {
            severity: Severity::Warning,
            invariant: "backup".to_owned(),
            subject: "catalogue".to_owned(),
            detail: format!(
                "{what} {last}, and [catalogue] backup_every is {} s: the log of respoold tells why none was made in {}; \
                 until that is mended use `respool catalogue backup FILE`",
                self.every.as_secs(),
                self.folder.display()
            ),
        })
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
        self.prune(catalogue, now);
        Ok(())
    }

    /// Removes the oldest automatic backups, and nothing that is not known to be one.
    fn prune(&self, catalogue: CatalogueId, now: Timestamp) {
        let mut old = automatic(&self.folder, catalogue, now);
        old.truncate(old.len().saturating_sub(self.keep));
        for (_, path) in old {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "an old backup was not removed");
            }
        }
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

/// The good automatic backups of a catalogue, oldest first, by what they say of themselves. Those before a migration, and
/// what people made, are left alone. One that is not whole counts for nothing, nor does one from the future: a clock was
/// wrong once, and such a backup would be the newest for ever.
fn automatic(folder: &Path, catalogue: CatalogueId, now: Timestamp) -> Vec<(Timestamp, PathBuf)> {
    let prefix = prefix(catalogue);
    let named = |name: &str| {
        let time = name.strip_prefix(&prefix)?.strip_suffix(ENDING)?;
        jiff::civil::DateTime::strptime(TIME, time).ok()
    };
    let made = |path: &Path| {
        let file = BackupFile::open(path).ok()?;
        file.require_length().ok()?;
        let (of, made) = (file.manifest().catalogue, file.manifest().created_at);
        (of == catalogue && made <= now).then_some(made)
    };
    let mut found: Vec<_> = entries(folder)
        .filter(|(name, _)| named(name).is_some())
        .filter_map(|(_, path)| Some((made(&path)?, path)))
        .collect();
    found.sort();
    found
}

/// What automatic backups of a catalogue left that never ended.
fn unfinished(folder: &Path, catalogue: CatalogueId) -> Vec<PathBuf> {
    let prefix = prefix(catalogue);
    let ours = |name: &str| {
        let rest = name
            .strip_prefix(&prefix)
            .and_then(|rest| rest.strip_suffix(backup::UNFINISHED));
        rest.is_some_and(|rest| rest.contains(&format!("{ENDING}.")))
    };
    entries(folder)
        .filter(|(name, _)| ours(name))
        .map(|(_, path)| path)
        .collect()
}

fn entries(folder: &Path) -> impl Iterator<Item = (String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
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
        daemon.backups.settled.store(true, Ordering::Relaxed);
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
    let known = mark::read(state)?;
    let id = known.map(|id| id.to_string()).unwrap_or_default();
    let path = folder.join(format!("respool-{id}-{}-before-{to}{ENDING}", now.strftime(TIME)));
    let manifest = backup::make(access, &path, now).await?;
    if let Err(problem) = mark::require(state, known, manifest.catalogue) {
        // Its name says another catalogue, and every attempt would leave one more.
        let _ = fs::remove_file(&path);
        return Err(problem);
    }
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
    let put = in_seat(&seat, state, config, (path, replace), now).await;
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

async fn in_seat(
    seat: &Seat,
    state: &StateFolder,
    config: &Config,
    (path, replace): (&Path, Replace),
    now: Timestamp,
) -> Result<PutBack, Problem> {
    // A mark that cannot be read says nothing against any backup: it is written anew below.
    if replace == Replace::Itself
        && let Ok(Some(known)) = mark::read(state)
    {
        let found = BackupFile::open(path)?.manifest().catalogue;
        if found != known {
            let why = format!("the backup is of catalogue {found}, and {known} belongs here");
            return Err(BackupError::Unfit(why).into());
        }
    }
    let (_, beside) = seat.socket_folders()?;
    let (access, cluster) = open::reach(state, config, beside).await?;
    let put = backup::put_back(&access, path, replace, now).await;
    let put = put.map_err(Problem::from).and_then(|put| {
        mark::write(state, put.manifest.catalogue)?;
        Ok(put)
    });
    match cluster {
        Some(cluster) => and_stopped(put, cluster.stop()).await,
        None => put,
    }
}

/// Stops the private server. What came of it is told, whatever becomes of the server: the next start finds one that still runs.
pub async fn and_stopped<T>(
    came_of_it: Result<T, Problem>,
    stop: impl Future<Output = Result<(), EmbeddedError>>,
) -> Result<T, Problem> {
    if let Err(error) = stop.await {
        tracing::warn!(%error, "the private PostgreSQL was not stopped; the next command uses or stops it");
    }
    came_of_it
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
    use dss::model::backup::{BACKUP_FORMAT, HEADER_BYTES};
    use dss::model::{Blake3, EventHead, Revision};

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    /// A file with the header of a backup, as it is written, and an empty dump.
    fn backup_of(catalogue: CatalogueId, made: Timestamp) -> Vec<u8> {
        let manifest = BackupManifest {
            format: BACKUP_FORMAT.to_owned(),
            catalogue,
            testing: false,
            revision: Revision(1),
            head: EventHead {
                link: 0,
                hash: Blake3([0; 32]),
            },
            schema: 1,
            server: 150_000,
            created_at: made,
            dump_bytes: 0,
            blake3: blake3::hash(b"").to_hex().to_string(),
        };
        let digest = blake3::hash(&serde_json::to_vec(&manifest).unwrap())
            .to_hex()
            .to_string();
        let mut text = serde_json::json!({ "manifest": manifest, "blake3": digest }).to_string();
        text.push_str(&" ".repeat(HEADER_BYTES as usize - text.len()));
        text.into_bytes()
    }

    fn backups(state: &Path, keep: u32) -> Backups {
        let mut config = Config::default();
        config.catalogue.backup_keep = keep;
        let state = StateFolder::resolve(Some(state)).unwrap();
        let backups = Backups::new(
            &state,
            &config,
            Access::url("postgres://nobody@localhost/nothing").unwrap(),
        );
        make_folder(&backups.folder).unwrap();
        backups
    }

    #[test]
    fn automatic_backups_are_told_from_others_and_sorted_by_time() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, other) = (CatalogueId::fresh(), CatalogueId::fresh());
        let (early, late) = (at("2027-01-02T03:04:05Z"), at("2027-01-03T03:04:05Z"));
        let after = at("2027-01-03T03:04:06Z");
        for (file, bytes) in [
            (name(ours, late, ""), backup_of(ours, late)),
            (name(ours, early, ""), backup_of(ours, early)),
            (name(ours, late, "-before-4"), backup_of(ours, late)),
            (name(other, late, ""), backup_of(other, late)),
            (name(ours, at("2027-01-01T00:00:00Z"), ""), backup_of(other, early)),
            (name(ours, at("2027-01-01T00:00:01Z"), ""), vec![]),
            (
                name(ours, at("2027-01-01T00:00:02Z"), ""),
                [backup_of(ours, early), vec![0]].concat(),
            ),
            (name(ours, after, ""), backup_of(ours, after)),
            ("letter.txt".to_owned(), vec![]),
        ] {
            fs::write(folder.path().join(file), bytes).unwrap();
        }
        let found = automatic(folder.path(), ours, late);
        assert_eq!(found.iter().map(|(made, _)| *made).collect::<Vec<_>>(), [early, late]);
    }

    /// A clock was wrong once. Neither that backup nor a mark of that time keeps a catalogue from being backed up.
    #[test]
    fn e16_a_time_to_come_does_not_put_backups_off() {
        let state = tempfile::tempdir().unwrap();
        let catalogue = CatalogueId::fresh();
        let mut backups = backups(state.path(), 7);
        let (now, future) = (at("2027-01-03T00:00:00Z"), at("2040-01-01T00:00:00Z"));
        backups.since = now;
        assert!(!backups.is_due(catalogue, now));
        backups.since = future;
        assert!(backups.is_due(catalogue, now));
        backups.since = at("2026-01-01T00:00:00Z");
        let place = |made| backups.folder.join(name(catalogue, made, ""));
        fs::write(place(future), backup_of(catalogue, future)).unwrap();
        assert!(backups.is_due(catalogue, now), "the one of the wrong clock is none");
        let recent = at("2027-01-02T12:00:00Z");
        fs::write(place(recent), backup_of(catalogue, recent)).unwrap();
        assert!(!backups.is_due(catalogue, now));
    }

    #[test]
    fn e16_only_good_backups_of_this_catalogue_are_pruned_and_none_for_one_to_come() {
        let state = tempfile::tempdir().unwrap();
        let catalogue = CatalogueId::fresh();
        let backups = backups(state.path(), 2);
        let [one, two, three] = [1, 2, 3].map(|day| at(&format!("2027-01-0{day}T00:00:00Z")));
        let (future, odd) = (at("2040-01-01T00:00:00Z"), at("2020-01-01T00:00:00Z"));
        let place = |made| backups.folder.join(name(catalogue, made, ""));
        for made in [one, two, three, future] {
            fs::write(place(made), backup_of(catalogue, made)).unwrap();
        }
        fs::write(place(odd), "somebody's letters").unwrap();
        backups.prune(catalogue, three);
        let left = [odd, one, two, three, future].map(|made| place(made).exists());
        assert_eq!(left, [true, false, true, true, true]);
    }

    #[test]
    fn e16_check_says_when_backups_are_overdue() {
        let state = tempfile::tempdir().unwrap();
        let catalogue = CatalogueId::fresh();
        let mut backups = backups(state.path(), 7);
        backups.since = at("2027-01-01T00:00:00Z");
        let place = |backups: &Backups, made| backups.folder.join(name(catalogue, made, ""));
        let future = at("2040-01-01T00:00:00Z");
        fs::write(place(&backups, future), backup_of(catalogue, future)).unwrap();
        let late = at("2027-01-03T00:00:01Z");
        assert_eq!(backups.finding(catalogue, late), None, "one may be under way");
        backups.settled.store(true, Ordering::Relaxed);
        assert_eq!(backups.finding(catalogue, at("2027-01-03T00:00:00Z")), None);
        let found = backups.finding(catalogue, late).expect("it is overdue");
        assert_eq!(
            (found.severity, found.invariant.as_str()),
            (Severity::Warning, "backup")
        );
        let made = at("2027-01-02T00:00:00Z");
        fs::write(place(&backups, made), backup_of(catalogue, made)).unwrap();
        assert_eq!(backups.finding(catalogue, late), None);
        backups.every = Duration::ZERO;
        assert_eq!(
            backups.finding(catalogue, at("2039-01-01T00:00:00Z")),
            None,
            "none are wanted"
        );
    }

    #[test]
    fn e16_a_start_removes_what_unfinished_backups_left() {
        let state = tempfile::tempdir().unwrap();
        let (ours, other) = (CatalogueId::fresh(), CatalogueId::fresh());
        let backups = backups(state.path(), 7);
        let time = at("2027-01-01T00:00:00Z");
        let files = [
            format!("{}.1234.part", name(ours, time, "")),
            name(ours, time, ""),
            format!("{}.1234.part", name(other, time, "")),
            "novel.part".to_owned(),
        ];
        for file in &files {
            fs::write(backups.folder.join(file), "").unwrap();
        }
        backups.clear(ours);
        let left = files.map(|file| backups.folder.join(file).exists());
        assert_eq!(left, [false, true, true, true]);
    }

    /// cleaning up never hides what happened first, and makes no failure of a success.
    #[tokio::test]
    async fn x04_a_server_that_does_not_stop_changes_nothing_of_what_is_told() {
        let stuck = || async { Err(EmbeddedError::NoAccount) };
        let damaged = Problem::integrity("backup_damaged", "us", "file", "it is damaged");
        let told = and_stopped::<()>(Err(damaged), stuck()).await.unwrap_err();
        assert_eq!((told.code.as_str(), told.exit), ("backup_damaged", 4));
        assert_eq!(and_stopped(Ok(7), stuck()).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn x04_a_restore_that_fails_early_leaves_its_seat_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::resolve(Some(folder.path())).unwrap();
        let mut config = Config::default();
        config.catalogue.url = Some("no url".to_owned());
        let path = folder.path().join("a.backup");
        let failed = restore(&state, &config, &path, Replace::Itself, Timestamp::UNIX_EPOCH).await;
        assert_eq!(failed.unwrap_err().exit, 2);
        assert!(!state.socket_record().exists());
    }
}
