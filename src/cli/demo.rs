//! `demo`: a client's script that shows the main job on real files. It stores files on four directories that play disks,
//! deletes most of what lies on one, empties that one, reads everything back and compares it with the files; and does the
//! same once more from tape to tape, in a library of model drives. Uses a state folder of its own unless one is named, and
//! only requests that anybody can make.

mod files;
mod objects;
mod report;
mod tape;

use super::{Context, Done, medium, service};
use crate::api::media::{MediaList, MediumView};
use crate::api::requests::DirAddRequest;
use crate::api::wire::Nothing;
use crate::api::{Problem, exit};
use crate::client::Client;
use crate::state::StateFolder;
use dss::model::{ByteCount, Oid};
use files::{Source, choose};
use nix::unistd::Uid;
use objects::{all_objects, compare, delete_most, empty, store};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

pub use report::Report;

/// The directories that play disks.
const DISKS: [&str; 4] = ["disk-a", "disk-b", "disk-c", "disk-d"];
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
        let half_twice = |number: usize| if number.is_multiple_of(2) { 1 } else { 2 };
        report.stored = store(context, &client, &sources, "demo", half_twice).await?;
        let objects = all_objects(&client, "").await?;
        report.count_copies(&objects);

        let source = fullest(&client).await?;
        say(format!("deleting three of five objects that lie on {source} ..."));
        let mut kept: BTreeMap<Oid, &Source> = sources.iter().map(|source| (source.oid.clone(), source)).collect();
        report.deleted = delete_most(&client, &objects, &source, &mut kept).await?;
        let list: MediaList = client.call("/v1/medium/list", &Nothing {}).await?;
        say(medium::brief(&list));

        report.repack.medium = source.clone();
        report.repack.bytes_before = bytes_in(&media.join(&source));
        report.media_bytes_before = bytes_in(&media);
        let end = empty(context, &client, &source, None, &mut report.repack).await?;
        report.repack.bytes_after = bytes_in(&media.join(&source));
        report.media_bytes_after = bytes_in(&media);

        say("reading every object back and comparing it with its file ...".into());
        report.verified = compare(context, &client, &kept, "", &mut report.differences).await?;
        let on_tape = tape::show(context, &client, &media, &sources, &mut report).await?;
        report.check = client.call("/v1/check", &Nothing {}).await?;
        let list: MediaList = client.call("/v1/medium/list", &Nothing {}).await?;
        say(medium::brief(&list));

        let code = exit::worse(exit::worse(end, on_tape), report.exit());
        context.output.result(&report, Report::told);
        Ok(code)
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
