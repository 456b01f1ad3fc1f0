//! `tape`: cartridges that become media, that are looked at, and that are put away.

use super::answer::Answer;
use super::libraries::view::places;
use super::media;
use super::places::check_name;
use super::server::Daemon;
use super::visit::{Place, Visit, find};
use crate::api::library::{
    TapeAddRequest, TapeCheck, TapeFinding, TapeList, TapeRequest, TapeView, TapesRequest, VolumeView,
};
use crate::api::media::MediumView;
use crate::api::requests::MediumRequest;
use crate::api::{Problem, exit};
use crate::engine;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use dss::catalogue::{MediumChange, NewMedium};
use dss::model::{ByteCount, Family, FsState, Location, Medium, MediumId, Presence};
use lrs::core::DriveId;
use lrs::ldm::changer::{Element, ElementKind};
use lrs::ldm::fs::Label;
use lrs::ldm::fs::ltfs::medium::{FORMAT, Shape};
use lrs::ldm::library::{Checked, Found, Holds, Library, Writing, barcode};
use std::sync::Arc;

/// The requests about tapes.
pub fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/v1/tape/list", post(list))
        .route("/v1/tape/add", post(add))
        .route("/v1/tape/format", post(format))
        .route("/v1/tape/check", post(check))
        .route("/v1/tape/unload", post(unload))
}

// ------------------------------------------------------------------------------------------------------------ look

async fn list(State(daemon): State<Arc<Daemon>>, Json(request): Json<TapesRequest>) -> Answer<TapeList> {
    let only = |name: &str| request.library.as_deref().is_none_or(|wanted| wanted == name);
    if let Some(name) = &request.library {
        daemon.host.catalogue.library(name).await?;
    }
    let media = daemon.host.catalogue.media().await?;
    let mut tapes = vec![];
    for library in daemon
        .libraries
        .ready()
        .into_iter()
        .filter(|library| only(library.name()))
    {
        for (code, element) in places(&library) {
            tapes.push(view(&library, &code, Some(&element), &media));
        }
    }
    let known = media.iter().filter(|medium| medium.family == Family::Tape);
    let elsewhere = known.filter(|medium| {
        let of = medium.location.library.as_deref();
        let asked = request.library.is_none() || of.is_some_and(only);
        asked && !tapes.iter().any(|tape| tape.medium.as_deref() == Some(&medium.name))
    });
    let elsewhere: Vec<TapeView> = elsewhere.map(on_the_shelf).collect();
    tapes.extend(elsewhere);
    Ok(Json(TapeList { tapes }))
}

fn view(library: &Library, code: &str, element: Option<&Element>, media: &[Medium]) -> TapeView {
    let is_it = |medium: &&Medium| {
        medium.family == Family::Tape
            && medium.location.path == code
            && medium.location.library.as_deref() == Some(library.name())
    };
    let medium = media.iter().find(is_it);
    let in_drive = element.filter(|element| element.kind == ElementKind::Drive);
    let bays = library.bays();
    let drive = in_drive.and_then(|element| bays.iter().find(|bay| bay.element == element.address));
    TapeView {
        barcode: code.to_owned(),
        library: Some(library.name().to_owned()),
        element: element.map(|element| element.address.0),
        drive: drive.map(|bay| bay.name.clone()),
        medium: medium.map(|medium| medium.name.clone()),
        fs_state: medium.map(|medium| medium.fs_state),
        presence: match (medium, in_drive) {
            (Some(medium), _) => medium.presence,
            (None, Some(_)) => Presence::Attached,
            (None, None) => Presence::Near,
        },
        cleaning: barcode::is_cleaning(code),
        path: library.cartridge_path(code),
    }
}

fn on_the_shelf(medium: &Medium) -> TapeView {
    TapeView {
        barcode: medium.location.path.clone(),
        library: medium.location.library.clone(),
        element: None,
        drive: None,
        medium: Some(medium.name.clone()),
        fs_state: Some(medium.fs_state),
        presence: medium.presence,
        cleaning: false,
        path: None,
    }
}

/// One cartridge as it is shown.
pub(super) async fn view_of(daemon: &Daemon, library: &Library, code: &str) -> Result<TapeView, Problem> {
    let media = daemon.host.catalogue.media().await?;
    Ok(view(library, code, places(library).get(code), &media))
}

