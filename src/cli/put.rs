//! `put`: which files become which objects, and what became of them. The bytes go through `put_stream`.

use super::object::details;
use super::progress::Bar;
use super::put_names::{Unfit, Unnameable};
use super::put_stream::{self, Item, open_file, send};
use super::visible::on_one_line;
use super::{Context, Done, put_existing};
use crate::api::objects::{ObjectView, PutResult};
use crate::api::requests::Overwrite;
use crate::api::{Problem, exit};
use dss::model::{ByteCount, ObjectId, Oid, Version};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, FileType};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// How often an object is sent again because its target failed.
const ROUNDS: usize = 3;

#[derive(Debug, clap::Args)]
pub struct Put {
    /// The file, or with --recursive the folder
    file: PathBuf,
    /// The object's name, or with --recursive what all names begin with
    oid: Oid,
    /// Store every file below the folder as an object of its own
    #[arg(long)]
    recursive: bool,
    /// A new version of an existing object
    #[arg(long)]
    overwrite: bool,
    /// With --recursive: leave objects that exist as they are, whatever the files hold, and count them
    #[arg(long, requires = "recursive", conflicts_with = "overwrite")]
    skip_existing: bool,
    /// How many copies, each on a medium of its own [default: as configured, 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    copies: Option<u8>,
    /// Let a copy go on on another medium where none has room for all of it; only at the ends of extents
    #[arg(long)]
    split: bool,
    /// Only media with all of these tags
    #[arg(long, value_delimiter = ',', value_name = "T,...")]
    tags: Vec<String>,
    /// Keep it together with other objects of this grouping
    #[arg(long, value_name = "G")]
    grouping: Option<String>,
    /// A word of your own that travels with it; may be given more than once
    #[arg(long = "meta", value_name = "K=V", value_parser = key_value)]
    meta: Vec<(String, String)>,
    /// Store what symlinks point to; otherwise they are skipped and listed
    #[arg(long)]
    follow: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    if key.is_empty() {
        return Err("the key is empty".into());
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// What all objects of one `put` have in common.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Whether existing objects get a new version.
    pub overwrite: Overwrite,
    /// How many copies.
    pub copies: Option<u8>,
    /// Whether a copy may lie on several media.
    pub split: bool,
    /// Only such media.
    pub tags: BTreeSet<String>,
    /// Kept together.
    pub grouping: Option<String>,
    /// The user's words.
    pub meta: BTreeMap<String, String>,
    /// Whether symlinks are followed.
    pub follow: bool,
}

#[derive(Serialize, JsonSchema)]
struct Stored {
    oid: Oid,
    id: ObjectId,
    version: Version,
    bytes: ByteCount,
}

#[derive(Serialize, JsonSchema)]
struct Refused {
    oid: Oid,
    problem: Problem,
}

#[derive(Serialize, JsonSchema)]
struct Skipped {
    path: String,
    reason: String,
}

#[derive(Default, Serialize, JsonSchema)]
pub struct Batch {
    objects: Vec<Stored>,
    /// With --skip-existing: the objects that existed and were left as they are.
    existing: BTreeSet<Oid>,
    refused: Vec<Refused>,
    skipped: Vec<Skipped>,
}

impl Put {
    pub async fn run(self, context: &Context) -> Done {
        let manner = Manner {
            overwrite: if self.overwrite {
                Overwrite::NewVersion
            } else {
                Overwrite::Refuse
            },
            copies: self.copies,
            split: self.split,
            tags: self.tags.iter().cloned().collect(),
            grouping: self.grouping.clone(),
            meta: self.meta.iter().cloned().collect(),
            follow: self.follow,
        };
        if self.recursive {
            return self.folder(context, &manner).await;
        }
        check_file(&self.file, manner.follow)?;
        let item = Item {
            path: self.file,
            oid: self.oid,
        };
        let client = context.client().await?;
        let mut bar = Bar::new(&context.output);
        let mut stored: Option<ObjectView> = None;
        let mut problem = None;
        for _ in 0..ROUNDS {
            let mut again = false;
            send(&client, vec![item.clone()], &manner, &mut bar, |result| match result {
                PutResult::Stored(object) => stored = Some(*object),
                PutResult::Refused {
                    problem: why,
                    again: retry,
                    ..
                } => {
                    again = retry;
                    Problem::keep_first(&mut problem, why);
                }
            })
            .await?;
            if stored.is_some() || !again {
                break;
            }
        }
        bar.end();
        match (stored, problem) {
            (Some(object), _) => {
                context.output.result(&object, details);
                Ok(exit::DONE)
            }
            (None, Some(problem)) => Err(problem),
            (None, None) => Err(crate::client::gone(&"the answer ended without a result")),
        }
    }

