//! `demo`: a client's script that shows the main job on real files. It stores files on four directories that play disks,
//! deletes most of what lies on one, empties that one, reads everything back and compares it with the files. Uses a state
//! folder of its own unless one is named, and only requests that anybody can make.

mod files;
mod report;

use super::job::{CtrlC, watch};
use super::progress::Bar;
use super::put::Manner;
use super::put_stream::{Item, send};
use super::{Context, Done, interrupts, medium, service};
use crate::api::frame::{Decoder, Kind};
use crate::api::media::{MediaList, MediumView};
use crate::api::objects::{ObjectView, PutResult};
use crate::api::plan::{PlanLine, PlanSummary};
use crate::api::requests::{DirAddRequest, GetEnd, ObjectListRequest, ObjectRequest, Overwrite, RepackRequest};
use crate::api::wire::Nothing;
use crate::api::{JobReport, Problem, exit};
use crate::client::{Client, decode, gone, json_body};
use crate::state::StateFolder;
use dss::model::{Blake3, ByteCount, Oid, Quarantine, VerifyMode};
use files::{Source, choose};
use http_body_util::BodyExt;
use nix::unistd::Uid;
use report::Difference;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub use report::Report;

/// The directories that play disks.
const DISKS: [&str; 4] = ["disk-a", "disk-b", "disk-c", "disk-d"];
/// Streams of files; each goes where most room is left.
const STREAMS: usize = 8;
/// Of five objects on the medium that will be emptied, so many are deleted first.
const DELETED_OF_FIVE: usize = 3;
/// What a disk holds beside its share of the files.
const SPARE: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Store files of this folder
    #[arg(long, value_name = "DIR", default_value = "/usr/share/doc")]
    from: PathBuf,
    /// How many files at most
    #[arg(long, value_name = "N", default_value_t = 2000)]
    files: usize,
    /// Keep the state folder and the directories that play disks
    #[arg(long)]
    keep: bool,
}

/// The state folder that is named, else one of the demo's own.
pub fn state(named: Option<&Path>) -> Result<StateFolder, Problem> {
    match named.is_some() || std::env::var_os("RESPOOL_STATE").is_some_and(|value| !value.is_empty()) {
        true => StateFolder::resolve(named),
        false => StateFolder::resolve(Some(&own_folder().join("state"))),
    }
}

fn own_folder() -> PathBuf {
    std::env::temp_dir().join(format!("respool-demo-{}", std::process::id()))
}

impl Demo {
    pub async fn run(self, context: &Context) -> Done {
        let own = context.state.path().starts_with(own_folder());
        let ran_before = Client::running(&context.state, &context.terms).await?.is_some();
        let outcome = self.show(context).await;
        if !ran_before {
            service::stop_quietly(context).await?;
        }
        let good = matches!(outcome, Ok(exit::DONE));
        if own && good && !self.keep {
            // Left-overs in the temporary folder are not worth a failure.
            let _ = fs::remove_dir_all(own_folder());
        } else if own {
            let place = own_folder().join("state");
            context.output.note(&format!(
                "kept: look at it with `respool --state {}`, remove {} when done",
                place.display(),
                own_folder().display()
            ));
        }
        outcome
    }

    async fn show(&self, context: &Context) -> Done {
        let sources = choose(&self.from, self.files)?;
        let bytes: ByteCount = sources.iter().map(|source| source.bytes).sum();
        let say = |text: String| context.output.note(&text);
        let media = make_folders(context)?;
        say(format!(
            "{} files of {}, {bytes}; media in {}",
            sources.len(),
            self.from.display(),
            media.display()
        ));
        let client = context.client().await?;
        for name in DISKS {
            add_disk(&client, name, &media, bytes).await?;
        }
        let mut report = Report::new(&self.from, &media, &sources);

        say("storing them, half in one copy and half in two ...".into());
        let begun = Instant::now();
        store(context, &client, &sources, &mut report).await?;
        report.stored.seconds = begun.elapsed().as_secs_f64();
        let objects = all_objects(&client).await?;
        report.count_copies(&objects);

        let source = fullest(&client).await?;
        say(format!("deleting three of five objects that lie on {source} ..."));
        let mut kept: BTreeMap<Oid, &Source> = sources.iter().map(|source| (source.oid.clone(), source)).collect();
        for oid in doomed(&objects, &source) {
            let request = ObjectRequest {
                oid: oid.clone(),
                version: None,
            };
            let gone: ObjectView = client.call("/v1/object/delete", &request).await?;
            kept.remove(&oid);
            report.deleted.objects += 1;
            report.deleted.bytes += gone.bytes;
        }
        let list: MediaList = client.call("/v1/medium/list", &Nothing {}).await?;
        say(medium::brief(&list));

        report.repack.medium = source.clone();
        report.repack.bytes_before = bytes_in(&media.join(&source));
        report.media_bytes_before = bytes_in(&media);
        let end = self.repack(context, &client, &source, &mut report).await?;
        report.repack.bytes_after = bytes_in(&media.join(&source));
        report.media_bytes_after = bytes_in(&media);

        say("reading every object back and comparing it with its file ...".into());
        let begun = Instant::now();
        compare(context, &client, &kept, &mut report).await?;
        report.verified.seconds = begun.elapsed().as_secs_f64();
        report.check = client.call("/v1/check", &Nothing {}).await?;
        let list: MediaList = client.call("/v1/medium/list", &Nothing {}).await?;
        say(medium::brief(&list));

        let code = exit::worse(end, report.exit());
        context.output.result(&report, Report::told);
        Ok(code)
    }

