//! Hop 5: which extents of a window still live, names for them on their targets, and their rows, *pending*. The next
//! window is prepared while one is copied.

use super::round::Round;
use super::substitute::substitution;
use crate::api::Problem;
use crate::host::Host;
use crate::mover::{Item, Misfit};
use crate::naming::{self, MOST_NAMES, MOST_RECORDS, Named, taken};
use crate::repack::plan::Assigned;
use crate::repack::substitute::Doubt;
use dss::catalogue::{CatalogueError, MoveIntent, ObjectHeader};
use dss::model::{
    Address, Epoch, Expected, Extent, ExtentId, Generation, JobError, JobId, MediumId, NewExtent, Recorded,
    Substitution,
};
use lrs::core::WriteGrant;
use lrs::ldm::MediaError;
use lrs::ldm::fs::{ExtentTag, Wanted};
use lrs::service::Allocation;
use std::collections::BTreeMap;

/// An extent of the window as the catalogue knows it now.
pub(super) struct Chosen {
    /// What is to be moved.
    pub(super) extent: Extent,
    /// What is read: the same, or its like in another copy.
    pub(super) read: Extent,
    header: ObjectHeader,
    target: MediumId,
}

impl Chosen {
    /// What goes to the target with the bytes, as this extent.
    fn tag(&self, id: ExtentId) -> ExtentTag {
        ExtentTag {
            extent: id,
            origin: self.extent.origin.clone(),
            bytes: self.extent.bytes,
            header: self.header.clone(),
        }
    }
}

/// What windows of a round are prepared with.
pub(super) struct Desk<'r> {
    pub(super) host: &'r Host,
    pub(super) job: JobId,
    pub(super) allocation: &'r Allocation,
    pub(super) round: &'r Round,
    pub(super) doubts: &'r BTreeMap<ExtentId, Doubt>,
}

/// A window that is recorded and not copied yet.
pub(super) struct Ahead {
    /// The step after its last.
    pub(super) end: usize,
    /// What is to be copied.
    pub(super) items: Vec<Item>,
    /// Its extents that nothing references any more.
    pub(super) unneeded: Vec<ExtentId>,
    /// Those that were given no name.
    pub(super) misfits: Vec<Misfit>,
}

/// What was recorded of a window.
#[derive(Default)]
pub(super) struct Recording {
    /// What is to be copied.
    pub(super) items: Vec<Item>,
    /// What got no row, as its target cannot keep what is said of it.
    pub(super) misfits: Vec<Misfit>,
}

/// Why a window could not be recorded.
#[derive(Debug)]
pub(super) enum Hindrance {
    /// A target: it is mounted and identified anew before anybody uses it again.
    Target {
        /// Which.
        medium: MediumId,
        /// What is told.
        error: JobError,
        /// Its own answer, if it gave one.
        answer: Option<MediaError>,
    },
    /// The catalogue refused, or is away.
    Catalogue(CatalogueError),
}

impl From<CatalogueError> for Hindrance {
    fn from(error: CatalogueError) -> Self {
        Self::Catalogue(error)
    }
}

