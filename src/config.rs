//! The one typed config. Validated whole when respoold starts; a wrong key or value is refused with its file and line,
//! and nothing is guessed. Read by respoold only.

use crate::api::Problem;
use crate::api::units::{parse_size, parse_span};
use dss::model::{ByteCount, VerifyMode};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that can be configured, with its defaults.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[store]`: objects.
    pub store: Store,
    /// `[repack]`: what a repack does unless told otherwise.
    pub repack: Repack,
    /// `[catalogue]`: where the catalogue lives.
    pub catalogue: Catalogue,
    /// `[daemon]`: respoold itself.
    pub daemon: Daemon,
    /// `[memory]`: the copy path.
    pub memory: Memory,
}

/// `[store]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// The most bytes of one extent; larger objects have several.
    #[serde(deserialize_with = "size")]
    pub extent_max_bytes: ByteCount,
    /// How many copies a put makes.
    pub copies: u8,
    /// How long a deleted or overwritten version can be had back.
    #[serde(deserialize_with = "span")]
    pub undelete_window: Duration,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            extent_max_bytes: ByteCount(64 << 30),
            copies: 1,
            undelete_window: Duration::from_secs(30 * 86_400),
        }
    }
}

/// `[repack]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Repack {
    /// How long the old bytes of an emptied medium are held; 0: not at all.
    #[serde(deserialize_with = "span")]
    pub quarantine: Duration,
    /// How much of what was moved is read back.
    pub verify: VerifyMode,
    /// A target is synced at the latest after so many bytes ...
    #[serde(deserialize_with = "size")]
    pub sync_bytes: ByteCount,
    /// ... or so many seconds.
    pub sync_seconds: u64,
    /// The most extents of one batch.
    pub batch_extents: usize,
    /// Whether deleted and overwritten versions are dropped instead of moved.
    pub drop_deleted: bool,
    /// A target's own index is committed at the latest after so many seconds.
    pub index_seconds: u64,
}

impl Default for Repack {
    fn default() -> Self {
        Self {
            quarantine: Duration::from_secs(7 * 86_400),
            verify: VerifyMode::Full,
            sync_bytes: ByteCount(256 << 20),
            sync_seconds: 30,
            batch_extents: dss::catalogue::SWAP_MAX,
            drop_deleted: false,
            index_seconds: 600,
        }
    }
}

/// `[catalogue]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Catalogue {
    /// A PostgreSQL that is run by somebody else; None: a private one below the state folder.
    pub url: Option<String>,
    /// Where automatic backups go: a folder on another device than the state folder's. None: in the state folder, which
    /// does not outlive its disk.
    pub backup_dir: Option<PathBuf>,
    /// How often one is made; 0: only before the schema is changed.
    #[serde(deserialize_with = "span")]
    pub backup_every: Duration,
    /// How many of them are kept.
    pub backup_keep: u32,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self {
            url: None,
            backup_dir: None,
            backup_every: Duration::from_secs(86_400),
            backup_keep: 7,
        }
    }
}

/// `[daemon]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Daemon {
    /// Without a job and a client for so long, respoold leaves; 0: never. Nor where a service manager keeps it.
    #[serde(deserialize_with = "span")]
    pub idle_exit: Duration,
    /// How long a lease lasts unless it is renewed.
    pub lease_seconds: u32,
}

impl Default for Daemon {
    fn default() -> Self {
        Self {
            idle_exit: Duration::from_secs(300),
            lease_seconds: 60,
        }
    }
}

/// `[memory]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// The ring of buffers between reader and writer.
    #[serde(deserialize_with = "size")]
    pub ring: ByteCount,
    /// One buffer of it. A repack of large extents takes four together.
    #[serde(deserialize_with = "size")]
    pub chunk: ByteCount,
    /// The most bytes that wait in the state folder while a dock changes its disk; no extent larger than this can be
    /// moved between two disks of one dock. Used by staged repacks only, one spool for each at work.
    #[serde(deserialize_with = "size")]
    pub spool: ByteCount,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            ring: ByteCount(64 << 20),
            chunk: ByteCount(1 << 20),
            spool: ByteCount(4 << 30),
        }
    }
}

