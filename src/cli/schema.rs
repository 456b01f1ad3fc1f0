//! What `--json` prints, as a JSON Schema: made from the types that are printed, and kept in `src/api/schema`. Keys may
//! be added to a result, so that nothing here forbids one that is not known.

use super::{delete, demo, get_folder, manual, put_folder, service};
use crate::api::backup::{BackupReport, RestoreReport as CatalogueRestored};
use crate::api::candidates::{CandidateList, NoCandidate};
use crate::api::check::CheckReport;
use crate::api::events::EventList;
use crate::api::extents::{ExtentView, ReleaseReport};
use crate::api::hello::ClockAccepted;
use crate::api::import::ImportReport;
use crate::api::jobs::{JobList, RestoreReport as JobRestored};
use crate::api::library::{DriveList, LibraryList, LibraryView, TapeCheck, TapeDriveView, TapeList, TapeView};
use crate::api::loss::LossReport;
use crate::api::media::{CheckErase, MediaList, MediumView};
use crate::api::objects::{Got, ObjectView};
use crate::api::volume::{Prepared, TapeImportReport};
use crate::api::{JobReport, NotMoved, PlanStep, PlanSummary, Problem};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Any verb that fails.
#[derive(Serialize, JsonSchema)]
struct Failure {
    error: Problem,
}

/// `object list`: streamed, so that only here it is one value.
#[derive(Serialize, JsonSchema)]
struct Objects {
    objects: Vec<ObjectView>,
    /// Why the list ends before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

/// `extent list`, likewise.
#[derive(Serialize, JsonSchema)]
struct Extents {
    extents: Vec<ExtentView>,
    /// Why the list ends before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

/// `repack --plan`, likewise.
#[derive(Serialize, JsonSchema)]
struct Plan {
    steps: Vec<PlanStep>,
    /// What stays, and why.
    not_moved: Vec<NotMoved>,
    #[serde(flatten)]
    summary: PlanSummary,
}

/// What each verb prints.
struct Verbs {
    generator: SchemaGenerator,
    results: Map<String, Value>,
}

impl Verbs {
    /// A verb with two results prints one of them.
    fn print<T: JsonSchema>(&mut self, verbs: &[&str]) {
        let schema: Schema = self.generator.subschema_for::<T>();
        for verb in verbs {
            let any_of = self.results.entry(*verb).or_insert_with(|| json!({ "anyOf": [] }));
            let any_of = any_of["anyOf"].as_array_mut().expect("it was made as a list");
            any_of.push(schema.clone().to_value());
        }
    }
}

/// What respool refuses to read, such as a key of a later version, others may well be given.
fn open(schema: &mut Schema) {
    if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
        schema.remove("additionalProperties");
    }
}

/// The whole document: `results` has a schema for each verb and, under `error`, that of any failure.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let generator = settings.with_transform(RecursiveTransform(open)).into_generator();
    let results = Map::new();
    let mut verbs = Verbs { generator, results };
    verbs.print::<Failure>(&["error"]);
    verbs.print::<service::Initialised>(&["init"]);
    verbs.print::<service::Stopped>(&["stop"]);
    verbs.print::<demo::Report>(&["demo"]);
    verbs.print::<CheckReport>(&["check"]);
    verbs.print::<BackupReport>(&["catalogue backup", "catalogue verify"]);
    verbs.print::<CatalogueRestored>(&["catalogue restore"]);
    verbs.print::<ClockAccepted>(&["clock accept"]);
    verbs.print::<service::Steps>(&["drill steps"]);
    verbs.print::<Got>(&["get"]);
    verbs.print::<get_folder::GotFolder>(&["get"]);
    verbs.print::<ObjectView>(&["put", "delete", "undelete", "object show"]);
    verbs.print::<put_folder::Batch>(&["put"]);
    verbs.print::<delete::Deleted>(&["delete"]);
    verbs.print::<Objects>(&["object list"]);
    verbs.print::<MediaList>(&["medium list", "medium df", "medium counts"]);
    verbs.print::<MediumView>(&["dir add", "medium show", "medium set", "medium lock", "medium unlock"]);
    verbs.print::<MediumView>(&["medium trust", "medium dead", "medium format"]);
    verbs.print::<MediumView>(&["tape add", "tape format"]);
    verbs.print::<LibraryView>(&[
        "library add virtual",
        "library add scsi",
        "library scan",
        "library forget",
    ]);
    verbs.print::<LibraryView>(&["library list"]);
    verbs.print::<LibraryList>(&["library list"]);
    verbs.print::<DriveList>(&["drive list", "drive status"]);
    verbs.print::<TapeDriveView>(&["drive lock", "drive unlock"]);
    verbs.print::<TapeList>(&["tape list"]);
    verbs.print::<TapeCheck>(&["tape check"]);
    verbs.print::<TapeImportReport>(&["tape import"]);
    verbs.print::<Prepared>(&["tape compact"]);
    verbs.print::<JobReport>(&["tape compact"]);
    verbs.print::<Plan>(&["tape compact"]);
    verbs.print::<TapeView>(&["tape unload", "library insert"]);
    verbs.print::<CandidateList>(&["medium candidates"]);
    verbs.print::<LossReport>(&["medium what-if-lost"]);
    verbs.print::<CheckErase>(&["medium check-erase"]);
    verbs.print::<ImportReport>(&["medium import"]);
    verbs.print::<Extents>(&["extent list", "medium extents"]);
    verbs.print::<ExtentView>(&["extent show"]);
    verbs.print::<ReleaseReport>(&["extent release"]);
    verbs.print::<JobReport>(&["repack", "extent migrate", "job show", "job report", "job wait"]);
    verbs.print::<JobReport>(&["job pause", "job resume", "job cancel"]);
    verbs.print::<Plan>(&["repack"]);
    verbs.print::<NoCandidate>(&["repack"]);
    verbs.print::<JobList>(&["job list"]);
    verbs.print::<JobRestored>(&["job restore"]);
    verbs.print::<EventList>(&["events"]);
    verbs.print::<manual::Script>(&["completion"]);
    verbs.print::<manual::Pages>(&["man"]);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What respool prints with --json",
        "results": verbs.results,
        "$defs": verbs.generator.take_definitions(true),
    })
}
