//! The same from tape to tape: a library of two LTO-9 drives that a device model plays, below the very SCSI commands that
//! real drives get.

use super::files::Source;
use super::objects::{all_objects, compare, delete_most, empty, store};
use super::report::{OnTape, Report};
use crate::api::library::{
    LibraryAddRequest, LibraryView, NewLibrary, TapeAddRequest, TapeList, TapesRequest, VirtualShape,
};
use crate::api::media::MediumView;
use crate::api::{Problem, exit};
use crate::cli::Context;
use crate::client::Client;
use dss::model::Oid;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What the library and its tapes are called. Each tape's name is its tag, too.
const LIBRARY: &str = "demo-library";
const TAPES: [(&str, &str); 2] = [("tape-a", "RSP000L9"), ("tape-b", "RSP001L9")];
/// Every object of this part has a name that begins so.
const PREFIX: &str = "tape/";

/// Stores the files once more, on a tape, deletes most of them, repacks that tape onto another one, and reads all of them
/// back. Answers the job's exit code.
pub async fn show(
    context: &Context,
    client: &Client,
    media: &Path,
    sources: &[Source],
    report: &mut Report,
) -> Result<u8, Problem> {
    let say = |text: String| context.output.note(&text);
    let [(source, _), (target, _)] = TAPES;
    let library = make_library(client, media).await?;
    say(format!(
        "the same from tape to tape: library {} in {}, {} LTO-9 drives (a device model answers, there is no hardware)",
        library.name,
        library.place,
        library.drives.len()
    ));
    let sources: Vec<Source> = sources.iter().map(on_tape).collect::<Result<_, Problem>>()?;
    let mut shown = OnTape::new(&library);
    say(format!("storing the files on {source} ..."));
    shown.stored = store(context, client, &sources, source, |_| 1).await?;
    let mut kept: BTreeMap<Oid, &Source> = sources.iter().map(|one| (one.oid.clone(), one)).collect();
    let objects = all_objects(client, PREFIX).await?;
    say("deleting three of five of them ...".to_owned());
    shown.deleted = delete_most(client, &objects, source, &mut kept).await?;
    let end = empty(context, client, source, Some(target), &mut shown.repack).await?;
    say(format!(
        "reading every object back from {target} and comparing it with its file ..."
    ));
    shown.verified = compare(context, client, &kept, PREFIX, &mut report.differences).await?;
    let tapes: TapeList = client.call("/v1/tape/list", &TapesRequest { library: None }).await?;
    let known = tapes.tapes.into_iter().filter(|tape| tape.medium.is_some());
    shown.cartridges = known.filter_map(|tape| tape.path).collect();
    let whole = shown.stored.objects == sources.len() as u64;
    report.tape = Some(shown);
    Ok(if whole { end } else { exit::worse(end, exit::INTEGRITY) })
}

fn on_tape(source: &Source) -> Result<Source, Problem> {
    Ok(Source {
        path: source.path.clone(),
        oid: Oid::new(format!("{PREFIX}{}", source.oid))?,
        bytes: source.bytes,
        blake3: source.blake3,
    })
}

async fn make_library(client: &Client, media: &Path) -> Result<LibraryView, Problem> {
    let request = LibraryAddRequest {
        name: LIBRARY.to_owned(),
        what: NewLibrary::Virtual {
            folder: media.join(LIBRARY),
            shape: VirtualShape {
                drives: Some(2),
                slots: Some(4),
                mail_slots: Some(1),
                cartridges: Some(TAPES.len() as u16),
                technology: Some("lto9".to_owned()),
            },
        },
    };
    let library: LibraryView = client.call("/v1/library/add", &request).await?;
    for (name, barcode) in TAPES {
        let request = TapeAddRequest {
            barcode: barcode.to_owned(),
            library: Some(LIBRARY.to_owned()),
            name: Some(name.to_owned()),
            tags: BTreeSet::from([name.to_owned()]),
            class: None,
        };
        let _: MediumView = client.call("/v1/tape/add", &request).await?;
    }
    Ok(library)
}
