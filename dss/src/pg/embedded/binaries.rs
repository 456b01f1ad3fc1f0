//! Finds the server's programs: `RESPOOL_PG_BIN` when set, else the newest of Debian's folders, Enterprise Linux's
//! folders and the search path; for an existing cluster the one of its own major version.

use super::EmbeddedError;
use super::launch::{self, Life};
use std::path::{Path, PathBuf};

/// The oldest PostgreSQL whose behaviour the catalogue relies on.
pub const MINIMUM_MAJOR: u32 = 15;

/// A folder with `postgres` and `initdb`, and the major version that `postgres` reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// The folder.
    pub folder: PathBuf,
    /// The major version, such as 15.
    pub major: u32,
}

impl Binaries {
    /// Path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The newest programs of this host.
    pub fn newest() -> Result<Self, EmbeddedError> {
        Self::find(None)
    }

    /// The programs to use: those of `major` when a cluster exists, else the newest.
    pub(super) fn find(cluster: Option<(&Path, u32)>) -> Result<Self, EmbeddedError> {
        let folders = candidate_folders();
        let found: Vec<Self> = folders.iter().filter_map(|folder| probe(folder)).collect();
        choose(found, &folders, cluster)
    }
}

fn choose(found: Vec<Binaries>, looked: &[PathBuf], cluster: Option<(&Path, u32)>) -> Result<Binaries, EmbeddedError> {
    let list = |found: &[Binaries]| {
        let names = found
            .iter()
            .map(|one| format!("{} in {}", one.major, one.folder.display()));
        names.collect::<Vec<_>>().join(", ")
    };
    let mut usable: Vec<Binaries> = found.iter().filter(|one| one.major >= MINIMUM_MAJOR).cloned().collect();
    if usable.is_empty() {
        let mut looked = looked
            .iter()
            .map(|folder| folder.display().to_string())
            .collect::<Vec<_>>()
            .join(", ");
        if !found.is_empty() {
            looked = format!("{looked}; too old: {}", list(&found));
        }
        return Err(EmbeddedError::BinariesMissing {
            minimum: MINIMUM_MAJOR,
            looked,
        });
    }
    if let Some((data, wanted)) = cluster {
        let found = list(&usable);
        return usable
            .into_iter()
            .find(|one| one.major == wanted)
            .ok_or_else(|| EmbeddedError::OtherMajor {
                data: data.to_path_buf(),
                wanted,
                found,
            });
    }
    // A stable sort: of equal versions the folder named first stays first.
    usable.sort_by_key(|one| std::cmp::Reverse(one.major));
    Ok(usable.swap_remove(0))
}

/// Where to look, in order of preference among equal versions. Folders that do not exist are kept: they are what the
/// message lists.
fn candidate_folders() -> Vec<PathBuf> {
    if let Some(folder) = std::env::var_os("RESPOOL_PG_BIN").filter(|value| !value.is_empty()) {
        return vec![PathBuf::from(folder)];
    }
    let mut folders = below(Path::new("/usr/lib/postgresql"), |name| name.parse::<u32>().is_ok());
    folders.extend(below(Path::new("/usr"), |name| name.starts_with("pgsql-")));
    if folders.is_empty() {
        folders = vec![
            PathBuf::from("/usr/lib/postgresql/*/bin"),
            PathBuf::from("/usr/pgsql-*/bin"),
        ];
    }
    folders.extend(
        std::env::var_os("PATH")
            .iter()
            .flat_map(std::env::split_paths)
            .filter(|path| path.is_absolute()),
    );
    folders
}

fn below(parent: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut folders: Vec<_> = names
        .filter(|name| wanted(name))
        .map(|name| parent.join(name).join("bin"))
        .collect();
    folders.sort();
    folders
}

fn probe(folder: &Path) -> Option<Binaries> {
    if !folder.join("initdb").is_file() {
        return None;
    }
    let mut command = launch::command(&folder.join("postgres"), None, Path::new("/"), Life::WithItsThread);
    let output = command.arg("--version").output().ok()?;
    let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries {
        folder: folder.to_path_buf(),
        major,
    })
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` and `postgres (PostgreSQL) 18beta1`.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binaries(major: u32) -> Binaries {
        Binaries {
            folder: PathBuf::from(format!("/opt/{major}/bin")),
            major,
        }
    }

    #[test]
    fn the_major_version_is_read_from_what_postgres_prints() {
        assert_eq!(
            parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("bash: no such thing"), None);
    }

    #[test]
    fn a_new_cluster_takes_the_newest_and_an_old_one_its_own_version() {
        let found = vec![binaries(13), binaries(15), binaries(17)];
        assert_eq!(choose(found.clone(), &[], None).unwrap().major, 17);
        assert_eq!(
            choose(found.clone(), &[], Some((Path::new("/s/pg"), 15)))
                .unwrap()
                .major,
            15
        );
        let refused = choose(found, &[], Some((Path::new("/s/pg"), 16)))
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("postgresql-16") && refused.contains("/s/pg"),
            "{refused}"
        );
    }

    #[test]
    fn missing_binaries_name_the_package_to_install() {
        let refused = choose(vec![binaries(14)], &[PathBuf::from("/usr/bin")], None)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("apt-get install postgresql"), "{refused}");
        assert!(refused.contains("dnf install postgresql-server"), "{refused}");
        assert!(refused.contains("too old: 14 in /opt/14/bin"), "{refused}");
    }
}