    async fn repack(
        &self,
        context: &Context,
        client: &Client,
        source: &str,
        report: &mut Report,
    ) -> Result<u8, Problem> {
        let request = RepackRequest {
            sources: vec![source.to_owned()],
            quarantine: Some(Quarantine::Seconds(0)),
            verify: Some(VerifyMode::Full),
            drop_deleted: Some(true),
            ..RepackRequest::default()
        };
        let plan: PlanSummary = client.lines("/v1/repack/plan", &request, |_: PlanLine| Ok(())).await?;
        context.output.note(&format!(
            "emptying {source} with `respool repack {source} --drop-deleted --quarantine 0`: {} to move, about {:.1} s ...",
            plan.bytes, plan.predicted_seconds
        ));
        let begun = Instant::now();
        let job: JobReport = client.call("/v1/repack", &request).await?;
        let end = watch(context, client, job.job, (CtrlC::PausesJob, interrupts()?)).await?;
        report.repack.predicted_seconds = plan.predicted_seconds;
        report.repack.seconds = begun.elapsed().as_secs_f64();
        report.repack.job = Some(end.report);
        Ok(end.exit)
    }
}

/// Makes the places of this run. The private PostgreSQL of a superuser runs as another user and passes through.
fn make_folders(context: &Context) -> Result<PathBuf, Problem> {
    let own = context.state.path().starts_with(own_folder());
    let media = match own {
        true => own_folder().join("media"),
        false => context.state.path().join("demo-media"),
    };
    let mode = if Uid::effective().is_root() { 0o711 } else { 0o700 };
    let made = DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(&media)
        .and_then(|()| DISKS.iter().try_for_each(|name| fs::create_dir(media.join(name))));
    made.map_err(|error| {
        let place = media.display().to_string();
        Problem::environment(
            "no_folder",
            "operator",
            &place,
            format!("{place} cannot be made: {error}"),
        )
        .next("remove what an earlier demo left there, or choose another state folder with --state")
    })?;
    Ok(media)
}

async fn add_disk(client: &Client, name: &str, media: &Path, bytes: ByteCount) -> Result<(), Problem> {
    let request = DirAddRequest {
        name: name.to_owned(),
        path: media.join(name),
        // Each could take two copies of everything, so that any of them can be emptied.
        capacity: Some(ByteCount(bytes.0 * 2 + SPARE)),
        dock: None,
        tags: BTreeSet::from(["demo".to_owned()]),
        class: None,
    };
    let _: MediumView = client.call("/v1/dir/add", &request).await?;
    Ok(())
}

/// Every second stream stores two copies.
async fn store(context: &Context, client: &Client, sources: &[Source], report: &mut Report) -> Result<(), Problem> {
    let mut bar = Bar::new(&context.output);
    let mut refused: Option<Problem> = None;
    for (number, part) in sources.chunks(sources.len().div_ceil(STREAMS)).enumerate() {
        let items = part.iter().map(|source| Item {
            path: source.path.clone(),
            oid: source.oid.clone(),
        });
        let manner = Manner {
            overwrite: Overwrite::Refuse,
            split: false,
            copies: Some(if number % 2 == 0 { 1 } else { 2 }),
            tags: BTreeSet::from(["demo".to_owned()]),
            grouping: None,
            meta: BTreeMap::new(),
            follow: false,
        };
        send(client, items.collect(), &manner, &mut bar, |result| match result {
            PutResult::Stored(object) => {
                report.stored.objects += 1;
                report.stored.bytes += object.bytes;
            }
            PutResult::Refused { problem, .. } => refused = refused.take().or(Some(problem)),
        })
        .await?;
    }
    bar.end();
    refused.map_or(Ok(()), Err)
}

async fn all_objects(client: &Client) -> Result<Vec<ObjectView>, Problem> {
    let mut objects = Vec::new();
    let request = ObjectListRequest::default();
    let _: Nothing = client
        .lines("/v1/object/list", &request, |object: ObjectView| {
            objects.push(object);
            Ok(())
        })
        .await?;
    Ok(objects)
}

async fn fullest(client: &Client) -> Result<String, Problem> {
    let list: MediaList = client.call("/v1/medium/list", &Nothing {}).await?;
    let ours = list
        .media
        .into_iter()
        .filter(|medium| DISKS.contains(&medium.name.as_str()));
    let fullest = ours
        .max_by_key(|medium| medium.extents.sync)
        .expect("the disks were added");
    Ok(fullest.name)
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

/// The bytes of all files below a folder, as its file system has them.
fn bytes_in(folder: &Path) -> ByteCount {
    let files = walkdir::WalkDir::new(folder).into_iter().flatten();
    let sizes = files.filter_map(|entry| {
        entry
            .metadata()
            .ok()
            .filter(fs::Metadata::is_file)
            .map(|file| file.len())
    });
    ByteCount(sizes.sum())
}

/// Every object that should be there against its file, and the list against what should be there.
async fn compare(
    context: &Context,
    client: &Client,
    kept: &BTreeMap<Oid, &Source>,
    report: &mut Report,
) -> Result<(), Problem> {
    let mut listed: BTreeSet<Oid> = all_objects(client)
        .await?
        .into_iter()
        .map(|object| object.oid)
        .collect();
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
                report.verified.objects += 1;
                report.verified.bytes += source.bytes;
                bar.bytes(report.verified.bytes, total, "compared");
            }
            Some(why) => report.differences.push(Difference { oid: oid.clone(), why }),
        }
    }
    bar.end();
    for oid in listed {
        let why = "it is listed and should be gone".to_owned();
        report.differences.push(Difference { oid, why });
    }
    Ok(())
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