// ------------------------------------------------------------------------------------------------------------- add

async fn add(State(daemon): State<Arc<Daemon>>, Json(request): Json<TapeAddRequest>) -> Answer<MediumView> {
    let place = find(&daemon, &request.barcode, request.library.as_deref()).await?;
    match &place.medium {
        Some(known) if !is_half_made(known) => {
            let message = format!(
                "{} is medium {} already; nothing was touched",
                place.barcode, known.name
            );
            let next = format!("use it, or empty it with `respool repack {}`", known.name);
            Err(Problem::refused("exists", &place.barcode, message).next(next).into())
        }
        Some(_) | None => Ok(Json(become_medium(&daemon, &request, &place).await?)),
    }
}

async fn format(State(daemon): State<Arc<Daemon>>, Json(request): Json<TapeAddRequest>) -> Answer<MediumView> {
    let place = find(&daemon, &request.barcode, request.library.as_deref()).await?;
    match &place.medium {
        Some(known) if !is_half_made(known) => {
            let known = MediumRequest {
                medium: known.name.clone(),
            };
            media::format(State(daemon), Json(known)).await
        }
        Some(_) | None => Ok(Json(become_medium(&daemon, &request, &place).await?)),
    }
}

/// Whether a row is what an earlier attempt left when it was cut short: before its label was noted, or before the tape told
/// how much it holds.
fn is_half_made(known: &Medium) -> bool {
    match known.fs_state {
        FsState::Blank => true,
        FsState::Empty => known.capacity.is_none(),
        FsState::Used | FsState::Full => false,
    }
}

/// Makes a medium of a blank cartridge, or goes on where that was cut short.
pub(super) async fn become_medium(
    daemon: &Daemon,
    request: &TapeAddRequest,
    place: &Place,
) -> Result<MediumView, Problem> {
    let host = &daemon.host;
    let name = request.name.clone().unwrap_or_else(|| place.barcode.clone());
    check_name(&name)?;
    let visit = Visit::begin(daemon, place, format!("adding tape {}", place.barcode)).await?;
    let made = async {
        let found = visit.run(|library, bay, code| library.read_label(bay, code)).await?;
        let half = place.medium.as_ref();
        refuse_unfit(&found, half.map(|medium| medium.id))?;
        let medium = match half {
            Some(half) => half.clone(),
            None => {
                host.catalogue
                    .add_medium(row(request, place, &name), host.clock.now())
                    .await?
            }
        };
        let labelled = label(daemon, &visit, place, &medium).await;
        // Of a tape that a format began with, the cartridge says which medium it is to be: its row stays, blank, and the same
        // command goes on with it.
        let untouched = |problem: &Problem| problem.exit == exit::REFUSED;
        if labelled.as_ref().is_err_and(untouched) && half.is_none() {
            // The first failure is told; a row that stays is blank and takes nothing.
            if let Err(error) = host.catalogue.forget_medium(medium.id).await {
                tracing::warn!(medium = %name, %error, "it was not labelled and could not be forgotten");
            }
        }
        labelled.map(|()| medium.id)
    };
    let made = made.await;
    visit.end(daemon).await;
    finish(daemon, made?).await
}

fn row(request: &TapeAddRequest, place: &Place, name: &str) -> NewMedium {
    NewMedium {
        id: MediumId::fresh(),
        name: name.to_owned(),
        family: Family::Tape,
        technology: super::libraries::technology_of(&place.library, &place.barcode),
        location: Location {
            path: place.barcode.clone(),
            dock: None,
            library: Some(place.library.name().to_owned()),
        },
        tags: request.tags.clone(),
        class: request.class.clone(),
        capacity: None,
    }
}

