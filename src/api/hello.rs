//! How a client and a respoold find out whether they belong together.

use super::Problem;
use super::backup::{BackupReport, RestoreReport};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What both sides must agree on. A client that differs would get answers it did not ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The program's version.
    pub version: String,
    /// The config in use; None: the defaults.
    pub config: Option<PathBuf>,
    /// `RESPOOL_TESTING`.
    pub testing: Option<String>,
    /// `RESPOOL_NOW`.
    pub now: Option<String>,
    /// `RESPOOL_FAULTS`.
    pub faults: Option<String>,
}

impl Terms {
    /// The terms of this process, given the config it uses.
    pub fn new(config: Option<PathBuf>, variable: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            config,
            testing: variable("RESPOOL_TESTING").filter(|value| !value.is_empty() && value != "0"),
            now: variable("RESPOOL_NOW").filter(|value| !value.is_empty()),
            faults: variable("RESPOOL_FAULTS").filter(|value| !value.is_empty()),
        }
    }

    /// Whether any drill variable is set.
    pub fn drills(&self) -> bool {
        self.testing.is_some() || self.now.is_some() || self.faults.is_some()
    }

    /// Refuses a client whose terms differ from those of the running respoold (`self`). `service`: the unit of the
    /// service manager that keeps it, if one does.
    pub fn admit(&self, client: &Self, service: Option<&str>) -> Result<(), Problem> {
        let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".into());
        let path = |value: &Option<PathBuf>| {
            value
                .as_ref()
                .map_or("the defaults".into(), |path| path.display().to_string())
        };
        let pairs = [
            ("version", self.version.clone(), client.version.clone()),
            ("--config", path(&self.config), path(&client.config)),
            ("RESPOOL_TESTING", show(&self.testing), show(&client.testing)),
            ("RESPOOL_NOW", show(&self.now), show(&client.now)),
            ("RESPOOL_FAULTS", show(&self.faults), show(&client.faults)),
        ];
        match pairs.into_iter().find(|(_, ours, theirs)| ours != theirs) {
            None => Ok(()),
            Some((what, ours, theirs)) => Err(Problem::refused(
                "respoold_differs",
                what,
                format!("the running respoold was started with another {what}: {ours}; this command has {theirs}"),
            )
            .next(match service {
                None => "run `respool stop`, then repeat the command".to_owned(),
                Some(unit) => self.way_out(what, &ours, unit),
            })),
        }
    }

    /// What helps where the running respoold is everybody's: a stop would be too, and nobody would start it again.
    fn way_out(&self, what: &str, ours: &str, unit: &str) -> String {
        match (what, &self.config) {
            ("version", _) => format!(
                "use the `respool` of version {ours}; after an upgrade root runs `systemctl restart {unit}`, and nothing is \
                 lost by that"
            ),
            ("--config", Some(path)) => format!(
                "the service's config holds for everybody: add `--config {}`, or leave --config and a config of your own \
                 away; to change it root edits that file and runs `systemctl restart {unit}`",
                path.display()
            ),
            ("--config", None) => format!(
                "the service has no config: leave --config and a config of your own away; to give it one root changes the \
                 unit and runs `systemctl restart {unit}`"
            ),
            (variable, _) => format!(
                "leave {variable} as the service has it: {ours}; drills are for a state folder of your own, with --state"
            ),
        }
    }
}

/// Which catalogue a respoold that is started may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// A normal one unless there is one; `respool init` and every other verb.
    Normal,
    /// One in which drills may be rehearsed: `respool init --testing`.
    Testing,
    /// None: a drill needs the catalogue that `init --testing` made.
    Never,
}

impl Create {
    /// The word on respoold's command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Testing => "testing",
            Self::Never => "never",
        }
    }

    /// The inverse of [`Self::word`].
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Normal, Self::Testing, Self::Never]
            .into_iter()
            .find(|create| create.word() == word)
    }
}

/// What a running respoold says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its process.
    pub pid: u32,
    /// The catalogue it keeps.
    pub catalogue: dss::model::CatalogueId,
    /// Whether drills may be rehearsed.
    pub testing: bool,
}

/// What `clock accept` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClockAccepted {
    /// The time that holds from now on.
    pub now: jiff::Timestamp,
}

/// The one line a starting respoold says to whoever started it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartLine {
    /// It takes requests at this socket.
    Ready {
        /// The socket.
        socket: PathBuf,
        /// Whether the catalogue was made just now.
        created: bool,
        /// The process of the respoold before it, when that one ended without stopping.
        killed: Option<u32>,
    },
    /// It stopped the private PostgreSQL, if one ran, and ended.
    Stopped,
    /// It looked at a backup, and ended.
    Verified(Box<BackupReport>),
    /// It put a backup back, and ended.
    Restored(Box<RestoreReport>),
    /// It ended again.
    Problem(Problem),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(pairs: &'static [(&'static str, &'static str)]) -> Terms {
        Terms::new(None, |name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_client_with_other_drills_or_config_is_refused_and_told_to_stop_respoold() {
        let plain = terms(&[]);
        assert!(plain.admit(&terms(&[]), None).is_ok());
        let other = Terms {
            config: Some("/etc/other.toml".into()),
            ..terms(&[])
        };
        for client in [
            terms(&[("RESPOOL_TESTING", "1")]),
            terms(&[("RESPOOL_NOW", "2030-01-01T00:00:00Z")]),
            terms(&[("RESPOOL_FAULTS", "f.toml")]),
            other,
        ] {
            let problem = plain.admit(&client, None).unwrap_err();
            assert_eq!(problem.exit, 2);
            assert!(problem.next.contains("respool stop"));
        }
    }

    #[test]
    fn a_client_of_a_service_is_not_told_to_stop_it_for_everybody() {
        let service = Terms {
            config: Some("/etc/respool/config.toml".into()),
            ..terms(&[])
        };
        let own = Terms {
            config: Some("/home/me/.config/respool/config.toml".into()),
            ..terms(&[])
        };
        let older = Terms {
            version: "0.0.9".into(),
            ..service.clone()
        };
        let drill = Terms {
            now: Some("2030-01-01T00:00:00Z".into()),
            ..service.clone()
        };
        for (client, words) in [
            (&own, "--config /etc/respool/config.toml"),
            (&older, env!("CARGO_PKG_VERSION")),
            (&drill, "RESPOOL_NOW"),
        ] {
            let problem = service.admit(client, Some("respoold.service")).unwrap_err();
            assert!(problem.exit == 2 && problem.next.contains(words), "{}", problem.next);
            assert!(!problem.next.contains("respool stop"), "{}", problem.next);
        }
        let problem = terms(&[]).admit(&own, Some("respoold.service")).unwrap_err();
        assert!(problem.next.contains("leave --config"), "{}", problem.next);
    }

    #[test]
    fn an_empty_variable_is_an_unset_one() {
        assert_eq!(terms(&[("RESPOOL_NOW", ""), ("RESPOOL_TESTING", "0")]), terms(&[]));
    }
}
