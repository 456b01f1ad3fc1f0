//! Clients: what they ask of respoold, and what they write down of its answers.

use super::ledger::{Came, Mark};
use super::life::Life;
use super::operators::{away, job, migrate, serve, submit, trust, usurp};
use super::rules::look;
use super::scenario::{Act, Actor, Parcel};
use super::world::There;
use crate::chance::{Chance, mix};
use bytes::Bytes;
use dss::catalogue::{Adopt, Catalogue, MediumChange, ObjectFilter, Overwrite};
use dss::model::{Blake3, ByteCount, MediumId, Metadata, Oid, Version};
use respool::api::Problem;
use respool::api::requests::{PutHeader, StreamEnd};
use respool::store;
use respool::store::put::{PutFrame, PutOptions, PutResult, PutSession};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub async fn run(life: Arc<Life>, number: usize, actor: Actor) {
    for (pause, act) in actor {
        tokio::time::sleep(pause).await;
        life.world.say(|| format!("actor {number}: {act:?}"));
        one(&life, act).await;
    }
}

/// The bytes that go by a number.
pub fn content(seed: u64, number: u64, bytes: usize) -> Vec<u8> {
    let mut chance = Chance::new(mix(seed, 5_000_000 + number));
    let mut made = Vec::with_capacity(bytes + 8);
    while made.len() < bytes {
        made.extend_from_slice(&chance.next().to_le_bytes());
    }
    made.truncate(bytes);
    made
}

fn digest(bytes: &[u8]) -> Blake3 {
    Blake3(*blake3::hash(bytes).as_bytes())
}

fn oid(name: &str) -> Oid {
    Oid::new(name).expect("a good name")
}

impl Life {
    /// What respoold tells of is never its own bug.
    pub fn hear(&self, asked: &str, problem: &Problem) {
        self.world
            .say(|| format!("{asked}: {} (exit {}): {}", problem.code, problem.exit, problem.message));
        if problem.exit == 70 || problem.code == "bug" {
            self.world.broken(format!("{asked} ends in a bug: {}", problem.message));
        }
        if problem.message.is_empty() {
            self.world.broken(format!("{asked} fails without a word"));
        }
    }

    pub fn heard<T>(&self, asked: &str, answer: Result<T, Problem>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(problem) => {
                self.hear(asked, &problem);
                None
            }
        }
    }

    pub fn id(&self, medium: &str) -> MediumId {
        look(self.world.catalogue.medium(medium))
            .expect("a medium of this run")
            .id
    }

    pub async fn change(&self, medium: &str, change: MediumChange) -> Result<(), Problem> {
        let id = self.host.catalogue.medium(medium).await?.id;
        self.host
            .catalogue
            .change_medium(id, change, self.host.clock.now())
            .await?;
        Ok(self.host.lrs.medium_changed(id).await?)
    }
}

async fn one(life: &Arc<Life>, act: Act) {
    match act {
        Act::Put(parcels, gone) => put(life, parcels, gone).await,
        Act::Get(name, gone) => get(life, &name, gone).await,
        Act::Delete(name) => mark(life, &name, Mark::Delete).await,
        Act::Undelete(name) => mark(life, &name, Mark::Undelete).await,
        Act::List => list(life).await,
        Act::Repack(repack) => {
            let answer = submit(life, repack).await;
            life.heard("repack", answer);
        }
        Act::Migrate(which, to) => {
            let answer = migrate(life, which, &to).await;
            life.heard("migrate", answer);
        }
        Act::Job(wish, which) => job(life, wish, which).await,
        Act::Lock(medium, locked) => {
            let change = MediumChange {
                locked: Some(locked),
                why: "the operator says so".to_owned(),
                ..MediumChange::default()
            };
            life.heard("lock", life.change(&medium, change).await);
        }
        Act::Trust(medium) => trust(life, &medium).await,
        Act::Serve(medium) => serve(life, &medium).await,
        Act::AcceptClock => {
            let answer = life.host.catalogue.accept_clock(life.host.clock.now()).await;
            life.heard("clock accept", answer.map_err(Problem::from));
        }
        Act::Import(medium, adopt) => {
            let adopt = if adopt { Adopt::Yes } else { Adopt::No };
            life.heard("import", store::import::import(&life.host, &medium, adopt).await);
        }
        Act::Gone(medium, span) => away(life, &medium, There::Nothing, span).await,
        Act::Swapped(medium, span) => away(life, &medium, There::Another, span).await,
        Act::CutOff(span) => life.world.cut_off(span),
        Act::Usurped(medium) => usurp(life, &medium).await,
        Act::Clock(millis) => life.world.set_clock(millis),
    }
}

// ------------------------------------------------------------------------------------------------------------- clients

/// What was begun and not answered: its name, its line in the ledger, its bytes.
type Due = VecDeque<(String, Option<usize>, Blake3)>;

/// One stream of puts.
pub async fn put(life: &Arc<Life>, parcels: Vec<Parcel>, gone: Option<usize>) {
    let mut session = PutSession::begin(&life.host, PutOptions::default());
    let (mut due, mut sent) = (Due::new(), 0);
    for parcel in parcels {
        let bytes = content(life.world.seed, parcel.content, parcel.bytes);
        let (name, held) = (parcel.name.clone(), digest(&bytes));
        let line = life.world.ledger(|ledger, order| ledger.put_begins(&name, held, order));
        due.push_back((name, line, held));
        for frame in frames(&parcel, &bytes, held) {
            if gone == Some(sent) {
                // What was not answered may have happened.
                return drop(session);
            }
            sent += 1;
            tokio::time::sleep(Duration::from_millis(sent as u64 % 3)).await;
            match session.feed(frame).await {
                Ok(results) => results.into_iter().for_each(|result| answered(life, &mut due, result)),
                Err(problem) => {
                    life.hear("put", &problem);
                    return drop(session);
                }
            }
        }
    }
    for result in session.finish().await {
        answered(life, &mut due, result);
    }
    if !due.is_empty() {
        life.world
            .broken(format!("a stream of puts ended without an answer to {due:?}"));
    }
}

