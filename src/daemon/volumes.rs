//! `tape import`: LTFS volumes of other software become media, and tapes of respool's own become known again. A cartridge is
//! looked at first, and nothing is noted before all of it is known.

use super::answer::Answer;
use super::libraries::technology_of;
use super::places::check_name;
use super::server::Daemon;
use super::visit::{Place, Visit, find};
use crate::api::Problem;
use crate::api::import::ImportReport;
use crate::api::volume::{Counts, NotImported, TapeImportReport, TapeImportRequest, VolumeFound};
use crate::store;
use crate::store::foreign::{Sorted, sort};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use dss::catalogue::{Adopt, CatalogueError, NewMedium, NewVolume, VolumeAdopted};
use dss::model::{Family, FsState, Location, Medium, MediumFormat, MediumId, Oid};
use lrs::ldm::Fault;
use lrs::ldm::fs::Label;
use lrs::ldm::fs::ltfs::foreign::ForeignSurvey;
use lrs::ldm::library::{Found, Holds, LibraryError, Trouble};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many names are asked for at once.
const NAMES: usize = 5_000;

/// The requests about volumes of other software.
pub fn routes() -> Router<Arc<Daemon>> {
    Router::new().route("/v1/tape/import", post(import))
}

/// What a cartridge turned out to be.
pub(super) enum Seen {
    /// A medium that the catalogue knows.
    Known(Box<Medium>),
    /// A medium of respool's that it does not know.
    Ours(Box<Label>),
    /// A volume of other software.
    Volume(Box<Survey>),
}

/// A volume of other software, and what of it can be imported.
pub(super) struct Survey {
    place: Place,
    pub(super) report: TapeImportReport,
    pub(super) volume: NewVolume,
}

/// What is asked of a volume beside where it is.
pub(super) struct Wish<'r> {
    pub(super) name: Option<&'r str>,
    pub(super) under: Option<&'r Oid>,
    pub(super) tags: &'r BTreeSet<String>,
    pub(super) class: Option<&'r str>,
}

// ------------------------------------------------------------------------------------------------------------ import

async fn import(State(daemon): State<Arc<Daemon>>, Json(request): Json<TapeImportRequest>) -> Answer<TapeImportReport> {
    let place = find(&daemon, &request.tape, request.library.as_deref()).await?;
    let wish = Wish {
        name: request.name.as_deref(),
        under: request.under.as_ref(),
        tags: &request.tags,
        class: request.class.as_deref(),
    };
    let (mut report, medium) = match look(&daemon, &place, &wish).await? {
        Seen::Known(medium) => {
            refuse_other_wishes(&medium, &wish)?;
            (known(&place, &medium), Some(*medium))
        }
        Seen::Ours(label) if request.dry_run => return Err(no_dry_run(&place, &label).into()),
        Seen::Ours(label) => {
            refuse_wishes(&place, &label, &request)?;
            return Ok(Json(import_ours(&daemon, &place, *label).await?));
        }
        Seen::Volume(survey) => match request.dry_run {
            true => (tried(&daemon, *survey).await?, None),
            false => adopt(&daemon, *survey).await?,
        },
    };
    report.dry_run = request.dry_run;
    if let (true, false, Some(medium)) = (request.verify, request.dry_run, medium) {
        refuse_no_foreign(&medium)?;
        report.verified = Some(store::foreign::verify(&daemon.host, &medium).await?);
    }
    Ok(Json(report))
}

fn known(place: &Place, medium: &Medium) -> TapeImportReport {
    TapeImportReport {
        medium: medium.name.clone(),
        barcode: place.barcode.clone(),
        known: true,
        state: format!("it is medium {} already; nothing was imported", medium.name),
        ..TapeImportReport::default()
    }
}

/// Only what was imported has bytes that nobody ever read.
fn refuse_no_foreign(medium: &Medium) -> Result<(), Problem> {
    match medium.format {
        MediumFormat::Ltfs => Ok(()),
        MediumFormat::Respool => {
            let message = format!("{} is no volume of other software; nothing was read", medium.name);
            Err(Problem::refused("not_foreign", &medium.name, message).next(format!(
                "`respool medium import {} --adopt` reads it whole",
                medium.name
            )))
        }
    }
}

/// What an import would do.
async fn tried(daemon: &Daemon, survey: Survey) -> Result<TapeImportReport, Problem> {
    let Survey { mut report, volume, .. } = survey;
    let clashes = clashes(daemon, &[&volume]).await?;
    if !clashes.is_empty() {
        report.refuse(clashes);
    }
    Ok(report)
}