impl Config {
    /// Reads and validates a file.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let text = std::fs::read_to_string(path).map_err(|error| Self::unreadable(path, &error))?;
        Self::parse(&text, path)
    }

    /// That a file is not there, or cannot be read.
    pub fn unreadable(path: &Path, error: &io::Error) -> Problem {
        Problem::refused(
            "config_unreadable",
            path.display().to_string(),
            format!("the config {} cannot be read: {error}", path.display()),
        )
        .next("correct the path given to --config, or what lies there and its permissions")
    }

    /// Validates the text of a file.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Problem> {
        let refuse = |place: String, why: String| {
            Problem::refused("config_invalid", path.display().to_string(), format!("{place}: {why}"))
                .next("correct that line; respoold was not started")
        };
        let config: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            refuse(
                format!("{} line {line}", path.display()),
                error.message().trim().to_owned(),
            )
        })?;
        match config.contradiction() {
            None => Ok(config),
            Some((key, why)) => {
                let line = text
                    .lines()
                    .position(|line| line.trim_start().starts_with(key))
                    .map_or(String::new(), |index| format!(" line {}", index + 1));
                Err(refuse(format!("{}{line}", path.display()), format!("{key}: {why}")))
            }
        }
    }

    /// The first value that is well-formed and cannot work.
    fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        let rules = [
            (self.store.extent_max_bytes.0 == 0, "extent_max_bytes", "is at least 1"),
            (!(1..=16).contains(&self.store.copies), "copies", "is between 1 and 16"),
            (self.repack.sync_bytes.0 == 0, "sync_bytes", "is at least 1"),
            (self.repack.sync_seconds == 0, "sync_seconds", "is at least 1"),
            (
                !(1..=dss::catalogue::SWAP_MAX).contains(&self.repack.batch_extents),
                "batch_extents",
                "is between 1 and 2000",
            ),
            (self.repack.index_seconds == 0, "index_seconds", "is at least 1"),
            (
                self.catalogue.backup_dir.as_ref().is_some_and(|dir| !dir.is_absolute()),
                "backup_dir",
                "is an absolute path",
            ),
            (self.catalogue.backup_keep == 0, "backup_keep", "is at least 1"),
            (
                !(5..=3600).contains(&self.daemon.lease_seconds),
                "lease_seconds",
                "is between 5 and 3600",
            ),
            (
                !(4096..=64 << 20).contains(&self.memory.chunk.0) || !self.memory.chunk.0.is_multiple_of(4096),
                "chunk",
                "is between 4 KiB and 64 MiB, in steps of 4 KiB",
            ),
            (
                self.memory.ring.0 < self.memory.chunk.0.saturating_mul(2),
                "ring",
                "holds at least two chunks",
            ),
            (
                self.memory.spool < self.memory.chunk,
                "spool",
                "holds at least one chunk",
            ),
        ];
        rules
            .into_iter()
            .find(|(broken, _, _)| *broken)
            .map(|(_, key, why)| (key, why))
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
        + 1
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteCount, D::Error> {
    struct Size;
    impl Visitor<'_> for Size {
        type Value = ByteCount;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number of bytes, or a size like \"64 GiB\"")
        }
        fn visit_i64<E: Error>(self, value: i64) -> Result<ByteCount, E> {
            u64::try_from(value)
                .map(ByteCount)
                .map_err(|_| E::custom("a size is not negative"))
        }
        fn visit_u64<E: Error>(self, value: u64) -> Result<ByteCount, E> {
            Ok(ByteCount(value))
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<ByteCount, E> {
            parse_size(text).map_err(E::custom)
        }
    }
    deserializer.deserialize_any(Size)
}

fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_span(&text).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Problem> {
        Config::parse(text, Path::new("respool.toml"))
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(parse("").unwrap(), Config::default());
    }

    #[test]
    fn sizes_and_durations_are_what_people_write() {
        let config =
            parse("[store]\nextent_max_bytes = \"1 MiB\"\nundelete_window = \"2h\"\n[memory]\nchunk = 65536\n");
        let config = config.unwrap();
        assert_eq!(config.store.extent_max_bytes, ByteCount(1 << 20));
        assert_eq!(config.store.undelete_window, Duration::from_secs(7200));
        assert_eq!(config.memory.chunk, ByteCount(65_536));
    }

    const SAMPLE: &str = include_str!("../packaging/config.toml");

    /// The keys that one section takes, by the words with which another is refused.
    fn keys(section: &str) -> Vec<String> {
        let refused = parse(&format!("{section}\nno_such_key = 1\n")).unwrap_err().message;
        let (_, expected) = refused.split_once("expected").expect("the keys that it takes are told");
        let keys: Vec<_> = expected.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert!(!keys.is_empty(), "{refused}");
        keys
    }

    #[test]
    fn the_sample_changes_nothing_as_it_is_nor_with_every_default_written_out() {
        assert_eq!(parse(SAMPLE).unwrap(), Config::default());
        let uncommented = SAMPLE.lines().map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => key,
            _ => line,
        });
        let text: Vec<_> = uncommented.collect();
        let mut config = parse(&text.join("\n")).unwrap();
        // These two have no default.
        assert!(config.catalogue.url.take().is_some() && config.catalogue.backup_dir.take().is_some());
        assert_eq!(config, Config::default());
    }

    #[test]
    fn every_key_of_the_config_stands_in_the_sample() {
        for section in keys("") {
            let part = SAMPLE.split_once(&format!("\n[{section}]\n"));
            let part = part.unwrap_or_else(|| panic!("[{section}]")).1;
            let part = part.split_once("\n[").map_or(part, |(part, _)| part);
            for key in keys(&format!("[{section}]")) {
                let line = format!("#{key} = ");
                assert!(part.lines().any(|found| found.starts_with(&line)), "[{section}] {key}");
            }
        }
    }

    #[test]
    fn a_wrong_key_or_value_is_named_with_file_and_line() {
        for (text, line) in [
            ("[store]\n\ncopies = 1\nquarantin = \"7d\"\n", "respool.toml line 4"),
            ("[stor]\n", "respool.toml line 1"),
            ("[repack]\nverify = \"most\"\n", "respool.toml line 2"),
            ("[repack]\nsync_bytes = 1\nsync_seconds = 0\n", "respool.toml line 3"),
            ("[memory]\nring = \"lots\"\n", "respool.toml line 2"),
            ("[daemon]\nlease_seconds = 1\n", "respool.toml line 2"),
            ("[memory]\nspool = 1\n", "respool.toml line 2"),
            ("[catalogue]\nbackup_dir = \"here\"\n", "respool.toml line 2"),
            ("[catalogue]\nbackup_keep = 0\n", "respool.toml line 2"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.message.starts_with(line), "{}", problem.message);
            assert_eq!(problem.exit, 2);
        }
    }
}
