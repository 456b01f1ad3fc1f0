//! `library`: added, looked at, filled and forgotten.

use super::answer::Answer;
use super::libraries::view::Beside;
use super::libraries::{blocking, library_view, spec_of};
use super::places::check_name;
use super::server::Daemon;
use super::tapes;
use crate::api::Problem;
use crate::api::library::{
    InsertRequest, LibraryAddRequest, LibraryList, LibraryRequest, LibraryView, NewLibrary, TapeView, VirtualShape,
};
use crate::api::wire::Nothing;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use dss::catalogue::NewLibrary as Row;
use dss::model::{Library as Known, LibraryKind};
use lrs::ldm::library::{Library, LibraryError, NewLibrary as Shape, Trouble};
use lrs::ldm::virt::Technology;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a new virtual library has unless it was typed: two drives, so that a tape is read while another is written.
const DRIVES: u16 = 2;
const SLOTS: u16 = 10;
const TECHNOLOGY: Technology = Technology::Lto9;

/// The requests about libraries.
pub fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/v1/library/add", post(add))
        .route("/v1/library/list", post(list))
        .route("/v1/library/show", post(show))
        .route("/v1/library/scan", post(scan))
        .route("/v1/library/insert", post(insert))
        .route("/v1/library/forget", post(forget))
}

/// A generation by the word that was typed.
pub(super) fn technology(word: &str) -> Result<Technology, Problem> {
    word.parse().map_err(|_| {
        let known: Vec<String> = Technology::ALL.iter().map(|one| one.word().to_owned()).collect();
        let message = format!("'{word}' is no generation of LTO that is known here; nothing was touched");
        Problem::refused("bad_value", word, message).next(format!("choose one of {}", known.join(", ")))
    })
}

/// One library as it is shown.
pub(super) async fn shown(daemon: &Daemon, known: &Known) -> Result<LibraryView, Problem> {
    let catalogue = &daemon.host.catalogue;
    let (media, drives) = (catalogue.media().await?, catalogue.drives(&known.name).await?);
    let scheduled = daemon.host.lrs.drives().await;
    let beside = Beside {
        media: &media,
        drives: &drives,
        scheduled: &scheduled,
    };
    Ok(library_view(&daemon.libraries, known, &beside))
}

async fn list(State(daemon): State<Arc<Daemon>>, Json(Nothing {}): Json<Nothing>) -> Answer<LibraryList> {
    let mut libraries = vec![];
    for known in daemon.host.catalogue.libraries().await? {
        libraries.push(shown(&daemon, &known).await?);
    }
    Ok(Json(LibraryList { libraries }))
}

async fn show(State(daemon): State<Arc<Daemon>>, Json(request): Json<LibraryRequest>) -> Answer<LibraryView> {
    let known = daemon.host.catalogue.library(&request.library).await?;
    Ok(Json(shown(&daemon, &known).await?))
}

// ------------------------------------------------------------------------------------------------------------- add

async fn add(State(daemon): State<Arc<Daemon>>, Json(request): Json<LibraryAddRequest>) -> Answer<LibraryView> {
    // One after the other: both would find the name free and the folder empty.
    static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one = ONE.lock().await;
    let host = &daemon.host;
    check_name(&request.name)?;
    let (kind, place) = match &request.what {
        NewLibrary::Virtual { folder, .. } => (LibraryKind::Virtual, folder.clone()),
        NewLibrary::Scsi { changer } => (LibraryKind::Scsi, changer.clone()),
    };
    refuse_known(&daemon, &request.name, &place).await?;
    let Some(text) = place.to_str() else {
        return Err(refused(&request.name, format!("{} is not UTF-8", place.display())).into());
    };
    if let NewLibrary::Virtual { folder, shape } = &request.what {
        make(&request.name, folder, shape).await?;
    }
    let row = Row {
        name: request.name.clone(),
        kind,
        place: text.to_owned(),
    };
    let spec = spec_of(&Known {
        name: row.name.clone(),
        kind,
        place: row.place.clone(),
        created_at: host.clock.now(),
    });
    let library = daemon.libraries.try_open(spec).await?.map_err(not_added)?;
    let known = host.catalogue.add_library(row, host.clock.now()).await?;
    daemon.libraries.adopt(&known, &library);
    daemon
        .libraries
        .announce(host.catalogue.as_ref(), &host.lrs, &library)
        .await?;
    daemon
        .libraries
        .note_presence(host.catalogue.as_ref(), &host.lrs, (&library, host.clock.now()))
        .await?;
    Ok(Json(shown(&daemon, &known).await?))
}

