//! What a demo found, as numbers and for people who see respool for the first time.

use super::files::Source;
use crate::api::check::CheckReport;
use crate::api::library::LibraryView;
use crate::api::objects::ObjectView;
use crate::api::{JobReport, exit};
use dss::model::{ByteCount, Oid};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Some objects.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Amount {
    /// How many.
    pub objects: u64,
    /// How large together.
    pub bytes: ByteCount,
    /// How long it took.
    pub seconds: f64,
}

/// One emptied medium.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Emptied {
    /// Which.
    pub medium: String,
    /// As the plan said.
    pub predicted_seconds: f64,
    /// As it was.
    pub seconds: f64,
    /// What its folder held, as the file system says.
    pub bytes_before: ByteCount,
    /// What it holds now.
    pub bytes_after: ByteCount,
    /// The job's report.
    pub job: Option<JobReport>,
}

/// An object that is not what it should be.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Difference {
    /// Which.
    pub oid: Oid,
    /// In words.
    pub why: String,
}

/// What was shown from tape to tape.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OnTape {
    /// The library.
    pub library: String,
    /// Its folder.
    pub place: String,
    /// Whether a device model answered in place of hardware.
    pub modelled: bool,
    /// How many drives it has.
    pub drives: u64,
    /// What was stored on the first tape.
    pub stored: Amount,
    /// What was deleted.
    pub deleted: Amount,
    /// What was emptied.
    pub repack: Emptied,
    /// Objects read back from the second tape and found equal to their files.
    pub verified: Amount,
    /// The folders of the cartridges: other LTFS software reads them, too.
    pub cartridges: Vec<PathBuf>,
}

impl OnTape {
    /// Before anything was done in this library.
    pub fn new(library: &LibraryView) -> Self {
        Self {
            library: library.name.clone(),
            place: library.place.clone(),
            modelled: library.modelled,
            drives: library.drives.len() as u64,
            stored: Amount::default(),
            deleted: Amount::default(),
            repack: Emptied::default(),
            verified: Amount::default(),
            cartridges: Vec::new(),
        }
    }

    fn told(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "on tape   {} objects, {}, stored in {:.1} s in library {} ({} drives, {})",
                self.stored.objects,
                self.stored.bytes,
                self.stored.seconds,
                self.library,
                self.drives,
                if self.modelled {
                    "modelled: there is no hardware"
                } else {
                    "hardware"
                }
            ),
            format!("deleted   {} of them, {}", self.deleted.objects, self.deleted.bytes),
        ];
        lines.extend(self.repack.told());
        lines.push(format!(
            "verified  {} objects, {}, read back whole from tape in {:.1} s and equal to their files",
            self.verified.objects, self.verified.bytes, self.verified.seconds
        ));
        let cartridges = self.cartridges.iter().map(|folder| folder.display().to_string());
        lines.push(format!("tapes     {}", cartridges.collect::<Vec<_>>().join(" ")));
        lines
    }
}

/// Everything.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Demo")]
pub struct Report {
    /// Where the files came from.
    pub from: PathBuf,
    /// Where the directories are that play disks.
    pub media: PathBuf,
    /// Files chosen.
    pub files: u64,
    /// What was stored.
    pub stored: Amount,
    /// Of those, objects with one copy and with two.
    pub one_copy: u64,
    /// See there.
    pub two_copies: u64,
    /// Extents on each medium after storing.
    pub extents: BTreeMap<String, u64>,
    /// What was deleted.
    pub deleted: Amount,
    /// What was emptied.
    pub repack: Emptied,
    /// All media together before that, as the file system says.
    pub media_bytes_before: ByteCount,
    /// And after.
    pub media_bytes_after: ByteCount,
    /// Objects read back and found equal to their files.
    pub verified: Amount,
    /// The same from tape to tape.
    pub tape: Option<OnTape>,
    /// Objects that are not what they should be.
    pub differences: Vec<Difference>,
    /// What `check` found afterwards.
    pub check: CheckReport,
}