/// Names that live objects have, or two of these files.
pub(super) async fn clashes(daemon: &Daemon, volumes: &[&NewVolume]) -> Result<Vec<Oid>, Problem> {
    let mut count: BTreeMap<&Oid, u32> = BTreeMap::new();
    for file in volumes.iter().flat_map(|volume| &volume.files) {
        *count.entry(&file.oid).or_default() += 1;
    }
    let twice = count.iter().filter(|(_, count)| **count > 1);
    let mut clashes: BTreeSet<Oid> = twice.map(|(oid, _)| (*oid).clone()).collect();
    let names: Vec<Oid> = count.into_keys().cloned().collect();
    for part in names.chunks(NAMES) {
        let versions = daemon.host.catalogue.versions(part).await?;
        let live = part
            .iter()
            .zip(versions)
            .filter(|(_, versions)| versions.live.is_some());
        clashes.extend(live.map(|(oid, _)| oid.clone()));
    }
    Ok(clashes.into_iter().collect())
}

/// Makes a volume known: all of it or nothing.
pub(super) async fn adopt(daemon: &Daemon, survey: Survey) -> Result<(TapeImportReport, Option<Medium>), Problem> {
    let host = &daemon.host;
    let Survey {
        mut report,
        volume,
        place,
    } = survey;
    match host.catalogue.adopt_volume(&volume, host.clock.now()).await? {
        VolumeAdopted::Clashes(clashes) => {
            report.refuse(clashes);
            Ok((report, None))
        }
        VolumeAdopted::Added(medium) => {
            tracing::info!(medium = %medium.name, barcode = %place.barcode, objects = report.counts.objects, "imported");
            host.lrs.medium_changed(medium.id).await?;
            Ok((report, Some(*medium)))
        }
    }
}

fn no_dry_run(place: &Place, label: &Label) -> Problem {
    let message = format!(
        "{} is medium {} of respool; nothing was imported",
        place.barcode, label.name
    );
    Problem::refused("no_dry_run", &place.barcode, message)
        .next("import it without --dry-run: what the catalogue knows is never changed by that")
}

/// What is asked for again may only be what the medium is already: an answer that was lost is asked for with the same
/// words. Under what its paths were put is not kept, so that is not compared; they stay what they are.
fn refuse_other_wishes(medium: &Medium, wish: &Wish<'_>) -> Result<(), Problem> {
    let wishes = [
        ("--name", wish.name.is_some_and(|name| name != medium.name)),
        ("--tags", !wish.tags.is_subset(&medium.tags)),
        ("--class", wish.class.is_some() && wish.class != medium.class.as_deref()),
    ];
    let Some(asked) = named(&wishes) else { return Ok(()) };
    let message = format!(
        "it is medium {} already, and {asked} would not change it; nothing was imported",
        medium.name
    );
    Err(Problem::refused("exists", &medium.name, message).next(format!(
        "leave those out; a name stays, and `respool medium set {} tags=T,...` and `class=C` say the rest",
        medium.name
    )))
}

/// The options among these that were asked for, in words.
fn named(wishes: &[(&str, bool)]) -> Option<String> {
    let asked: Vec<&str> = wishes
        .iter()
        .filter(|(_, asked)| *asked)
        .map(|(option, _)| *option)
        .collect();
    (!asked.is_empty()).then(|| asked.join(", "))
}

/// What is asked for that only a volume of other software can have: a tape of respool's own says itself what it is called
/// and what its objects are, and its bytes have digests.
fn refuse_wishes(place: &Place, label: &Label, request: &TapeImportRequest) -> Result<(), Problem> {
    let wishes = [
        ("--name", request.name.as_ref().is_some_and(|name| *name != label.name)),
        ("--under", request.under.is_some()),
        ("--verify", request.verify),
        ("--tags", !request.tags.is_empty()),
        ("--class", request.class.is_some()),
    ];
    let Some(asked) = named(&wishes) else { return Ok(()) };
    let message = format!(
        "{} is medium {} of respool and comes as it is, not with {asked}; nothing was imported",
        place.barcode, label.name
    );
    Err(Problem::refused("not_foreign", &place.barcode, message).next(format!(
        "import it without; then `respool medium set {} tags=T,...` and `class=C` say what is yours to say",
        label.name
    )))
}

/// A tape of respool's own, whose catalogue was lost or is another one (E-16).
async fn import_ours(daemon: &Daemon, place: &Place, label: Label) -> Result<TapeImportReport, Problem> {
    let cartridge = store::import::Cartridge {
        library: place.library.name().to_owned(),
        barcode: place.barcode.clone(),
        technology: technology_of(&place.library, &place.barcode),
        label,
    };
    let adopted: ImportReport = store::import::import_tape(&daemon.host, cartridge, Adopt::Yes).await?;
    let not_imported = adopted.bad.iter().map(|bad| NotImported {
        path: bad.oid.to_string(),
        why: bad.reason.clone(),
    });
    Ok(TapeImportReport {
        medium: adopted.medium.clone(),
        barcode: place.barcode.clone(),
        known: !adopted.medium_added,
        state: "a medium of respool".to_owned(),
        counts: Counts {
            objects: adopted.imported.objects_adopted,
            files: adopted.imported.objects_adopted,
            ..Counts::default()
        },
        not_imported: not_imported.collect(),
        adopted: Some(adopted),
        ..TapeImportReport::default()
    })
}