/// A library that is not known yet cannot be looked into again: what helps is to add it once more. A place that is none,
/// or that another program has, is refused like any other that was typed.
fn not_added(error: LibraryError) -> Problem {
    const NEXT: &str = "see to it, or name another place, then repeat this; no library was added";
    if let Trouble::NotToBeHad(_) = error.trouble {
        return Problem::refused("library_refused", &error.library, error.to_string()).next(NEXT);
    }
    let problem = Problem::from(error);
    match problem.code.as_str() {
        "library_unavailable" => problem.next(NEXT),
        _ => problem,
    }
}

fn refused(name: &str, why: String) -> Problem {
    Problem::refused("unfit", name, why).next("choose another place; nothing was touched")
}

async fn refuse_known(daemon: &Daemon, name: &str, place: &Path) -> Result<(), Problem> {
    for known in daemon.host.catalogue.libraries().await? {
        if known.name == name {
            let message = format!("library {name} exists: it is {} {}", known.kind, known.place);
            return Err(Problem::refused("exists", name, message).next("choose another name"));
        }
        if is_same(name, &known.place, place).await? {
            let message = format!("{} is library {} already", place.display(), known.name);
            return Err(Problem::refused("exists", name, message).next("use it under that name"));
        }
    }
    Ok(())
}

/// Whether two names are of one place, by whatever way they lead there.
async fn is_same(name: &str, known: &str, place: &Path) -> Result<bool, Problem> {
    let (known, place) = (PathBuf::from(known), place.to_owned());
    let real = |path: PathBuf| std::fs::canonicalize(&path).unwrap_or(path);
    blocking(name, move || real(known) == real(place)).await
}

/// Makes a virtual library where none is. One that is there is taken as it is, unless another shape was asked for.
async fn make(name: &str, folder: &Path, shape: &VirtualShape) -> Result<(), Problem> {
    let (place, wanted) = (folder.to_owned(), shape.clone());
    let is_library = move || Library::is_virtual(&place);
    if blocking(name, is_library).await? {
        if wanted == VirtualShape::default() {
            return Ok(());
        }
        let why = format!(
            "{} is a virtual library already, and it has the drives, slots and cartridges that it has",
            folder.display()
        );
        let next = "leave those options out to take it as it is, or choose another folder; nothing was touched";
        return Err(refused(name, why).next(next));
    }
    let slots = wanted.slots.unwrap_or(SLOTS);
    let shape = Shape {
        technology: wanted.technology.as_deref().map_or(Ok(TECHNOLOGY), technology)?,
        drives: wanted.drives.unwrap_or(DRIVES),
        slots,
        mail_slots: wanted.mail_slots.unwrap_or(1),
        // Room is left for cartridges that come from elsewhere.
        cartridges: wanted.cartridges.unwrap_or(slots / 2),
    };
    let place = folder.to_owned();
    let made = blocking(name, move || Library::create(&place, &shape)).await?;
    made.map_err(not_added)
}

// ---------------------------------------------------------------------------------------------------- look and fill

async fn scan(State(daemon): State<Arc<Daemon>>, Json(request): Json<LibraryRequest>) -> Answer<LibraryView> {
    let host = &daemon.host;
    let known = host.catalogue.library(&request.library).await?;
    let library = daemon.libraries.open(&known).await??;
    let looking = Arc::clone(&library);
    blocking(&known.name, move || looking.scan()).await??;
    daemon
        .libraries
        .announce(host.catalogue.as_ref(), &host.lrs, &library)
        .await?;
    daemon
        .libraries
        .note_presence(host.catalogue.as_ref(), &host.lrs, (&library, host.clock.now()))
        .await?;
    Ok(Json(shown(&daemon, &known).await?))
}

async fn insert(State(daemon): State<Arc<Daemon>>, Json(request): Json<InsertRequest>) -> Answer<TapeView> {
    let host = &daemon.host;
    let known = host.catalogue.library(&request.library).await?;
    let library = daemon.libraries.open(&known).await??;
    let of = request.technology.as_deref().map(technology).transpose()?;
    let (into, cartridge, code) = (Arc::clone(&library), request.cartridge.clone(), request.barcode.clone());
    let inserted = blocking(&request.barcode, move || -> Result<(), Problem> {
        into.insert(&cartridge, &code, of)?;
        into.inventory()?;
        Ok(())
    });
    inserted.await??;
    daemon
        .libraries
        .note_presence(host.catalogue.as_ref(), &host.lrs, (&library, host.clock.now()))
        .await?;
    Ok(Json(tapes::view_of(&daemon, &library, &request.barcode).await?))
}

async fn forget(State(daemon): State<Arc<Daemon>>, Json(request): Json<LibraryRequest>) -> Answer<LibraryView> {
    let host = &daemon.host;
    let known = host.catalogue.library(&request.library).await?;
    let view = shown(&daemon, &known).await?;
    host.catalogue.forget_library(&known.name, host.clock.now()).await?;
    daemon.libraries.forget(&known.name);
    host.lrs.library(lrs::core::library::LibraryFacts {
        name: known.name.clone(),
        bays: vec![],
    });
    Ok(Json(view))
}
