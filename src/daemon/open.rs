//! Opens the catalogue: the configured server, or the private cluster below the state folder. The only place outside
//! tests that names the database.

use crate::api::Problem;
use crate::api::hello::Create;
use crate::config::Config;
use crate::daemon::{backups, drill, mark};
use crate::state::StateFolder;
use dss::catalogue::{Catalogue, Identity};
use dss::model::{CatalogueId, Checkpoints};
use dss::pg::backup::{Access, BackupError};
use dss::pg::embedded::{Durability, EmbeddedCluster, EmbeddedConfig, EmbeddedError};
use dss::pg::{Limits, PgCatalogue, Settings};
use jiff::Timestamp;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// The database's name in the private cluster.
pub const DATABASE: &str = "respool";
/// Jobs, puts, gets and listings side by side.
const CONNECTIONS_MAX: u32 = 16;

/// An open catalogue.
pub struct Opened {
    /// Itself.
    pub catalogue: Arc<PgCatalogue>,
    /// Which it is.
    pub identity: Identity,
    /// The private cluster, when it is in one.
    pub cluster: Option<EmbeddedCluster>,
    /// The way to its database.
    pub access: Access,
    /// Whether it was made just now.
    pub created: bool,
}

/// Opens the catalogue, making it if there is none, none belongs here, and that is allowed.
pub async fn open(
    state: &StateFolder,
    config: &Config,
    socket_dir: PathBuf,
    create: Create,
    (checkpoints, now): (Arc<dyn Checkpoints>, Timestamp),
) -> Result<Opened, Problem> {
    let known = mark::read(state)?;
    match known {
        None if create == Create::Never => return Err(drill::no_testing_catalogue()),
        // A cluster that is made now would lie below the disk that is to be mounted there.
        Some(id) if config.catalogue.url.is_none() && mark::is_nothing(&state.path().join("pg")) => {
            return Err(mark::missing(state, config, id));
        }
        None | Some(_) => {}
    }
    let (access, cluster) = reach(state, config, socket_dir).await?;
    let settings = Settings {
        allow_unsafe: false,
        checkpoints,
        max_connections: CONNECTIONS_MAX,
        limits: Limits::default(),
    };
    let found = find(
        (state, config),
        (&access, cluster.as_ref()),
        known,
        create,
        (settings, now),
    )
    .await;
    let (catalogue, identity, made) = match (found, &cluster) {
        (Ok(found), _) => found,
        // Whoever puts the right one in its place does not find this one in use.
        (Err(problem), Some(cluster)) if mark::is_at_odds(&problem) => {
            return backups::and_stopped(Err(problem), cluster.stop()).await;
        }
        (Err(problem), _) => return Err(problem),
    };
    if known.is_none() {
        mark::write(state, identity.id)?;
    }
    Ok(Opened {
        catalogue: Arc::new(catalogue),
        identity,
        cluster,
        access,
        created: made,
    })
}

/// The catalogue in a server that runs: the known one, or any where none is known; and whether there was none before.
async fn find(
    (state, config): (&StateFolder, &Config),
    (access, cluster): (&Access, Option<&EmbeddedCluster>),
    known: Option<CatalogueId>,
    create: Create,
    (settings, now): (Settings, Timestamp),
) -> Result<(PgCatalogue, Identity, bool), Problem> {
    let (options, conninfo) = match (&config.catalogue.url, cluster) {
        (Some(url), _) => (parse(url)?, url.clone()),
        (None, Some(cluster)) => {
            cluster.ensure_database(DATABASE).await.map_err(of_cluster)?;
            (cluster.connect_options(DATABASE), cluster.conninfo(DATABASE))
        }
        (None, None) => unreachable!("without a url there is a cluster"),
    };
    let newest = dss::pg::known_version();
    let asked = access.schema().await;
    let made = matches!(asked, Ok(None));
    let catalogue = match Way::of(&asked, newest, known) {
        Way::Missing(id) => return Err(mark::missing(state, config, id)),
        Way::AsItIs => PgCatalogue::connect(options, conninfo, settings).await?,
        way @ (Way::AfterBackup(_) | Way::Migrate) => {
            if let Way::AfterBackup(version) = way {
                backups::before_migration(state, config, access, (version, newest), now).await?;
            }
            PgCatalogue::init(options, conninfo, settings, create == Create::Testing).await?
        }
    };
    let identity = catalogue.identity().await?;
    match mark::require(state, known, identity.id) {
        Ok(()) => Ok((catalogue, identity, made)),
        Err(problem) => {
            catalogue.close().await;
            Err(problem)
        }
    }
}

