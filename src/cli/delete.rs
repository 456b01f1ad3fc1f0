//! `delete`: one object, or several of which each is looked at first. Ctrl-C ends after the object under way.

use super::object::mark;
use super::put_stream::INTERRUPTED;
use super::several::{NAMED_MAX, Refused, exit_of, refusals};
use super::typed::{Globals, and_then};
use super::{Context, Done, interrupts};
use crate::api::objects::ObjectView;
use crate::api::requests::ObjectRequest;
use crate::api::typed::Typed;
use crate::api::{Problem, exit};
use crate::client::Client;
use dss::model::Oid;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use tokio::signal::unix::Signal;

const STOPPING: &str = "stopping after the object under way; Ctrl-C again returns at once";

#[derive(Debug, clap::Args)]
pub struct Delete {
    /// The objects' names; where one of them is not there, none is deleted
    #[arg(value_name = "OID", required = true)]
    oids: Vec<Oid>,
}

#[derive(Default, Serialize, JsonSchema)]
pub struct Deleted {
    objects: Vec<ObjectView>,
    /// Those that somebody else deleted since they were looked at.
    refused: Vec<Refused>,
    /// Why it ended before all were deleted or refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

impl Deleted {
    fn told(&self) -> String {
        let mut lines: Vec<String> = self.objects.iter().map(told).collect();
        lines.extend(refusals(&self.refused, "not deleted"));
        lines.join("\n")
    }

    /// What is told where it ended with `left` not asked for.
    fn interrupted(&self, globals: &Globals, left: &[Oid], count: usize) -> Problem {
        let deleted = self.objects.len();
        let message = format!("the deletion was interrupted: {deleted} of {count} objects are deleted");
        Problem::stopped(INTERRUPTED, "delete", message).next(rest(globals, left))
    }

    /// What is told where nothing was answered for the first of these: it may be deleted already, and then a command that
    /// names it would delete none.
    fn in_doubt(&self, globals: &Globals, why: Problem, left: &[Oid], count: usize) -> Problem {
        let (oid, left) = left.split_first().expect("one was under way");
        let message = format!(
            "{}; {} of {count} objects were deleted before this, and '{oid}' may be deleted, too",
            why.message,
            self.objects.len()
        );
        let mut next = match globals.told(&Typed::verb("object show").name(oid.as_str())) {
            Some(show) => and_then(&why.next, &format!("`{show}` tells whether it is there still")),
            None => and_then(&why.next, "look whether it is there still"),
        };
        if !left.is_empty() {
            next = and_then(&next, &rest(globals, left));
        }
        Problem { message, ..why }.next(next)
    }
}

/// How those are deleted that were not asked for.
fn rest(globals: &Globals, left: &[Oid]) -> String {
    let few = (left.len() <= NAMED_MAX).then(|| Typed::verb("delete").names(left.iter().map(Oid::as_str)));
    match few.and_then(|delete| globals.told(&delete)) {
        Some(command) => format!("`{command}` deletes the others"),
        None => format!("delete the last {} of them", left.len()),
    }
}

/// Ctrl-C while objects are deleted.
struct CtrlC<'c> {
    context: &'c Context,
    signal: Signal,
    pressed: bool,
}

impl CtrlC<'_> {
    /// An answer. The first Ctrl-C lets it come; after a second there is none.
    async fn wait<T>(&mut self, answer: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(answer);
        loop {
            tokio::select! {
                biased;
                come = &mut answer => return Some(come),
                _ = self.signal.recv() => {
                    if self.pressed {
                        return None;
                    }
                    self.pressed = true;
                    self.context.output.note(STOPPING);
                }
            }
        }
    }
}

impl Delete {
    pub async fn run(self, context: &Context) -> Done {
        let mut seen = BTreeSet::new();
        let mut oids = self.oids;
        oids.retain(|oid| seen.insert(oid.clone()));
        match &oids[..] {
            [oid] => mark(context, "/v1/object/delete", oid.clone(), told).await,
            several => delete_all(context, several).await,
        }
    }
}

fn told(object: &ObjectView) -> String {
    format!("{} version {}: deleted", object.oid, object.version)
}