impl Report {
    /// Before anything was done.
    pub fn new(from: &Path, media: &Path, sources: &[Source]) -> Self {
        Self {
            from: from.to_owned(),
            media: media.to_owned(),
            files: sources.len() as u64,
            stored: Amount::default(),
            one_copy: 0,
            two_copies: 0,
            extents: BTreeMap::new(),
            deleted: Amount::default(),
            repack: Emptied::default(),
            media_bytes_before: ByteCount::ZERO,
            media_bytes_after: ByteCount::ZERO,
            verified: Amount::default(),
            tape: None,
            differences: Vec::new(),
            check: CheckReport {
                ok: false,
                findings: Vec::new(),
            },
        }
    }

    /// Takes what was stored where.
    pub fn count_copies(&mut self, objects: &[ObjectView]) {
        self.one_copy = objects.iter().filter(|object| object.copies == 1).count() as u64;
        self.two_copies = objects.iter().filter(|object| object.copies == 2).count() as u64;
        for extent in objects.iter().flat_map(|object| &object.extents) {
            *self.extents.entry(extent.medium.clone()).or_default() += 1;
        }
    }

    /// The exit code, the job's aside.
    pub fn exit(&self) -> u8 {
        let whole = self.differences.is_empty() && self.check.ok && self.stored.objects == self.files;
        if whole { exit::DONE } else { exit::INTEGRITY }
    }

    /// For people.
    pub fn told(&self) -> String {
        let mut lines = vec![
            format!(
                "stored    {} objects, {}, in {:.1} s: {} in one copy, {} in two copies on different media",
                self.stored.objects, self.stored.bytes, self.stored.seconds, self.one_copy, self.two_copies
            ),
            format!("          extents on {}", counted(&self.extents)),
            format!("deleted   {} objects, {}", self.deleted.objects, self.deleted.bytes),
        ];
        lines.extend(self.repack.told());
        lines.push(format!(
            "space     {}: {} before, {} now; all four: {} before, {} now",
            self.repack.medium,
            self.repack.bytes_before,
            self.repack.bytes_after,
            self.media_bytes_before,
            self.media_bytes_after
        ));
        lines.push(format!(
            "verified  {} objects, {}, read back whole in {:.1} s and equal to their files",
            self.verified.objects, self.verified.bytes, self.verified.seconds
        ));
        lines.extend(self.tape.iter().flat_map(OnTape::told));
        let different = self.differences.iter();
        lines.extend(different.map(|difference| format!("DIFFERENT {}: {}", difference.oid, difference.why)));
        lines.push(match self.check.ok {
            true => "check     every invariant of the catalogue holds".to_owned(),
            false => format!(
                "check     NOT ok: {} findings, see `respool check`",
                self.check.findings.len()
            ),
        });
        lines.join("\n")
    }
}

impl Emptied {
    fn told(&self) -> Vec<String> {
        let Some(job) = &self.job else { return Vec::new() };
        let targets: BTreeMap<String, u64> = job
            .targets
            .iter()
            .map(|target| (target.medium.clone(), target.extents))
            .collect();
        let mut lines = vec![
            format!(
                "repacked  {} is {}: {} extents, {}, moved to {}",
                self.medium,
                job.state,
                job.extents.moved,
                job.bytes_moved,
                counted(&targets)
            ),
            format!(
                "          predicted {:.1} s, took {:.1} s; {} extents read back from their new media, {} bad",
                self.predicted_seconds, self.seconds, job.read_back.extents, job.read_back.failed
            ),
        ];
        if let Some(error) = &job.error {
            lines.push(format!("          FAILED: {}", error.message));
        }
        lines
    }
}

fn counted(counts: &BTreeMap<String, u64>) -> String {
    let told: Vec<String> = counts.iter().map(|(name, count)| format!("{name} ({count})")).collect();
    match told.is_empty() {
        true => "nothing".to_owned(),
        false => told.join(", "),
    }
}
