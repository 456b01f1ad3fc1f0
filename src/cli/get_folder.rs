//! `get --recursive`: every object below a name becomes a file below a folder. One that fails stops none of the others, what
//! failed is named, and whatever cuts it short tells how to go on.

use super::beneath::{Beneath, too_long};
use super::entries::Entry;
use super::fetch::{fetch, read_elsewhere};
use super::get::{Get, no_place};
use super::landing::{Found, Missed, Place};
use super::progress::Bar;
use super::put_stream::INTERRUPTED;
use super::several::{Refused, exit_of, refusals};
use super::typed::{Globals, and_then};
use super::visible::on_one_line;
use super::{Context, Done, interrupts};
use crate::api::Problem;
use crate::api::objects::{FailedRead, Got, ObjectView};
use crate::api::requests::{ObjectListRequest, ObjectRequest};
use crate::api::typed::Typed;
use crate::api::wire::Nothing;
use crate::client::Client;
use dss::model::{ByteCount, ObjectId, Oid, Version};
use nix::errno::Errno;
use schemars::JsonSchema;
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Bound;
use tokio::signal::unix::Signal;

#[derive(Serialize, JsonSchema)]
struct GotFile {
    oid: Oid,
    id: ObjectId,
    version: Version,
    bytes: ByteCount,
    file: String,
    /// What the file could not be given back, by name.
    not_restored: Missed,
    /// Where its bytes could not be read before they were read elsewhere.
    failed_reads: Vec<FailedRead>,
}

#[derive(Default, Serialize, JsonSchema)]
pub struct GotFolder {
    objects: Vec<GotFile>,
    /// With --skip-existing: the objects whose files existed and were left as they are.
    existing: BTreeSet<Oid>,
    refused: Vec<Refused>,
    /// Why it ended before all objects were read or refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

impl GotFolder {
    /// For people: what was not done first, and how much of everything at the end.
    fn told(&self) -> String {
        let mut lines = refusals(&self.refused, "not read");
        let bytes: ByteCount = self.objects.iter().map(|object| object.bytes).sum();
        lines.push(format!("{} objects read, {bytes}", self.objects.len()));
        let bare: Vec<&GotFile> = self.objects.iter().filter(|one| !one.not_restored.is_empty()).collect();
        if !bare.is_empty() {
            let names: BTreeSet<&str> = bare
                .iter()
                .flat_map(|one| one.not_restored.iter().map(String::as_str))
                .collect();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            lines.push(format!(
                "{} files without all they had when they were put: {names}",
                bare.len()
            ));
        }
        if !self.existing.is_empty() {
            let existing = self.existing.len();
            lines.push(format!("{existing} files existed already and were left as they are"));
        }
        if !self.refused.is_empty() {
            lines.push(format!("{} not read", self.refused.len()));
        }
        lines.join("\n")
    }
}

/// An object that is to be read.
struct Wanted {
    /// Where it lies, so that what lies together is read together.
    medium: Option<String>,
    oid: Oid,
    bytes: ByteCount,
    what: What,
}

/// Directories come last, what is below them before them: whatever is made in one changes its time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    File,
    Directory,
}

impl Wanted {
    fn of(object: ObjectView) -> Self {
        Self {
            medium: object.extents.first().map(|extent| extent.medium.clone()),
            what: match Entry::of(&object.metadata) {
                Some(Entry::Directory) => What::Directory,
                Some(Entry::Symlink(_)) | None => What::File,
            },
            oid: object.oid,
            bytes: object.bytes,
        }
    }

    fn before(&self, other: &Self) -> Ordering {
        let by_name = match self.what {
            What::File => (&self.medium, &self.oid).cmp(&(&other.medium, &other.oid)),
            What::Directory => other.oid.cmp(&self.oid),
        };
        self.what.cmp(&other.what).then(by_name)
    }
}

