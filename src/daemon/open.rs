//! Opens the catalogue: the configured server, or the private cluster below the state folder. The only place outside
//! tests that names the database.

use crate::api::Problem;
use crate::api::hello::Create;
use crate::config::Config;
use crate::daemon::seat::write_durably;
use crate::daemon::{backups, drill};
use crate::state::StateFolder;
use dss::catalogue::{Catalogue, Identity};
use dss::model::{CatalogueId, Checkpoints};
use dss::pg::backup::{Access, BackupError};
use dss::pg::embedded::{Durability, EmbeddedCluster, EmbeddedConfig, EmbeddedError};
use dss::pg::{PgCatalogue, Settings};
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

/// Opens the catalogue, making it if there is none and that is allowed.
pub async fn open(
    state: &StateFolder,
    config: &Config,
    socket_dir: PathBuf,
    create: Create,
    (checkpoints, now): (Arc<dyn Checkpoints>, Timestamp),
) -> Result<Opened, Problem> {
    let known = state.catalogue_mark().exists();
    if !known && create == Create::Never {
        return Err(drill::no_testing_catalogue());
    }
    let (access, cluster) = reach(state, config, socket_dir).await?;
    let (options, conninfo) = match (&config.catalogue.url, &cluster) {
        (Some(url), _) => (parse(url)?, url.clone()),
        (None, Some(cluster)) => {
            cluster.ensure_database(DATABASE).await.map_err(of_cluster)?;
            (cluster.connect_options(DATABASE), cluster.conninfo(DATABASE))
        }
        (None, None) => unreachable!("without a url there is a cluster"),
    };
    let newest = dss::pg::known_version();
    let way = Way::of(&access.schema().await, newest);
    if let Way::AfterBackup(version) = way {
        backups::before_migration(state, config, &access, (version, newest), now).await?;
    }
    let settings = Settings {
        allow_unsafe: false,
        checkpoints,
        max_connections: CONNECTIONS_MAX,
    };
    let catalogue = match way {
        Way::AfterBackup(_) | Way::Migrate => {
            PgCatalogue::init(options, conninfo, settings, create == Create::Testing).await?
        }
        Way::AsItIs => PgCatalogue::connect(options, conninfo, settings).await?,
    };
    let identity = catalogue.identity().await?;
    if !known {
        mark(state, identity.id)?;
    }
    Ok(Opened {
        catalogue: Arc::new(catalogue),
        identity,
        cluster,
        access,
        created: !known,
    })
}

/// How a database is opened. Its schema changes only when it is known which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It holds an older schema: a backup comes first.
    AfterBackup(i64),
    /// It holds no catalogue, or one of this schema.
    Migrate,
    /// Its schema could not be asked, so that none is brought up to date. Why it cannot be reached or trusted is told by
    /// the opening.
    AsItIs,
}

impl Way {
    fn of(asked: &Result<Option<i64>, BackupError>, newest: i64) -> Self {
        match asked {
            Ok(Some(version)) if *version < newest => Self::AfterBackup(*version),
            Ok(_) => Self::Migrate,
            Err(error) => {
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

/// Notes that a catalogue was made, or put back, from here.
pub fn mark(state: &StateFolder, id: CatalogueId) -> Result<(), Problem> {
    write_durably(&state.catalogue_mark(), &format!("{id}\n")).map_err(|error| state.unusable("written", &error))
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
        let unasked = Err(BackupError::Unfit("it did not answer".to_owned()));
        for (asked, way) in [
            (Ok(None), Way::Migrate),
            (Ok(Some(5)), Way::Migrate),
            (Ok(Some(6)), Way::Migrate),
            (Ok(Some(4)), Way::AfterBackup(4)),
            (unasked, Way::AsItIs),
        ] {
            assert_eq!(Way::of(&asked, 5), way, "{asked:?}");
        }
    }
}
