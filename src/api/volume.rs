//! What `tape import` and `tape compact` ask for and print.

use super::import::{BadExtent, ImportReport};
use super::problem::{Problem, exit};
use dss::catalogue::NewFile;
use dss::model::{ByteCount, LtfsKind, Oid, Quarantine};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// `tape import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TapeImportRequest {
    /// Which cartridge, by its barcode, or by its name where it is a medium already.
    pub tape: String,
    /// In which library; None: the only one that has it.
    pub library: Option<String>,
    /// What it shall be called; None: as its barcode.
    pub name: Option<String>,
    /// What the names and paths of all objects begin with.
    pub under: Option<Oid>,
    /// Tell what would be imported, and do nothing.
    pub dry_run: bool,
    /// Read everything whole.
    pub verify: bool,
    /// The operator's words.
    pub tags: BTreeSet<String>,
    /// The operator's class.
    pub class: Option<String>,
}

/// What `tape compact` does before anything is moved: sources that nobody knows are imported, and the target is made a
/// medium where it is blank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompactRequest {
    /// The tapes to be compacted, by barcode or name.
    pub sources: Vec<String>,
    /// The tape that takes what lives on them.
    pub onto: String,
    /// In which library all of them are; None: the only one that has each.
    pub library: Option<String>,
    /// What the names and paths of what is imported begin with.
    pub under: Option<Oid>,
    /// For how long the sources' old bytes are held; None: as configured.
    pub quarantine: Option<Quarantine>,
    /// Tell what would be imported, and do nothing.
    pub dry_run: bool,
}

impl CompactRequest {
    /// Whether deleted versions are dropped, where that is said: what is kept for ever cannot be.
    pub fn drop_deleted(&self) -> Option<bool> {
        (self.quarantine == Some(Quarantine::Forever)).then_some(false)
    }
}

/// What was prepared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Prepared {
    /// The media to be emptied, by name.
    pub sources: Vec<String>,
    /// The medium that takes what lives on them; None: with --plan, it is none yet.
    pub target: Option<String>,
    /// Whether the target was made a medium for that: it was formatted.
    #[serde(default)]
    pub target_made: bool,
    /// What was imported for that.
    pub imported: Vec<TapeImportReport>,
    /// Why nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// An LTFS volume, as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VolumeFound {
    /// Its UUID, which is the medium's identity.
    pub uuid: String,
    /// The serial number in its VOL1 label.
    pub serial: String,
    /// The name in its root.
    pub name: String,
    /// The generation of the index that counts.
    pub generation: u64,
    /// Length of a full record in bytes.
    pub block_size: u32,
}

/// How many entries of which kind became objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// All of them.
    pub objects: u64,
    /// Files.
    pub files: u64,
    /// Directories, the root included.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// The bytes of the files.
    pub bytes: ByteCount,
}

impl Counts {
    /// Counts one more.
    pub fn count(&mut self, file: &NewFile) {
        self.objects += 1;
        self.bytes += file.bytes;
        match file.metadata.ltfs.as_ref().map(|ltfs| &ltfs.kind) {
            Some(LtfsKind::Directory) => self.directories += 1,
            Some(LtfsKind::Symlink { .. }) => self.symlinks += 1,
            Some(LtfsKind::File) | None => self.files += 1,
        }
    }
}

/// Something that the index names and that was not imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotImported {
    /// Its path.
    pub path: String,
    /// Why.
    pub why: String,
}

/// What was read whole after an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// How many extents, whose digests are known since.
    pub extents: u64,
    /// Their bytes.
    pub bytes: ByteCount,
    /// Those that could not be read, or differ from what other software said of them.
    pub failed: Vec<BadExtent>,
}

/// So many clashing names are listed.
pub const CLASHES_MAX: usize = 1_000;