// -------------------------------------------------------------------------------------------------------------- look

/// Finds out what a cartridge is. One that is a medium already is not loaded for that.
pub(super) async fn look(daemon: &Daemon, place: &Place, wish: &Wish<'_>) -> Result<Seen, Problem> {
    if let Some(medium) = place.medium.as_ref().filter(|medium| medium.fs_state != FsState::Blank) {
        return Ok(Seen::Known(Box::new(medium.clone())));
    }
    let name = wish.name.unwrap_or(&place.barcode).to_owned();
    check_name(&name)?;
    let visit = Visit::begin(daemon, place, format!("importing tape {}", place.barcode)).await?;
    let looked = async {
        let looked = visit.run(|library, bay, code| Ok(library.identify(bay, code))).await?;
        let (found, survey) = looked.map_err(|error| unusable(place, error))?;
        match found.holds {
            Holds::Ours(label) => Ok(Looked::Ours(Box::new(label))),
            Holds::Volume { .. } | Holds::Damaged(_) => match survey {
                Some(survey) => Ok(Looked::Volume(Box::new(survey))),
                None => {
                    let survey = visit.run(|library, bay, code| Ok(library.survey(bay, code))).await?;
                    let survey = survey.map_err(|error| unusable(place, error))?;
                    Ok(Looked::Volume(Box::new(survey)))
                }
            },
            Holds::Blank | Holds::NotLtfs(_) | Holds::Newer(_) | Holds::Remains(_) | Holds::WrongGeneration(_) => {
                Err(refuse_unfit(&found))
            }
        }
    };
    let looked = looked.await;
    visit.end(daemon).await;
    match looked? {
        Looked::Ours(label) => Ok(Seen::Ours(label)),
        Looked::Volume(survey) => {
            let survey = sorted(place, *survey, name, wish);
            refuse_twice(daemon, &survey).await?;
            Ok(Seen::Volume(Box::new(survey)))
        }
    }
}

enum Looked {
    Ours(Box<Label>),
    Volume(Box<ForeignSurvey>),
}

fn refuse_unfit(found: &Found) -> Problem {
    let message = format!("{found}: there is no volume to import; nothing was done");
    Problem::refused("no_volume", &found.barcode, message)
        .next("`respool tape check` tells more; a blank cartridge becomes a medium with `respool tape add`")
}

/// A volume that cannot be read as one is nothing to import; what the drive or the library has to say is theirs.
fn unusable(place: &Place, error: LibraryError) -> Problem {
    match &error.trouble {
        Trouble::Media(media) if matches!(media.fault, Fault::Damaged(_) | Fault::Unlabelled(_) | Fault::Unfit(_)) => {
            let message = format!("{}: {media}; nothing was imported", place.barcode);
            Problem::refused("volume_unusable", &place.barcode, message)
                .next("keep the cartridge as it is; its own software may repair the volume, then import it")
        }
        _ => error.into(),
    }
}

fn sorted(place: &Place, survey: ForeignSurvey, name: String, wish: &Wish<'_>) -> Survey {
    let id = MediumId(survey.volume);
    let found = VolumeFound {
        uuid: survey.volume.to_string(),
        serial: survey.serial,
        name: survey.volume_name,
        generation: survey.generation,
        block_size: survey.block_size,
    };
    let Sorted {
        files,
        counts,
        not_imported,
    } = sort(survey.entries, survey.volume, wish.under);
    let report = TapeImportReport {
        medium: name.clone(),
        barcode: place.barcode.clone(),
        volume: Some(found),
        state: survey.state.to_string(),
        counts,
        not_imported,
        damage: survey.damage,
        unindexed_tail: survey.unindexed_tail,
        ..TapeImportReport::default()
    };
    let medium = NewMedium {
        id,
        name,
        family: Family::Tape,
        technology: technology_of(&place.library, &place.barcode),
        location: Location {
            path: place.barcode.clone(),
            dock: None,
            library: Some(place.library.name().to_owned()),
        },
        tags: wish.tags.clone(),
        class: wish.class.map(str::to_owned),
        capacity: None,
    };
    Survey {
        place: place.clone(),
        report,
        volume: NewVolume { medium, files },
    }
}

/// The same volume elsewhere is a copy, or was moved there: it cannot be two media.
async fn refuse_twice(daemon: &Daemon, survey: &Survey) -> Result<(), Problem> {
    match daemon.host.catalogue.medium_by_id(survey.volume.medium.id).await {
        Err(CatalogueError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(other) => {
            let barcode = &survey.place.barcode;
            let message = format!(
                "{barcode} holds the volume that medium {} is, which is {} by the catalogue; nothing was imported",
                other.name, other.location.path
            );
            Err(Problem::refused("medium_twice", barcode, message).next(format!(
                "`respool medium show {}` tells where that is; one of the two is a copy",
                other.name
            )))
        }
    }
}
