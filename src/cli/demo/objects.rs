//! What a demo does with objects, on whatever media: stores them, deletes most of them, empties a medium, compares.

use super::files::Source;
use super::report::{Amount, Difference, Emptied};
use crate::api::frame::{Decoder, Kind};
use crate::api::objects::{ObjectView, PutResult};
use crate::api::plan::{PlanLine, PlanSummary};
use crate::api::requests::{GetEnd, ObjectListRequest, ObjectRequest, Overwrite, RepackRequest};
use crate::api::wire::Nothing;
use crate::api::{JobReport, Problem};
use crate::cli::job::{CtrlC, watch};
use crate::cli::progress::Bar;
use crate::cli::put::Manner;
use crate::cli::put_stream::{Item, send};
use crate::cli::{Context, interrupts};
use crate::client::{Client, decode, gone, json_body};
use dss::model::{Blake3, ByteCount, Oid, Quarantine, VerifyMode};
use http_body_util::BodyExt;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Streams of files; each goes where most room is left.
const STREAMS: usize = 8;
/// Of five objects on the medium that will be emptied, so many are deleted first.
const DELETED_OF_FIVE: usize = 3;

/// Stores files on media with a tag, each stream in as many copies as its number says.
pub async fn store(
    context: &Context,
    client: &Client,
    sources: &[Source],
    tag: &str,
    copies: impl Fn(usize) -> u8,
) -> Result<Amount, Problem> {
    let begun = Instant::now();
    let mut bar = Bar::new(&context.output);
    let mut stored = Amount::default();
    let mut refused: Option<Problem> = None;
    for (number, part) in sources.chunks(sources.len().div_ceil(STREAMS)).enumerate() {
        let items = part.iter().map(|source| Item {
            path: source.path.clone(),
            oid: source.oid.clone(),
        });
        let manner = Manner {
            overwrite: Overwrite::Refuse,
            split: false,
            copies: Some(copies(number)),
            tags: BTreeSet::from([tag.to_owned()]),
            grouping: None,
            meta: BTreeMap::new(),
            follow: false,
        };
        send(client, items.collect(), &manner, &mut bar, |result| match result {
            PutResult::Stored(object) => {
                stored.objects += 1;
                stored.bytes += object.bytes;
            }
            PutResult::Refused { problem, .. } => refused = refused.take().or(Some(problem)),
        })
        .await?;
    }
    bar.end();
    stored.seconds = begun.elapsed().as_secs_f64();
    refused.map_or(Ok(stored), Err)
}

/// All objects whose names begin so.
pub async fn all_objects(client: &Client, prefix: &str) -> Result<Vec<ObjectView>, Problem> {
    let mut objects = Vec::new();
    let request = ObjectListRequest {
        prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
        deleted: false,
    };
    let _: Nothing = client
        .lines("/v1/object/list", &request, |object: ObjectView| {
            objects.push(object);
            Ok(())
        })
        .await?;
    Ok(objects)
}

/// Three of five objects with an extent on the medium.
fn doomed(objects: &[ObjectView], medium: &str) -> Vec<Oid> {
    let on_it = objects
        .iter()
        .filter(|object| object.extents.iter().any(|extent| extent.medium == medium));
    on_it
        .enumerate()
        .filter(|(number, _)| number % 5 < DELETED_OF_FIVE)
        .map(|(_, object)| object.oid.clone())
        .collect()
}

/// Deletes most of the objects on a medium, and takes them out of those that are to be kept.
pub async fn delete_most(
    client: &Client,
    objects: &[ObjectView],
    medium: &str,
    kept: &mut BTreeMap<Oid, &Source>,
) -> Result<Amount, Problem> {
    let mut deleted = Amount::default();
    for oid in doomed(objects, medium) {
        let request = ObjectRequest {
            oid: oid.clone(),
            version: None,
        };
        let gone: ObjectView = client.call("/v1/object/delete", &request).await?;
        kept.remove(&oid);
        deleted.objects += 1;
        deleted.bytes += gone.bytes;
    }
    Ok(deleted)
}