impl Get {
    pub(super) async fn folder(&self, context: &Context) -> Done {
        Beneath::check(&self.file)?;
        let client = context.client().await?;
        let wanted = self.below(&client).await?;
        let root = Beneath::make(&self.file)?;
        let mut interrupts = interrupts()?;
        let mut bar = Bar::new(&context.output);
        let mut all = GotFolder::default();
        let whole: ByteCount = wanted.iter().map(|wanted| wanted.bytes).sum();
        let names: BTreeSet<&str> = wanted.iter().map(|wanted| wanted.oid.as_str()).collect();
        let mut before = ByteCount::ZERO;
        for one in &wanted {
            let watch = |done: ByteCount, _: ByteCount| bar.bytes(before + done, whole, "received");
            let read = self.read(&client, &root, one, &mut interrupts, watch).await;
            match read {
                Ok(Some(got)) => {
                    got.failed_reads
                        .iter()
                        .for_each(|failed| bar.say(&read_elsewhere(failed)));
                    all.objects.push(got);
                }
                Ok(None) => {
                    all.existing.insert(one.oid.clone());
                }
                // It came since it was looked for.
                Err(problem) if self.skip_existing && problem.code == "file_exists" => {
                    all.existing.insert(one.oid.clone());
                }
                Err(problem) if ends_all(&problem) => {
                    all.error = Some(self.cut_short(problem, (all.objects.len(), wanted.len()), &context.globals));
                    break;
                }
                Err(problem) => all.refused.push(Refused {
                    oid: one.oid.clone(),
                    problem: explained(problem, one.oid.as_str(), &names),
                }),
            }
            before += one.bytes;
        }
        bar.end();
        context.output.result(&all, GotFolder::told);
        if let Some(problem) = &all.error {
            context.output.tell(problem);
        }
        Ok(exit_of(all.objects.len(), &all.refused, all.error.as_ref()))
    }

    /// Reads one object; None when its file is there and is left.
    async fn read(
        &self,
        client: &Client,
        root: &Beneath,
        wanted: &Wanted,
        interrupts: &mut Signal,
        watch: impl FnMut(ByteCount, ByteCount),
    ) -> Result<Option<GotFile>, Problem> {
        let below = &wanted.oid.as_str()[self.oid.as_str().len() + 1..];
        let place = root.place(below, self.existing())?;
        if !self.is_free(&place, wanted.what)? {
            return Ok(None);
        }
        let request = ObjectRequest {
            oid: wanted.oid.clone(),
            version: None,
        };
        let (Got { object, failed_reads }, not_restored) = fetch(client, &request, &place, interrupts, watch).await?;
        Ok(Some(GotFile {
            oid: object.oid,
            id: object.id,
            version: object.version,
            bytes: object.bytes,
            file: place.shown.display().to_string(),
            not_restored,
            failed_reads,
        }))
    }

    /// Whether a file may be written there; not when one is there that is to be left.
    fn is_free(&self, place: &Place, what: What) -> Result<bool, Problem> {
        let path = on_one_line(&place.shown.display().to_string());
        match place.found() {
            Ok(Found::Nothing) => Ok(true),
            Ok(Found::Folder) if what == What::Directory => Ok(true),
            Ok(Found::Other) if self.overwrite => Ok(true),
            Ok(Found::Other) if self.skip_existing => Ok(false),
            Ok(Found::Other) => {
                let message = format!("{path} exists already; it was left as it is");
                Err(Problem::refused("file_exists", path, message).next(
                    "add --skip-existing to leave what exists and go on where it was cut short, or --overwrite to replace \
                     it",
                ))
            }
            Ok(Found::Folder) => {
                let message = format!("{path} is a folder; it was left as it is");
                Err(Problem::refused("is_a_folder", path, message).next("move it away, or read into another folder"))
            }
            Err(Errno::ENAMETOOLONG) => Err(too_long(&place.shown)),
            Err(errno) => Err(no_place(&place.shown, &errno.into())),
        }
    }

    /// All objects below the name, those that lie together one after the other.
    async fn below(&self, client: &Client) -> Result<Vec<Wanted>, Problem> {
        let request = ObjectListRequest {
            prefix: Some(format!("{}/", self.oid)),
            deleted: false,
        };
        let mut wanted = Vec::new();
        let Nothing {} = client
            .lines("/v1/object/list", &request, |object: ObjectView| {
                wanted.push(Wanted::of(object));
                Ok(())
            })
            .await?;
        if wanted.is_empty() {
            return Err(self.nothing_below(client).await);
        }
        wanted.sort_by(Wanted::before);
        Ok(wanted)
    }