    async fn folder(&self, context: &Context, manner: &Manner) -> Done {
        let mut batch = Batch::default();
        let mut items = self.collect(&mut batch, manner)?;
        let client = context.client().await?;
        if self.skip_existing {
            batch.existing = put_existing::take_out(&client, &self.oid, &mut items).await?;
        }
        let mut bar = Bar::new(&context.output);
        let mut first: BTreeMap<Oid, Option<Problem>> = BTreeMap::new();
        for round in 1..=ROUNDS {
            let mut repeat = BTreeSet::new();
            let sent = send(&client, items.clone(), manner, &mut bar, |result| match result {
                PutResult::Stored(object) => batch.objects.push(Stored {
                    oid: object.oid,
                    id: object.id,
                    version: object.version,
                    bytes: object.bytes,
                }),
                // It was put by somebody else since the names were looked at.
                PutResult::Refused { oid, problem, .. } if self.skip_existing && problem.code == "exists" => {
                    batch.existing.insert(oid);
                }
                PutResult::Refused { oid, problem, again } => {
                    let known = first.entry(oid.clone()).or_default();
                    Problem::keep_first(known, problem);
                    if again && round < ROUNDS {
                        repeat.insert(oid);
                    } else if let Some(problem) = known.take() {
                        batch.refused.push(Refused { oid, problem });
                    }
                }
            })
            .await;
            if let Err(problem) = sent {
                bar.end();
                let stored = batch.objects.len();
                context
                    .output
                    .note(&format!("{stored} objects were stored before this"));
                return Err(problem);
            }
            items.retain(|item| repeat.contains(&item.oid));
            if items.is_empty() {
                break;
            }
        }
        bar.end();
        let code = batch
            .refused
            .iter()
            .fold(exit::DONE, |code, refused| exit::worse(code, refused.problem.exit));
        // "Refused, nothing touched" is not true of a folder of which a part was stored.
        let code = match code {
            exit::REFUSED if !batch.objects.is_empty() => exit::SKIPS,
            code => code,
        };
        context.output.result(&batch, |batch| {
            let mut lines = Vec::new();
            for skipped in &batch.skipped {
                lines.push(format!("skipped: {}: {}", on_one_line(&skipped.path), skipped.reason));
            }
            for refused in &batch.refused {
                lines.push(format!("not stored: {}: {}", refused.oid, refused.problem.message));
            }
            // Many are refused for one reason, and what to do about it is said once.
            let ways: BTreeSet<&str> = batch.refused.iter().map(|refused| &*refused.problem.next).collect();
            lines.extend(
                ways.iter()
                    .filter(|way| !way.is_empty())
                    .map(|way| format!("  next: {way}")),
            );
            let bytes: ByteCount = batch.objects.iter().map(|object| object.bytes).sum();
            lines.push(format!("{} objects stored, {bytes}", batch.objects.len()));
            if !batch.existing.is_empty() {
                let existing = batch.existing.len();
                lines.push(format!("{existing} objects existed already and were left as they are"));
            }
            lines.join("\n")
        });
        Ok(code)
    }

    fn collect(&self, batch: &mut Batch, manner: &Manner) -> Result<Vec<Item>, Problem> {
        let found = fs::metadata(&self.file).map_err(|error| unreadable(&self.file, &error))?;
        if !found.is_dir() {
            return Err(refuse(&self.file, "is not a folder").next("leave out --recursive"));
        }
        let (mut items, mut unnameable) = (Vec::new(), Unnameable::default());
        let prefix = self.oid.as_str();
        let walk = WalkDir::new(&self.file).follow_links(manner.follow).sort_by_file_name();
        for entry in walk {
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(&self.file).to_owned();
                // What the walk says of itself names the path once more.
                let why = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                refuse(&path, &format!("cannot be read: {why}")).next("correct its permissions")
            })?;
            let mut skip = |reason: &str| {
                batch.skipped.push(Skipped {
                    path: entry.path().display().to_string(),
                    reason: reason.to_owned(),
                });
            };
            if entry.file_type().is_dir() {
                continue;
            }
            if let Some(kind) = not_a_file(entry.file_type()) {
                skip(kind);
                continue;
            }
            let below = entry
                .path()
                .strip_prefix(&self.file)
                .expect("the walk stays below its root");
            let name = below.to_str().map(|below| Oid::new(format!("{prefix}/{below}")));
            match name {
                Some(Ok(oid)) => items.push(Item {
                    path: entry.path().to_owned(),
                    oid,
                }),
                Some(Err(error)) => unnameable.add(entry.path(), Unfit::Oid(error)),
                None => unnameable.add(entry.path(), Unfit::NotUtf8),
            }
        }
        match unnameable.problem() {
            Some(problem) => Err(problem),
            None => Ok(items),
        }
    }
}

fn not_a_file(kind: FileType) -> Option<&'static str> {
    match kind {
        _ if kind.is_file() => None,
        _ if kind.is_dir() => Some("is a folder"),
        _ if kind.is_symlink() => Some("is a symlink"),
        _ if kind.is_fifo() => Some("is a FIFO"),
        _ if kind.is_socket() => Some("is a socket"),
        _ => Some("is a device"),
    }
}

fn check_file(path: &Path, follow: bool) -> Result<(), Problem> {
    let found = if follow {
        fs::metadata(path)
    } else {
        fs::symlink_metadata(path)
    };
    let kind = found.map_err(|error| unreadable(path, &error))?.file_type();
    match not_a_file(kind) {
        // Looked at before anything is asked of respoold; whoever reads it looks again.
        None => open_file(path, follow)
            .map(drop)
            .map_err(|error| unreadable(path, &error)),
        Some(why) => {
            let next = match () {
                () if kind.is_symlink() => "add --follow to store what it points to",
                () if kind.is_dir() => "add --recursive to store the files below it",
                () => "only files can be stored",
            };
            Err(refuse(path, why).next(next))
        }
    }
}

/// Nothing is stored because of one file.
pub(super) fn refuse(path: &Path, why: &str) -> Problem {
    let path = on_one_line(&path.display().to_string());
    let message = format!("{path} {why}; nothing was stored");
    Problem::refused("not_a_file", path, message)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    let problem = put_stream::unreadable(path, error);
    match problem.exit {
        exit::REFUSED => refuse(path, &format!("cannot be read: {error}")).next(problem.next),
        _ => problem,
    }
}