/// How a database is opened. Its schema changes only when it is known which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It holds an older schema: a backup comes first.
    AfterBackup(i64),
    /// It holds no catalogue and none is known, or one of this schema.
    Migrate,
    /// It holds none, and this one belongs here.
    Missing(CatalogueId),
    /// Its schema could not be asked, so that none is brought up to date. Why it cannot be reached or trusted is told by
    /// the opening.
    AsItIs,
}

impl Way {
    fn of(asked: &Result<Option<i64>, BackupError>, newest: i64, known: Option<CatalogueId>) -> Self {
        match (asked, known) {
            (Ok(Some(version)), _) if *version < newest => Self::AfterBackup(*version),
            (Ok(None), Some(id)) => Self::Missing(id),
            (Ok(Some(_)), _) | (Ok(None), None) => Self::Migrate,
            (Err(error), _) => {
                tracing::warn!(%error, "the schema could not be asked: it is not changed");
                Self::AsItIs
            }
        }
    }
}

/// The server that the catalogue is, or is to be, in: the configured one, or the private cluster, started.
pub async fn reach(
    state: &StateFolder,
    config: &Config,
    socket_dir: PathBuf,
) -> Result<(Access, Option<EmbeddedCluster>), Problem> {
    if let Some(url) = &config.catalogue.url {
        return Ok((Access::url(url)?, None));
    }
    let cluster = EmbeddedCluster::open(&EmbeddedConfig {
        state_dir: state.path().to_owned(),
        socket_dir,
        durability: Durability::Durable,
    })
    .await
    .map_err(of_cluster)?;
    let binaries = cluster.binaries().map_err(of_cluster)?;
    Ok((
        Access::private(cluster.connect_options(DATABASE), binaries),
        Some(cluster),
    ))
}

/// Stops the private cluster of a state folder, if one runs.
pub async fn stop_cluster(state: &StateFolder) -> Result<(), Problem> {
    match EmbeddedCluster::running(state.path()).await.map_err(of_cluster)? {
        Some(cluster) => cluster.stop().await.map_err(of_cluster),
        None => Ok(()),
    }
}

fn parse<T: FromStr<Err: std::fmt::Display>>(url: &str) -> Result<T, Problem> {
    url.parse().map_err(|why| {
        Problem::refused(
            "config_invalid",
            "[catalogue] url",
            format!("[catalogue] url cannot be read: {why}"),
        )
        .next("write it like postgres://user@host/database")
    })
}

/// A problem of the private cluster.
pub fn of_cluster(error: EmbeddedError) -> Problem {
    Problem::environment("catalogue_unavailable", "us", "PostgreSQL", error.to_string())
        .next("see the log below `pg` in the state folder, correct this and repeat the command")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e16_a_schema_is_changed_only_after_a_backup() {
        let unasked = || Err(BackupError::Unfit("it did not answer".to_owned()));
        let id = CatalogueId::fresh();
        for (asked, new, known) in [
            (Ok(None), Way::Migrate, Way::Missing(id)),
            (Ok(Some(5)), Way::Migrate, Way::Migrate),
            (Ok(Some(6)), Way::Migrate, Way::Migrate),
            (Ok(Some(4)), Way::AfterBackup(4), Way::AfterBackup(4)),
            (unasked(), Way::AsItIs, Way::AsItIs),
        ] {
            assert_eq!(Way::of(&asked, 5, None), new, "{asked:?}");
            assert_eq!(Way::of(&asked, 5, Some(id)), known, "{asked:?}");
        }
    }
}