/// What became known of a tape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TapeImportReport {
    /// What the medium is called, or would be.
    pub medium: String,
    /// The cartridge.
    pub barcode: String,
    /// Whether it was a medium before, so that nothing had to be imported.
    pub known: bool,
    /// The volume on it; None: it was known and not looked at, or is one of respool's own.
    pub volume: Option<VolumeFound>,
    /// How the volume was left, in words.
    pub state: String,
    /// What became objects.
    #[serde(flatten)]
    pub counts: Counts,
    /// Names that are taken: nothing was imported. The first of them.
    pub clashes: Vec<Oid>,
    /// How many there are.
    pub clashing: u64,
    /// What the index names and was not imported.
    pub not_imported: Vec<NotImported>,
    /// What is wrong with the volume, as far as its indexes tell.
    pub damage: Vec<String>,
    /// Blocks behind the last index that it does not name: the first, and the one behind the last.
    pub unindexed_tail: Option<(u64, u64)>,
    /// With --verify: what was read.
    pub verified: Option<Verified>,
    /// Whether nothing was done.
    pub dry_run: bool,
    /// A volume of respool's own is imported as `medium import --adopt` does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<ImportReport>,
    /// Why nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

impl TapeImportReport {
    /// Notes names that are taken, and that nothing is done because of them.
    pub fn refuse(&mut self, clashes: Vec<Oid>) {
        self.clashing = clashes.len() as u64;
        let first = clashes.first().map(ToString::to_string).unwrap_or_default();
        let message = format!(
            "{}: {} of its names are taken, '{first}' among them; nothing was imported",
            self.barcode,
            clashes.len()
        );
        self.clashes = clashes.into_iter().take(CLASHES_MAX).collect();
        self.error = Some(Problem::refused("clash", &self.barcode, message).next(
            "import it with --under NAME, which all names begin with then; or delete the objects that have them",
        ));
    }

    /// The exit code: refused; digests that differ; what could not be read, or was not imported.
    pub fn exit(&self) -> u8 {
        if let Some(problem) = &self.error {
            return problem.exit;
        }
        let bad = self.verified.iter().flat_map(|verified| &verified.failed);
        let verified = bad.map(|bad| if bad.damaged { exit::INTEGRITY } else { exit::SKIPS });
        let adopted = self.adopted.iter().map(ImportReport::exit);
        let left = (!self.not_imported.is_empty()).then_some(exit::SKIPS);
        verified.chain(adopted).chain(left).fold(exit::DONE, exit::worse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::ExtentId;

    fn bad(damaged: bool) -> BadExtent {
        BadExtent {
            extent: ExtentId::fresh(),
            oid: "a".parse().unwrap(),
            reason: "because".to_owned(),
            damaged,
        }
    }

    /// bytes that differ from what is known of them are told by the exit code, whatever else is.
    #[test]
    fn x07_the_exit_code_of_an_import_tells_the_worst() {
        let report = |failed: Vec<BadExtent>, left: bool| TapeImportReport {
            verified: Some(Verified {
                failed,
                ..Verified::default()
            }),
            not_imported: left
                .then(|| NotImported {
                    path: "a".to_owned(),
                    why: "because".to_owned(),
                })
                .into_iter()
                .collect(),
            ..TapeImportReport::default()
        };
        assert_eq!(report(vec![], false).exit(), exit::DONE);
        assert_eq!(report(vec![], true).exit(), exit::SKIPS);
        assert_eq!(report(vec![bad(false)], false).exit(), exit::SKIPS);
        assert_eq!(report(vec![bad(false), bad(true)], true).exit(), exit::INTEGRITY);
        let mut clashing = report(vec![], true);
        let names = (0..CLASHES_MAX + 5).map(|number| format!("o/{number}").parse().unwrap());
        clashing.refuse(names.collect());
        assert_eq!((clashing.exit(), clashing.clashes.len()), (exit::REFUSED, CLASHES_MAX));
        assert_eq!(clashing.clashing, CLASHES_MAX as u64 + 5);
    }
}