/// Repacks a medium, onto another one or wherever there is room.
pub async fn empty(
    context: &Context,
    client: &Client,
    source: &str,
    to: Option<&str>,
    emptied: &mut Emptied,
) -> Result<u8, Problem> {
    let request = RepackRequest {
        sources: vec![source.to_owned()],
        to: to.map(str::to_owned),
        quarantine: Some(Quarantine::Seconds(0)),
        verify: Some(VerifyMode::Full),
        drop_deleted: Some(true),
        ..RepackRequest::default()
    };
    let plan: PlanSummary = client.lines("/v1/repack/plan", &request, |_: PlanLine| Ok(())).await?;
    let onto = to.map(|to| format!(" --to {to}")).unwrap_or_default();
    context.output.note(&format!(
        "emptying {source} with `respool repack {source}{onto} --drop-deleted --quarantine 0`: {} to move, about {:.1} s ...",
        plan.bytes, plan.predicted_seconds
    ));
    let begun = Instant::now();
    let job: JobReport = client.call("/v1/repack", &request).await?;
    let end = watch(context, client, job.job, (CtrlC::PausesJob, interrupts()?)).await?;
    source.clone_into(&mut emptied.medium);
    emptied.predicted_seconds = plan.predicted_seconds;
    emptied.seconds = begun.elapsed().as_secs_f64();
    emptied.job = Some(end.report);
    Ok(end.exit)
}

/// Every object that should be there against its file, and the list against what should be there.
pub async fn compare(
    context: &Context,
    client: &Client,
    kept: &BTreeMap<Oid, &Source>,
    prefix: &str,
    differences: &mut Vec<Difference>,
) -> Result<Amount, Problem> {
    let begun = Instant::now();
    let mut verified = Amount::default();
    let listed = all_objects(client, prefix).await?;
    let mut listed: BTreeSet<Oid> = listed.into_iter().map(|object| object.oid).collect();
    let total: ByteCount = kept.values().map(|source| source.bytes).sum();
    let mut bar = Bar::new(&context.output);
    for (oid, source) in kept {
        let why = match (listed.remove(oid), read(client, oid).await) {
            (false, _) => Some("it is not listed".to_owned()),
            (true, Err(problem)) => Some(problem.message),
            (true, Ok(digest)) if digest != source.blake3 => Some("its bytes differ from the file's".to_owned()),
            (true, Ok(_)) => None,
        };
        match why {
            None => {
                verified.objects += 1;
                verified.bytes += source.bytes;
                bar.bytes(verified.bytes, total, "compared");
            }
            Some(why) => differences.push(Difference { oid: oid.clone(), why }),
        }
    }
    bar.end();
    for oid in listed {
        let why = "it is listed and should be gone".to_owned();
        differences.push(Difference { oid, why });
    }
    verified.seconds = begun.elapsed().as_secs_f64();
    Ok(verified)
}

/// What an object's bytes digest to, as they arrive here.
async fn read(client: &Client, oid: &Oid) -> Result<Blake3, Problem> {
    let request = ObjectRequest {
        oid: oid.clone(),
        version: None,
    };
    let mut body = client.send("/v1/object/get", json_body(&request)).await?.into_body();
    let mut decoder = Decoder::default();
    let mut whole = blake3::Hasher::new();
    loop {
        while let Some(frame) = decoder.next_frame().map_err(|error| gone(&error))? {
            match frame.kind {
                Kind::Header => {}
                Kind::Data => {
                    whole.update(&frame.payload);
                }
                Kind::Problem => return Err(decode(&frame.payload)?),
                Kind::End => {
                    let _: GetEnd = decode(&frame.payload)?;
                    return Ok(Blake3(*whole.finalize().as_bytes()));
                }
            }
        }
        match body.frame().await {
            Some(Ok(piece)) => {
                if let Ok(data) = piece.into_data() {
                    decoder.push(&data);
                }
            }
            Some(Err(error)) => return Err(gone(&error)),
            None => return Err(gone(&"the object's bytes ended early")),
        }
    }
}