async fn delete_all(context: &Context, oids: &[Oid]) -> Done {
    let client = context.client().await?;
    let mut ctrl_c = CtrlC {
        context,
        signal: interrupts()?,
        pressed: false,
    };
    let (globals, count) = (&context.globals, oids.len());
    tokio::select! {
        looked = look_at(&client, oids) => looked?,
        _ = ctrl_c.signal.recv() => return Err(Deleted::default().interrupted(globals, oids, count)),
    }
    let mut all = Deleted::default();
    for (place, oid) in oids.iter().enumerate() {
        let asked = request(oid);
        let deleted = ctrl_c
            .wait(client.call::<_, ObjectView>("/v1/object/delete", &asked))
            .await;
        let failed = match deleted {
            Some(Ok(object)) => {
                all.objects.push(object);
                None
            }
            Some(Err(problem)) if problem.exit == exit::REFUSED => {
                all.refused.push(Refused {
                    oid: oid.clone(),
                    problem,
                });
                None
            }
            Some(Err(problem)) => Some(problem),
            None => Some(Problem::stopped(INTERRUPTED, "delete", "the deletion was interrupted")),
        };
        let left = &oids[place + 1..];
        all.error = match failed {
            Some(why) => Some(all.in_doubt(globals, why, &oids[place..], count)),
            None if ctrl_c.pressed && !left.is_empty() => Some(all.interrupted(globals, left, count)),
            None => None,
        };
        if all.error.is_some() {
            break;
        }
    }
    context.output.result(&all, Deleted::told);
    if let Some(problem) = &all.error {
        context.output.tell(problem);
    }
    Ok(exit_of(all.objects.len(), &all.refused, all.error.as_ref()))
}

/// All of them are there, or nothing is deleted.
async fn look_at(client: &Client, oids: &[Oid]) -> Result<(), Problem> {
    let mut absent: Vec<Problem> = Vec::new();
    for oid in oids {
        let shown: Result<ObjectView, Problem> = client.call("/v1/object/show", &request(oid)).await;
        match shown {
            Ok(_) => {}
            Err(problem) if problem.exit == exit::REFUSED => absent.push(problem),
            Err(problem) => return Err(problem),
        }
    }
    match absent.is_empty() {
        true => Ok(()),
        false => Err(none_deleted(&absent, oids.len())),
    }
}

fn none_deleted(absent: &[Problem], count: usize) -> Problem {
    let named = absent.iter().take(NAMED_MAX).map(|problem| problem.message.clone());
    let more = absent.len().saturating_sub(NAMED_MAX);
    let more = (more > 0).then(|| format!("and {more} more"));
    let message = format!(
        "{} of {count} objects cannot be deleted, and none was: {}",
        absent.len(),
        named.chain(more).collect::<Vec<_>>().join("; ")
    );
    Problem::refused("not_found", &absent[0].subject, message)
        .next("name only objects that are there; `respool object list` shows them")
}

fn request(oid: &Oid) -> ObjectRequest {
    ObjectRequest {
        oid: oid.clone(),
        version: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oids(names: &[&str]) -> Vec<Oid> {
        names.iter().map(|name| Oid::new((*name).to_owned()).unwrap()).collect()
    }

    /// A command that names an object which is deleted already deletes none.
    #[test]
    fn what_may_be_deleted_already_is_no_word_of_the_next_command() {
        let all = Deleted::default();
        let three = oids(&["a", "b", "c"]);
        let why = Problem::environment("respoold_gone", "us", "respoold", "it broke").next("repeat");
        let globals = Globals::default();
        let told = all.in_doubt(&globals, why.clone(), &three[1..], 3);
        assert_eq!(
            told.message,
            "it broke; 0 of 3 objects were deleted before this, and 'b' may be deleted, too"
        );
        assert_eq!(
            told.next,
            "repeat; then `respool object show b` tells whether it is there still; then `respool delete c` deletes the others"
        );
        assert_eq!((told.exit, &*told.code), (exit::ENVIRONMENT, "respoold_gone"));
        let last = all.in_doubt(&globals, why, &three[2..], 3);
        assert!(last.next.ends_with("whether it is there still"), "{}", last.next);
    }

    #[test]
    fn an_interrupted_deletion_names_the_rest() {
        let told = Deleted::default().interrupted(&Globals::default(), &oids(&["b", "c"]), 3);
        let next = "`respool delete b c` deletes the others";
        assert_eq!((told.exit, &*told.next), (exit::STOPPED, next));
        assert!(told.message.ends_with("0 of 3 objects are deleted"), "{told}");
    }
}