impl Desk<'_> {
    /// Prepares the window of these steps while the one before it is copied. None where that fails: whoever comes to
    /// them prepares them anew, and hears why.
    pub(super) async fn ahead(&self, steps: &[Assigned], transactions: &mut u64) -> Option<Ahead> {
        if steps.is_empty() {
            return None;
        }
        let prepared = async {
            let (chosen, unneeded) = choose(self.host, self.round, steps).await?;
            let recording = match chosen.is_empty() {
                true => Recording::default(),
                false => self.record(chosen, transactions).await?,
            };
            Ok::<_, Hindrance>((recording, unneeded))
        };
        let (Recording { items, misfits }, unneeded) = match prepared.await {
            Ok(prepared) => prepared,
            Err(hindrance) => {
                tracing::info!(job = %self.job, ?hindrance, "the next window is prepared when it is its turn");
                if let Hindrance::Target {
                    medium,
                    answer: Some(error),
                    ..
                } = hindrance
                {
                    // What is copied to it meanwhile may only find its mount broken, and knows nothing of why.
                    self.host.lrs.report(medium, &error).await;
                }
                return None;
            }
        };
        Some(Ahead {
            end: self.round.next + steps.len(),
            items,
            unneeded,
            misfits,
        })
    }

    /// Names on the targets, then one transaction that inserts the new extents *pending*.
    pub(super) async fn record(&self, chosen: Vec<Chosen>, transactions: &mut u64) -> Result<Recording, Hindrance> {
        let grants: BTreeMap<MediumId, &WriteGrant> = self
            .allocation
            .grant()
            .writes
            .iter()
            .map(|grant| (grant.medium, grant))
            .collect();
        let epochs: BTreeMap<MediumId, Epoch> = grants.iter().map(|(medium, grant)| (*medium, grant.epoch)).collect();
        let (mut chosen, mut misfits) = (chosen, vec![]);
        let names = reserve(self.allocation, &chosen, 0..chosen.len()).await?;
        let mut names: Vec<Named> = names.into_values().collect();
        for attempt in 1.. {
            let (named, fitting) = sort_out(chosen, names, &mut misfits);
            chosen = fitting;
            if chosen.is_empty() {
                return Ok(Recording { items: vec![], misfits });
            }
            let intents = chosen
                .iter()
                .zip(&named)
                .map(|(one, (id, address))| MoveIntent {
                    old: one.extent.id,
                    new: new_extent(one, *id, address.clone(), grants[&one.target].generation),
                })
                .collect();
            *transactions += 1;
            let now = self.host.clock.now();
            let recorded = self.host.catalogue.record_moves(self.job, intents, &epochs, now).await;
            match recorded {
                Ok(recorded) => return self.recorded(chosen, recorded, misfits).await,
                Err(CatalogueError::Exists { what: "address", .. }) if attempt < MOST_RECORDS => {
                    names = self.rename(&chosen, named, &grants).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// What goes along with rows that were made.
    async fn recorded(
        &self,
        chosen: Vec<Chosen>,
        recorded: Vec<Recorded>,
        misfits: Vec<Misfit>,
    ) -> Result<Recording, Hindrance> {
        let other = |(one, recorded): (&Chosen, &Recorded)| {
            (one.read.id != one.extent.id)
                .then(|| substitution(self.doubts, &one.extent, recorded.extent().id, one.read.medium))?
        };
        let noted: Vec<Substitution> = chosen.iter().zip(&recorded).filter_map(other).collect();
        if !noted.is_empty() {
            self.host.catalogue.note_substitutions(self.job, &noted).await?;
        }
        let items = items(chosen, recorded);
        Ok(Recording { items, misfits })
    }

    /// Other names for those that only a row has: of an attempt of which its medium knows nothing, since respoold ended
    /// before a byte was there. The medium gives the next one, until nobody has it.
    async fn rename(
        &self,
        chosen: &[Chosen],
        named: Vec<(ExtentId, Address)>,
        grants: &BTreeMap<MediumId, &WriteGrant>,
    ) -> Result<Vec<Named>, Hindrance> {
        let mut names: Vec<Named> = named.into_iter().map(Ok).collect();
        let ground = |position: usize| {
            let target = chosen[position].target;
            (target, grants[&target].generation)
        };
        let mut asked: Vec<usize> = (0..names.len()).collect();
        for _ in 0..MOST_NAMES {
            asked = taken(&*self.host.catalogue, &names, ground, &asked).await?;
            if asked.is_empty() {
                break;
            }
            for (position, name) in reserve(self.allocation, chosen, asked.iter().copied()).await? {
                names[position] = name;
            }
        }
        Ok(names)
    }
}

/// The catalogue as it is now for the steps of a window; and the extents that nothing references.
pub(super) async fn choose(
    host: &Host,
    round: &Round,
    steps: &[Assigned],
) -> Result<(Vec<Chosen>, Vec<ExtentId>), CatalogueError> {
    let ids: Vec<ExtentId> = steps.iter().map(|step| step.item.extent).collect();
    let mut extents: BTreeMap<ExtentId, Extent> = BTreeMap::new();
    for (_, entry) in host.catalogue.references(&ids).await? {
        extents.insert(entry.extent.id, entry.extent);
    }
    let mut headers = host.catalogue.headers(&ids).await?;
    let mut others = others_now(host, round, &ids).await?;
    let mut chosen = Vec::with_capacity(steps.len());
    let mut unneeded = vec![];
    for step in steps {
        let id = step.item.extent;
        match (extents.remove(&id), headers.remove(&id)) {
            (Some(extent), Some(header)) => {
                let read = match &mut others {
                    None => extent.clone(),
                    Some(others) => match others.remove(&id) {
                        Some(other) if other.digests == extent.digests => other,
                        // It moved meanwhile: the next round finds it where it is then.
                        Some(_) | None => continue,
                    },
                };
                chosen.push(Chosen {
                    extent,
                    read,
                    header,
                    target: step.target,
                });
            }
            _ => unneeded.push(id),
        }
    }
    Ok((chosen, unneeded))
}

/// The extents of another copy that this round reads, as they are now, by the extent they stand for; None when the
/// sources themselves are read.
async fn others_now(
    host: &Host,
    round: &Round,
    ids: &[ExtentId],
) -> Result<Option<BTreeMap<ExtentId, Extent>>, CatalogueError> {
    if round.others.is_empty() {
        return Ok(None);
    }
    let wanted: Vec<ExtentId> = ids.iter().filter_map(|id| round.others.get(id).copied()).collect();
    let live = host.catalogue.references(&wanted).await?;
    let live: BTreeMap<ExtentId, Extent> = live
        .into_iter()
        .map(|(_, entry)| (entry.extent.id, entry.extent))
        .filter(|(_, extent)| round.reads.contains(&extent.medium))
        .collect();
    let pair = |id: &ExtentId| Some((*id, live.get(round.others.get(id)?)?.clone()));
    Ok(Some(ids.iter().filter_map(pair).collect()))
}

/// Those that were given a name, with it; the others are put aside.
fn sort_out(
    chosen: Vec<Chosen>,
    names: Vec<Named>,
    misfits: &mut Vec<Misfit>,
) -> (Vec<(ExtentId, Address)>, Vec<Chosen>) {
    let mut named = Vec::with_capacity(chosen.len());
    for (one, name) in chosen.into_iter().zip(names) {
        match name {
            Ok(name) => named.push((name, one)),
            Err(error) => misfits.push(Misfit {
                old: one.extent.id,
                oid: one.extent.origin.oid,
                error,
            }),
        }
    }
    named.into_iter().unzip()
}

/// Identifies every target and takes names on it for those at these positions; one trip to each drive's thread.
async fn reserve(
    allocation: &Allocation,
    chosen: &[Chosen],
    positions: impl IntoIterator<Item = usize>,
) -> Result<BTreeMap<usize, Named>, Hindrance> {
    let mut wanted: BTreeMap<MediumId, Vec<(usize, ExtentTag)>> = BTreeMap::new();
    for position in positions {
        let one = &chosen[position];
        let tag = one.tag(ExtentId::fresh());
        wanted.entry(one.target).or_default().push((position, tag));
    }
    let mut all = BTreeMap::new();
    for (medium, names) in wanted {
        let taken = allocation
            .volume(medium)
            .run(move |volume| naming::reserve(volume, names))
            .await
            .map_err(|gone| Hindrance::Target {
                medium,
                error: Problem::from(gone).into(),
                answer: None,
            })?
            .map_err(|error: MediaError| Hindrance::Target {
                medium,
                error: Problem::from(error.clone()).into(),
                answer: Some(error),
            })?;
        all.extend(taken);
    }
    Ok(all)
}

fn new_extent(one: &Chosen, id: ExtentId, address: Address, generation: Generation) -> NewExtent {
    NewExtent {
        id,
        origin: one.extent.origin.clone(),
        medium: one.target,
        generation,
        address,
        bytes: one.extent.bytes,
        digests: one.extent.digests.clone(),
    }
}

fn items(chosen: Vec<Chosen>, recorded: Vec<Recorded>) -> Vec<Item> {
    assert_eq!(chosen.len(), recorded.len(), "every intent was recorded");
    chosen
        .into_iter()
        .zip(recorded)
        .map(|(one, recorded)| {
            let new = recorded.extent();
            assert_eq!(new.bytes, one.extent.bytes, "recorded in the order of the intents");
            Item {
                old: one.extent.id,
                source: one.read.medium,
                wanted: Wanted::of(&one.read),
                expected: Expected {
                    bytes: one.extent.bytes,
                    digests: one.extent.digests.clone(),
                    hashes: recorded.hashes().to_vec(),
                },
                target: one.target,
                address: new.address.clone(),
                tag: ExtentTag {
                    extent: new.id,
                    origin: new.origin.clone(),
                    bytes: new.bytes,
                    header: one.header,
                },
                recorded,
            }
        })
        .collect()
}
