//! `put`: one file becomes one object; `put_folder` makes many of a folder. The bytes go through `put_stream`.

use super::object::details;
use super::progress::Bar;
use super::put_stream::{self, Ending, INTERRUPTED, Item, open_file, send_until};
use super::visible::on_one_line;
use super::{Context, Done, interrupts};
use crate::api::objects::{ObjectView, PutResult};
use crate::api::requests::Overwrite;
use crate::api::typed::Typed;
use crate::api::units::parse_tag;
use crate::api::{Problem, exit};
use dss::model::Oid;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, FileType};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// How often an object is sent again because its target failed.
pub(super) const ROUNDS: usize = 3;

#[derive(Debug, clap::Args)]
pub struct Put {
    /// The file, or with --recursive the folder
    pub(super) file: PathBuf,
    /// The object's name, or with --recursive that of a folder of names: each file becomes OID/PATH. It ends without a
    /// slash
    pub(super) oid: Oid,
    /// Store every file below the folder as an object of its own
    #[arg(long)]
    pub(super) recursive: bool,
    /// A new version of an existing object
    #[arg(long)]
    pub(super) overwrite: bool,
    /// With --recursive: leave objects that exist as they are, whatever the files hold, and count them
    #[arg(long, requires = "recursive", conflicts_with = "overwrite")]
    pub(super) skip_existing: bool,
    /// How many copies, each on a medium of its own [default: as configured, 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(super) copies: Option<u8>,
    /// Let a copy go on on another medium where none has room for all of it; only at the ends of extents
    #[arg(long)]
    pub(super) split: bool,
    /// Only media with all of these tags. They choose media at this put only: a repack moves it to any medium, unless
    /// it is given --to-tags
    #[arg(long, value_delimiter = ',', value_parser = parse_tag, value_name = "T,...")]
    pub(super) tags: Vec<String>,
    /// Keep it together with other objects of this grouping
    #[arg(long, value_name = "G")]
    pub(super) grouping: Option<String>,
    /// A word of your own that travels with it; may be given more than once
    #[arg(long = "meta", value_name = "K=V", value_parser = key_value)]
    pub(super) meta: Vec<(String, String)>,
    /// Store what symlinks point to; otherwise they are skipped and listed
    #[arg(long)]
    pub(super) follow: bool,
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

impl Put {
    pub async fn run(self, context: &Context) -> Done {
        let manner = self.manner();
        match self.recursive {
            true => self.folder(context, &manner).await,
            false => self.one(context, &manner).await,
        }
    }

    fn manner(&self) -> Manner {
        Manner {
            overwrite: match self.overwrite {
                true => Overwrite::NewVersion,
                false => Overwrite::Refuse,
            },
            copies: self.copies,
            split: self.split,
            tags: self.tags.iter().cloned().collect(),
            grouping: self.grouping.clone(),
            meta: self.meta.iter().cloned().collect(),
            follow: self.follow,
        }
    }

    async fn one(self, context: &Context, manner: &Manner) -> Done {
        check_file(&self.file, manner.follow)?;
        let item = Item {
            path: self.file,
            oid: self.oid,
        };
        let client = context.client().await?;
        let mut interrupts = interrupts()?;
        let mut bar = Bar::new(&context.output);
        let mut stored: Option<ObjectView> = None;
        let mut problem = None;
        for _ in 0..ROUNDS {
            // Whether nothing is left to be sent again.
            let mut last = false;
            let watch = (&mut bar, &mut interrupts);
            let sent = send_until(&client, vec![item.clone()], manner, watch, |result| match result {
                PutResult::Stored(object) => (stored, last) = (Some(*object), true),
                PutResult::Refused {
                    problem: why, again, ..
                } => {
                    last = !again;
                    Problem::keep_first(&mut problem, why);
                }
            })
            .await;
            let cut_short = match sent {
                _ if last => break,
                Ok(ending) => interrupted(context, &item.oid, ending),
                Err(problem) => Some(problem),
            };
            if let Some(why) = cut_short {
                Problem::keep_first(&mut problem, why);
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
}

/// What is told of one object whose put was interrupted.
fn interrupted(context: &Context, oid: &Oid, ending: Ending) -> Option<Problem> {
    let (what, next) = match ending {
        Ending::Whole => return None,
        Ending::Stopped => ("nothing of it is stored", "put it again".to_owned()),
        Ending::Left { .. } => (
            "no answer was waited for, and it may still be stored",
            match context.globals.told(&Typed::verb("object show").name(oid.as_str())) {
                Some(show) => format!("`{show}` tells whether it is; put it again if not"),
                None => "look whether it is, and put it again if not".to_owned(),
            },
        ),
    };
    let message = format!("the put of '{oid}' was interrupted; {what}");
    Some(Problem::stopped(INTERRUPTED, oid.as_str(), message).next(next))
}

/// What something is that is stored by nobody.
pub(super) fn not_a_file(kind: FileType) -> Option<&'static str> {
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

/// What cannot be read although its owner could see to it is refused before anything is stored.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    let problem = put_stream::unreadable(path, error);
    match problem.exit {
        exit::REFUSED => refuse(path, &format!("cannot be read: {error}")).next(problem.next),
        _ => problem,
    }
}