/// A tape that holds anything is not made a medium to make room. `half` is the medium that an earlier attempt was making.
fn refuse_unfit(found: &Found, half: Option<MediumId>) -> Result<(), Problem> {
    let code = &found.barcode;
    let refuse = |next: &str| {
        let message = format!("{found}: it was not formatted, and nothing was touched");
        Err(Problem::refused("unfit", code, message).next(next))
    };
    match found.writing {
        Writing::Allowed => {}
        Writing::Protected => return refuse("move its tab, unless it is protected on purpose; then repeat"),
        Writing::OnlyRead | Writing::Worm | Writing::NotKnown => return refuse("choose another cartridge"),
    }
    match &found.holds {
        Holds::Blank => Ok(()),
        Holds::Ours(label) if half == Some(label.medium) => Ok(()),
        // What a format that was cut short leaves; the format itself looks whether it was of this medium.
        Holds::Damaged(_) | Holds::Remains(_) | Holds::NotLtfs(_) | Holds::Volume { .. } if half.is_some() => Ok(()),
        Holds::Ours(_) => refuse("it belongs to an archive of respool: import it there, or take another cartridge"),
        Holds::Volume { .. } => refuse("import what is on it with `respool tape import`, or take another cartridge"),
        Holds::NotLtfs(_) | Holds::Newer(_) | Holds::Damaged(_) | Holds::Remains(_) | Holds::WrongGeneration(_) => {
            refuse("take another cartridge; one whose data nobody wants is erased with its own software first")
        }
    }
}

async fn label(daemon: &Daemon, visit: &Visit, place: &Place, medium: &Medium) -> Result<(), Problem> {
    let host = &daemon.host;
    let label = Label {
        format: FORMAT.to_owned(),
        medium: medium.id,
        name: medium.name.clone(),
        generation: medium.generation,
        catalogue: host.catalogue_id,
        revision: host.catalogue.stamp().await?.revision,
        created_at: host.clock.now(),
    };
    let shape = Shape::usual(&place.barcode);
    let formatted = visit.run(move |library, bay, code| {
        match library.read_label(bay, code)?.holds {
            // It was formatted before respoold was killed.
            Holds::Ours(there) if there.medium == label.medium => Ok(()),
            _ => library.format(bay, code, &label, &shape),
        }
    });
    formatted.await
}

/// The tape is a medium: it is mounted as one, and says how much it holds.
async fn finish(daemon: &Daemon, id: MediumId) -> Result<MediumView, Problem> {
    let host = &daemon.host;
    // Somebody may have written to it since it was labelled.
    let blank = host.catalogue.medium_by_id(id).await?.fs_state == FsState::Blank;
    let labelled = MediumChange {
        fs_state: blank.then_some(FsState::Empty),
        presence: Some(Presence::Near),
        why: "labelled".to_owned(),
        ..MediumChange::default()
    };
    host.catalogue.change_medium(id, labelled, host.clock.now()).await?;
    host.lrs.medium_changed(id).await?;
    media::shown(host, engine::measure(host, id).await?).await
}

// ------------------------------------------------------------------------------------------------------ check, unload

async fn check(State(daemon): State<Arc<Daemon>>, Json(request): Json<TapeRequest>) -> Answer<TapeCheck> {
    let place = find(&daemon, &request.tape, request.library.as_deref()).await?;
    let visit = Visit::begin(&daemon, &place, format!("checking tape {}", place.barcode)).await?;
    let looked = async {
        let found = visit.run(|library, bay, code| library.read_label(bay, code)).await?;
        let checked = match &found.holds {
            Holds::Ours(_) | Holds::Volume { .. } | Holds::Damaged(_) => {
                Some(visit.run(|library, bay, code| library.check(bay, code)).await?)
            }
            Holds::Blank | Holds::NotLtfs(_) | Holds::Newer(_) | Holds::Remains(_) | Holds::WrongGeneration(_) => None,
        };
        Ok::<_, Problem>((found, checked))
    };
    let looked = looked.await;
    visit.end(&daemon).await;
    let (found, checked) = looked?;
    Ok(Json(checked_view(&place, &found, checked)?))
}

