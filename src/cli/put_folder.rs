//! `put --recursive`: every file below a folder becomes an object. What is no file is passed over and counted, what cannot
//! be stored is named, and whatever cuts it short tells how to go on.

use super::progress::Bar;
use super::put::{Manner, Put, ROUNDS, not_a_file, refuse, unreadable};
use super::put_names::{Unfit, Unnameable};
use super::put_stream::{Ending, INTERRUPTED, Item, send_until};
use super::several::{Refused, exit_of, named, refusals};
use super::typed::{Globals, and_then};
use super::visible::on_one_line;
use super::{Context, Done, interrupts, put_existing};
use crate::api::Problem;
use crate::api::objects::PutResult;
use crate::api::typed::Typed;
use crate::client::Client;
use dss::model::{ByteCount, ObjectId, Oid, Version};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use tokio::signal::unix::Signal;
use walkdir::{DirEntry, WalkDir};

#[derive(Serialize, JsonSchema)]
struct Stored {
    oid: Oid,
    id: ObjectId,
    version: Version,
    bytes: ByteCount,
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
    /// Why it ended before all files were stored or refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

impl Batch {
    /// For people: what was not done first, and how much of everything at the end.
    fn told(&self) -> String {
        let mut lines = named(&self.skipped, "skipped", |skipped| {
            format!("{}: {}", on_one_line(&skipped.path), skipped.reason)
        });
        lines.extend(refusals(&self.refused, "not stored"));
        let bytes: ByteCount = self.objects.iter().map(|object| object.bytes).sum();
        lines.push(format!("{} objects stored, {bytes}", self.objects.len()));
        if !self.existing.is_empty() {
            let existing = self.existing.len();
            lines.push(format!("{existing} objects existed already and were left as they are"));
        }
        if !self.skipped.is_empty() {
            lines.push(format!("{} skipped: not files", self.skipped.len()));
        }
        if !self.refused.is_empty() {
            lines.push(format!("{} not stored", self.refused.len()));
        }
        lines.join("\n")
    }
}

/// What became of the files so far.
struct Course {
    batch: Batch,
    skip_existing: bool,
    /// How to go on where it was cut short.
    way_on: String,
    /// Not stored, and worth to be sent again.
    failed: BTreeMap<Oid, Problem>,
}

impl Course {
    fn hear(&mut self, result: PutResult) {
        match result {
            PutResult::Stored(object) => {
                self.failed.remove(&object.oid);
                self.batch.objects.push(Stored {
                    oid: object.oid,
                    id: object.id,
                    version: object.version,
                    bytes: object.bytes,
                });
            }
            // It was put by somebody else since the names were looked at.
            PutResult::Refused { oid, problem, .. } if self.skip_existing && problem.code == "exists" => {
                self.failed.remove(&oid);
                self.batch.existing.insert(oid);
            }
            PutResult::Refused { oid, problem, again } => {
                let mut known = self.failed.remove(&oid);
                Problem::keep_first(&mut known, problem);
                let problem = known.expect("just kept");
                match again {
                    true => drop(self.failed.insert(oid, problem)),
                    false => self.refuse(oid, problem),
                }
            }
        }
    }

    fn refuse(&mut self, oid: Oid, problem: Problem) {
        let problem = match &*problem.code {
            "exists" => problem.next(
                "add --skip-existing to leave what exists and go on where it was cut short, or --overwrite for a new \
                 version of each",
            ),
            _ => problem,
        };
        self.batch.refused.push(Refused { oid, problem });
    }

    /// What was worth to be sent again, and is not sent any more.
    fn end(mut self, error: Option<Problem>) -> Batch {
        for (oid, problem) in std::mem::take(&mut self.failed) {
            self.refuse(oid, problem);
        }
        Batch { error, ..self.batch }
    }
}

impl Put {
    pub(super) async fn folder(&self, context: &Context, manner: &Manner) -> Done {
        let mut batch = Batch::default();
        let mut items = self.collect(&mut batch, manner)?;
        let client = context.client().await?;
        if self.skip_existing {
            batch.existing = put_existing::take_out(&client, &self.oid, &mut items).await?;
        }
        let mut course = Course {
            batch,
            skip_existing: self.skip_existing,
            way_on: self.way_on(&context.globals),
            failed: BTreeMap::new(),
        };
        let mut interrupts = interrupts()?;
        let mut bar = Bar::new(&context.output);
        let watch = (&mut bar, &mut interrupts);
        let sent = self.send_all(&client, items, manner, watch, &mut course).await;
        bar.end();
        let batch = course.end(sent.err());
        context.output.result(&batch, Batch::told);
        if let Some(problem) = &batch.error {
            context.output.tell(problem);
        }
        Ok(exit_of(batch.objects.len(), &batch.refused, batch.error.as_ref()))
    }