    async fn nothing_below(&self, client: &Client) -> Problem {
        let oid = &self.oid;
        let request = ObjectRequest {
            oid: oid.clone(),
            version: None,
        };
        let shown: Result<ObjectView, Problem> = client.call("/v1/object/show", &request).await;
        let message = format!("no object's name begins with {oid}/; nothing was read");
        Problem::refused("not_found", oid.as_str(), message).next(match shown {
            Ok(_) => format!("leave out --recursive: '{oid}' is one object"),
            Err(_) => "`respool object list` shows the objects".to_owned(),
        })
    }

    fn cut_short(&self, problem: Problem, (read, count): (usize, usize), globals: &Globals) -> Problem {
        let folder = on_one_line(&self.file.display().to_string());
        if problem.code == INTERRUPTED {
            let message = format!(
                "the get into {folder} was interrupted: {read} of {count} objects are there, and of the one under way nothing"
            );
            return Problem::stopped(INTERRUPTED, folder, message).next(self.way_on(globals));
        }
        let message = format!("{}; {read} of {count} objects were read before this", problem.message);
        let next = and_then(&problem.next, &self.way_on(globals));
        Problem { message, ..problem }.next(next)
    }

    fn way_on(&self, globals: &Globals) -> String {
        if self.overwrite {
            return "repeat the command: it reads all of them again".to_owned();
        }
        let again = Typed::verb("get").name(self.oid.as_str()).name(&self.file);
        match globals.told(&again.flags(["--recursive", "--skip-existing"])) {
            Some(command) => format!("`{command}` goes on where it was cut short"),
            None => "the same command with --skip-existing goes on where it was cut short".to_owned(),
        }
    }
}

/// Whether no other object could be read either.
fn ends_all(problem: &Problem) -> bool {
    [INTERRUPTED, "respoold_gone", "catalogue_unavailable", "stopping"].contains(&&*problem.code)
}

/// Of two objects one of which has the other one's folder as its name, only one becomes a file.
fn explained(problem: Problem, oid: &str, names: &BTreeSet<&str>) -> Problem {
    if !["no_folder", "is_a_folder"].contains(&&*problem.code) {
        return problem;
    }
    let Some(file) = file_and_folder(oid, names) else {
        return problem;
    };
    let shown = on_one_line(file);
    let message = format!(
        "{}; '{shown}' is an object, others begin with {shown}/, and a file is no folder",
        problem.message
    );
    let get = Typed::verb("get").name(file);
    let (alone, below) = (get.clone().name("FILE"), get.name("FOLDER").flags(["--recursive"]));
    let next = match (alone.told(), below.told()) {
        (Some(alone), Some(below)) => {
            format!("`{alone}` reads the one object, `{below}` what is below it, into another folder")
        }
        (None, _) | (_, None) => "read the one object alone, and what is below it into another folder".to_owned(),
    };
    Problem { message, ..problem }.next(next)
}

/// The name that would have to be both, for an object of this name to be read.
fn file_and_folder<'a>(oid: &'a str, names: &BTreeSet<&'a str>) -> Option<&'a str> {
    let mut above = oid.match_indices('/').map(|(end, _)| &oid[..end]);
    above.find(|folder| names.contains(folder)).or_else(|| {
        let below = format!("{oid}/");
        let from = (Bound::Included(below.as_str()), Bound::<&str>::Unbounded);
        let first = names.range::<str, _>(from).next();
        first.is_some_and(|name| name.starts_with(&below)).then_some(oid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_a_folder_of_others_is_found_from_both_sides() {
        let names = BTreeSet::from(["d/a", "d/z", "d/z-1", "d/z/1", "d/z/2/3"]);
        for (oid, both) in [
            ("d/a", None),
            ("d/z-1", None),
            ("d/z", Some("d/z")),
            ("d/z/1", Some("d/z")),
            ("d/z/2/3", Some("d/z")),
        ] {
            assert_eq!(file_and_folder(oid, &names), both, "{oid}");
        }
    }

    #[test]
    fn who_finds_a_name_in_the_way_is_told_how_both_are_read() {
        let names = BTreeSet::from(["d/z", "d/z/1"]);
        let problem = || Problem::refused("no_folder", "out/z", "out/z is no folder").next("move it away");
        let told = explained(problem(), "d/z/1", &names);
        assert!(
            told.message.starts_with("out/z is no folder; 'd/z' is an object"),
            "{told}"
        );
        assert!(told.next.starts_with("`respool get d/z FILE` reads"), "{told}");
        assert_eq!(explained(problem(), "d/a", &names), problem());
    }
}