fn checked_view(place: &Place, found: &Found, checked: Option<Checked>) -> Result<TapeCheck, Problem> {
    let Some(checked) = checked else {
        let message = format!("{}: {}; there is nothing to check", place.barcode, found.holds);
        let next = match &found.holds {
            Holds::Blank => "`respool tape add` makes a medium of a blank cartridge; nothing was touched",
            Holds::Ours(_)
            | Holds::Volume { .. }
            | Holds::NotLtfs(_)
            | Holds::Newer(_)
            | Holds::Damaged(_)
            | Holds::Remains(_)
            | Holds::WrongGeneration(_) => "ask whoever wrote it; respool reads LTFS, and nothing was touched",
        };
        return Err(Problem::refused("no_volume", &place.barcode, message).next(next));
    };
    let finding = |one: &lrs::ldm::fs::ltfs::finding::Finding| TapeFinding {
        code: format!("{:?}", one.code),
        at: one.at.clone(),
        what: one.what.clone(),
    };
    Ok(TapeCheck {
        barcode: place.barcode.clone(),
        library: place.library.name().to_owned(),
        ok: checked.findings.is_empty(),
        holds: found.holds.to_string(),
        volume: Some(VolumeView {
            uuid: checked.volume.to_string(),
            name: checked.name.clone(),
            serial: checked.serial.clone(),
            generation: checked.generation,
            block_size: checked.block_size,
            files: checked.files,
            bytes: ByteCount(checked.bytes),
            state: checked.state.to_string(),
        }),
        findings: checked.findings.iter().map(finding).collect(),
    })
}

async fn unload(State(daemon): State<Arc<Daemon>>, Json(request): Json<TapeRequest>) -> Answer<TapeView> {
    let place = find(&daemon, &request.tape, request.library.as_deref()).await?;
    let Some(medium) = &place.medium else {
        let message = format!("{} is no medium, and in no drive by respool's doing", place.barcode);
        return Err(Problem::refused("not_a_medium", &place.barcode, message)
            .next("`respool tape list` shows what is where; nothing was touched")
            .into());
    };
    daemon.host.lrs.let_go(medium.id);
    put_away(&daemon, medium).await?;
    let mut view = view_of(&daemon, &place.library, &place.barcode).await?;
    if let Some(drive) = &view.drive
        && serves(&daemon, &place.library, drive).await
    {
        // Somebody was stopped between the drive and the arm: the scheduler knows nothing of a cartridge there.
        let visit = Visit::begin(&daemon, &place, format!("putting {} away", place.barcode)).await?;
        visit.end(&daemon).await;
        daemon.host.lrs.let_go(medium.id);
        put_away(&daemon, medium).await?;
        view = view_of(&daemon, &place.library, &place.barcode).await?;
    }
    match &view.drive {
        None => Ok(Json(view)),
        Some(drive) => {
            let message = format!("{} is still in drive {drive}, which did not let it out", place.barcode);
            Err(Problem::environment("not_unloaded", "drive", drive, message)
                .next("`respool drive status` tells why; take it out by hand, then run `respool library scan`")
                .into())
        }
    }
}

/// Whether a drive works, as far as the scheduler knows.
async fn serves(daemon: &Daemon, library: &Library, bay: &str) -> bool {
    let id = DriveId::Bay {
        library: library.name().to_owned(),
        bay: bay.to_owned(),
    };
    let drives = daemon.host.lrs.drives().await;
    let status = drives.iter().find(|status| status.drive == id.to_string());
    status.is_some_and(|status| status.out_of_service.is_none())
}

/// How long whoever asks to have a tape put away waits for that.
const PUT_AWAY: std::time::Duration = std::time::Duration::from_secs(600);

/// Waits until no drive has a medium; told when somebody uses it.
async fn put_away(daemon: &Daemon, medium: &Medium) -> Result<(), Problem> {
    let begun = std::time::Instant::now();
    loop {
        let Some(status) = daemon.host.lrs.drive_of(medium).await else {
            return Ok(());
        };
        if status.medium != Some(medium.id) {
            return Ok(());
        }
        if let Some(user) = status.used_by.first() {
            let message = format!("{} is in {}, and in use: {user}", medium.name, status.drive);
            return Err(Problem::refused("in_use", &medium.name, message)
                .next("it is put away as soon as nobody uses it; nothing else is needed"));
        }
        if begun.elapsed() > PUT_AWAY {
            let message = format!("{} was not put away yet by {}", medium.name, status.drive);
            return Err(Problem::environment("no_answer", "drive", &status.drive, message)
                .next("`respool drive status` tells what the drive is doing"));
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