fn answered(life: &Life, due: &mut Due, result: PutResult) {
    let Some((name, line, held)) = due.pop_front() else {
        return life.world.broken(format!("an answer nobody waits for: {result:?}"));
    };
    if name != result.oid.as_str() {
        life.world.broken(format!("the answer to {name} is {result:?}"));
    }
    let came = match &result.outcome {
        Ok(stored) => Came::Done(stored.object.version),
        Err(failure) => {
            life.hear(&format!("put of {name}"), &failure.problem);
            match failure.problem.exit {
                2 => Came::Refused,
                _ => Came::Failed,
            }
        }
    };
    life.world.say(|| format!("put of {name} ({held}): {came:?}"));
    if let Some(line) = line {
        life.world
            .ledger(|ledger, order| ledger.put_ends(&name, line, came, order));
    }
}

fn frames(parcel: &Parcel, bytes: &[u8], held: Blake3) -> Vec<PutFrame> {
    let header = PutHeader {
        oid: oid(&parcel.name),
        bytes: ByteCount(bytes.len() as u64),
        copies: Some(parcel.copies),
        overwrite: if parcel.overwrite {
            Overwrite::NewVersion
        } else {
            Overwrite::Refuse
        },
        tags: BTreeSet::new(),
        grouping: parcel.grouping.clone(),
        metadata: Metadata::default(),
    };
    let mut frames = vec![PutFrame::Begin(Box::new(header))];
    let pieces = bytes.chunks(13 << 10).map(Bytes::copy_from_slice);
    frames.extend(pieces.map(PutFrame::Data));
    frames.push(PutFrame::End(StreamEnd {
        bytes: ByteCount(bytes.len() as u64),
        blake3: held,
    }));
    frames
}

/// Reads a version whole; what came, and of which version it is.
pub async fn read(life: &Life, name: &str, version: Option<Version>) -> Result<(Version, Vec<u8>), Problem> {
    let mut stream = store::get::open(&life.host, &oid(name), version).await?;
    let version = stream.object().version;
    let mut all = Vec::new();
    while let Some(piece) = stream.next().await {
        all.extend_from_slice(&piece?);
    }
    Ok((version, all))
}

async fn get(life: &Arc<Life>, name: &str, gone: bool) {
    if gone {
        if let Ok(mut stream) = store::get::open(&life.host, &oid(name), None).await {
            let _ = stream.next().await;
        }
        return;
    }
    let begun = life.world.order();
    let answer = read(life, name, None).await;
    let wrong = life.world.ledger(|ledger, _| {
        let page = ledger.pages.entry(name.to_owned()).or_default();
        match &answer {
            Ok((version, bytes)) if !page.may_be(*version, digest(bytes)) => Some(format!(
                "a get of {name} gave version {version} with bytes that are not its own"
            )),
            Ok((version, _)) => page
                .must_have(begun)
                .filter(|least| version < least)
                .map(|least| format!("a get of {name} gave version {version}, and {least} was acknowledged before")),
            Err(problem) if problem.exit == 2 && problem.code == "not_found" => page
                .must_have(begun)
                .map(|least| format!("a get did not find {name}, of which version {least} was acknowledged")),
            Err(_) => None,
        }
    });
    if let Some(Some(wrong)) = wrong {
        life.world.broken(wrong);
    }
    match answer {
        Ok((version, bytes)) => life
            .world
            .say(|| format!("get of {name}: version {version}, {} bytes", bytes.len())),
        Err(problem) => life.hear(&format!("get of {name}"), &problem),
    }
}

async fn mark(life: &Arc<Life>, name: &str, what: Mark) {
    let Some(line) = life.world.ledger(|ledger, order| ledger.mark_begins(name, what, order)) else {
        return;
    };
    let answer = match what {
        Mark::Delete => store::delete::delete(&life.host, &oid(name)).await,
        Mark::Undelete => store::delete::undelete(&life.host, &oid(name)).await,
    };
    let came = match &answer {
        Ok(object) => Came::Done(object.version),
        Err(problem) => {
            life.hear(&format!("{what:?} of {name}"), problem);
            match problem.exit {
                2 => Came::Refused,
                _ => Came::Failed,
            }
        }
    };
    life.world.say(|| format!("{what:?} of {name}: {came:?}"));
    life.world
        .ledger(|ledger, order| ledger.mark_ends(name, line, came, order));
}

async fn list(life: &Arc<Life>) {
    let filter = ObjectFilter {
        prefix: None,
        deleted: false,
    };
    let mut objects = store::list::Objects::new(&life.host, filter);
    let mut names = BTreeSet::new();
    loop {
        match objects.next().await {
            Ok(page) if page.is_empty() => return,
            Ok(page) => {
                for detail in page {
                    if !names.insert(detail.object.oid.clone()) {
                        life.world.broken(format!("{} is listed twice", detail.object.oid));
                    }
                }
            }
            Err(problem) => return life.hear("list", &problem),
        }
    }
}