    /// Sends the files, and once more those whose targets failed. An error cut it short.
    async fn send_all(
        &self,
        client: &Client,
        mut items: Vec<Item>,
        manner: &Manner,
        (bar, interrupts): (&mut Bar, &mut Signal),
        course: &mut Course,
    ) -> Result<(), Problem> {
        let count = items.len();
        for _ in 0..ROUNDS {
            let watch = (&mut *bar, &mut *interrupts);
            let sent = send_until(client, items.clone(), manner, watch, |result| course.hear(result)).await;
            let stored = course.batch.objects.len();
            match sent {
                Ok(Ending::Whole) => {}
                Ok(Ending::Stopped) => return Err(self.interrupted(&course.way_on, (stored, count), 0)),
                Ok(Ending::Left { unanswered }) => {
                    return Err(self.interrupted(&course.way_on, (stored, count), unanswered));
                }
                Err(problem) => return Err(broken_off(problem, stored, &course.way_on)),
            }
            items.retain(|item| course.failed.contains_key(&item.oid));
            if items.is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn interrupted(&self, way_on: &str, (stored, count): (usize, usize), unanswered: usize) -> Problem {
        let folder = on_one_line(&self.file.display().to_string());
        let mut message = format!("the put of {folder} was interrupted: {stored} of {count} files are stored");
        match unanswered {
            0 => message.push_str(", and no more were sent"),
            _ => message.push_str(&format!(
                "; {unanswered} more were on their way when this command stopped waiting, and may be stored, too"
            )),
        }
        Problem::stopped(INTERRUPTED, folder, message).next(way_on)
    }

    fn way_on(&self, globals: &Globals) -> String {
        if self.overwrite {
            return "repeat the command: it stores all files, those that are stored already in one more version"
                .to_owned();
        }
        match globals.told(&self.again()) {
            Some(command) => format!("`{command}` goes on where it was cut short"),
            None => "the same command with --skip-existing goes on where it was cut short".to_owned(),
        }
    }

    /// This command once more, leaving what exists.
    fn again(&self) -> Typed {
        let tags = (!self.tags.is_empty()).then(|| self.tags.join(","));
        let meta = self.meta.iter().map(|(key, value)| format!("{key}={value}"));
        Typed::verb("put")
            .name(&self.file)
            .name(self.oid.as_str())
            .flags(["--recursive", "--skip-existing"])
            .option("--copies", self.copies.map(|copies| copies.to_string()))
            .flags(self.split.then_some("--split"))
            .option("--tags", tags)
            .option("--grouping", self.grouping.iter())
            .option("--meta", meta)
            .flags(self.follow.then_some("--follow"))
    }

    fn collect(&self, batch: &mut Batch, manner: &Manner) -> Result<Vec<Item>, Problem> {
        let found = fs::metadata(&self.file).map_err(|error| unreadable(&self.file, &error))?;
        if !found.is_dir() {
            return Err(refuse(&self.file, "is not a folder").next("leave out --recursive"));
        }
        let (mut items, mut unnameable) = (Vec::new(), Unnameable::default());
        let walk = WalkDir::new(&self.file).follow_links(manner.follow).sort_by_file_name();
        for entry in walk {
            let entry = entry.map_err(|error| self.not_walked(&error))?;
            if entry.file_type().is_dir() {
                continue;
            }
            if let Some(kind) = not_a_file(entry.file_type()) {
                batch.skipped.push(Skipped {
                    path: entry.path().display().to_string(),
                    reason: kind.to_owned(),
                });
                continue;
            }
            match self.name(&entry) {
                Ok(oid) => items.push(Item {
                    path: entry.path().to_owned(),
                    oid,
                }),
                Err(unfit) => unnameable.add(entry.path(), unfit),
            }
        }
        match unnameable.problem() {
            Some(problem) => Err(problem),
            None => Ok(items),
        }
    }

    /// What the object of a file is called.
    fn name(&self, entry: &DirEntry) -> Result<Oid, Unfit> {
        let below = entry.path().strip_prefix(&self.file);
        let below = below.expect("the walk stays below its root");
        let below = below.to_str().ok_or(Unfit::NotUtf8)?;
        Oid::new(format!("{}/{below}", self.oid)).map_err(Unfit::Oid)
    }

    fn not_walked(&self, error: &walkdir::Error) -> Problem {
        let path = error.path().unwrap_or(&self.file);
        // What the walk says of itself names the path once more.
        let why = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
        refuse(path, &format!("cannot be read: {why}")).next("correct its permissions")
    }
}

/// Something failed that is not about one file.
fn broken_off(problem: Problem, stored: usize, way_on: &str) -> Problem {
    let message = format!("{}; {stored} objects were stored before this", problem.message);
    let next = and_then(&problem.next, way_on);
    Problem { message, ..problem }.next(next)
}

#[cfg(test)]
mod tests {
    use crate::cli::typed::Globals;
    use crate::cli::{Args, Verb};
    use clap::Parser;

    fn again(typed: &[&str]) -> String {
        let args = Args::try_parse_from([&["respool", "put"][..], typed].concat()).unwrap();
        let Verb::Put(put) = args.verb else {
            panic!("it is a put")
        };
        put.way_on(&Globals::of(
            args.global.config.as_deref(),
            args.global.state.as_deref(),
        ))
    }

    #[test]
    fn the_way_on_is_the_same_command() {
        assert_eq!(
            again(&["my photos", "album", "--recursive"]),
            "`respool put 'my photos' album --recursive --skip-existing` goes on where it was cut short"
        );
        let all =
            "photos album --recursive --skip-existing --copies 2 --split --tags a,b --grouping g --meta k=v --follow";
        let words: Vec<&str> = all.split(' ').collect();
        assert!(
            again(&words).contains(&format!("`respool put {all}`")),
            "{}",
            again(&words)
        );
        assert!(again(&["photos", "album", "--recursive", "--overwrite"]).starts_with("repeat"));
        assert_eq!(
            again(&["--recursive", "--state", "B", "--", "-photos", "album"]),
            "`respool --state B put --recursive --skip-existing -- -photos album` goes on where it was cut short"
        );
        assert!(again(&["a\tb", "album", "--recursive"]).starts_with("the same command with --skip-existing"));
    }
}
