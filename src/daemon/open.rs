//! Opens the catalogue: the configured server, or the private cluster below the state folder. The only place outside
//! tests that names the database.

use crate::api::Problem;
use crate::api::hello::Create;
use crate::config::Config;
use crate::daemon::drill;
use crate::daemon::seat::write_durably;
use crate::state::StateFolder;
use dss::catalogue::{Catalogue, Identity};
use dss::model::Checkpoints;
use dss::pg::embedded::{Durability, EmbeddedCluster, EmbeddedConfig, EmbeddedError};
use dss::pg::{PgCatalogue, Settings};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// The database's name in the private cluster.
const DATABASE: &str = "respool";
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
    /// Whether it was made just now.
    pub created: bool,
}

/// Opens the catalogue, making it if there is none and that is allowed.
pub async fn open(
    state: &StateFolder,
    config: &Config,
    socket_dir: PathBuf,
    create: Create,
    checkpoints: Arc<dyn Checkpoints>,
) -> Result<Opened, Problem> {
    let known = state.catalogue_mark().exists();
    if !known && create == Create::Never {
        return Err(drill::no_testing_catalogue());
    }
    let (options, conninfo, cluster) = match &config.catalogue.url {
        Some(url) => (parse(url)?, url.clone(), None),
        None => {
            let cluster = EmbeddedCluster::open(&EmbeddedConfig {
                state_dir: state.path().to_owned(),
                socket_dir,
                durability: Durability::Durable,
            })
            .await
            .map_err(of_cluster)?;
            cluster.ensure_database(DATABASE).await.map_err(of_cluster)?;
            let (options, conninfo) = (cluster.connect_options(DATABASE), cluster.conninfo(DATABASE));
            (options, conninfo, Some(cluster))
        }
    };
    let settings = Settings {
        allow_unsafe: false,
        checkpoints,
        max_connections: CONNECTIONS_MAX,
    };
    let catalogue = PgCatalogue::init(options, conninfo, settings, create == Create::Testing).await?;
    let identity = catalogue.identity().await?;
    if !known {
        write_durably(&state.catalogue_mark(), &format!("{}\n", identity.id))
            .map_err(|error| state.unusable("written", &error))?;
    }
    Ok(Opened {
        catalogue: Arc::new(catalogue),
        identity,
        cluster,
        created: !known,
    })
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
