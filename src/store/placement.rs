//! Decides how an object is cut and which media may take it. Pure: never asks a medium, never reserves anything. Called
//! by put sessions before they ask the scheduler.

use dss::model::{ByteCount, Medium, MediumId};
use lrs::core::WriteWant;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// A medium and the room that the catalogue believes it has; None: only its file system knows.
#[derive(Clone, Debug)]
pub struct Stock {
    /// The medium.
    pub medium: Medium,
    /// Its room.
    pub free: Option<ByteCount>,
}

/// Whether an object may lie on more than one medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Spread {
    /// Every copy lies whole on one medium.
    #[default]
    Whole,
    /// A copy may continue on another medium (`--split`).
    Split,
}

/// What is to be placed.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// The sizes of the object's extents, in order.
    pub extents: &'a [ByteCount],
    /// How many copies.
    pub copies: usize,
    /// Only media that carry all of these.
    pub tags: &'a BTreeSet<String>,
    /// Media that carry it already come first.
    pub grouping: Option<&'a str>,
    /// Whether it may lie on several media.
    pub spread: Spread,
    /// How many bytes will probably follow in the same allocation, these included.
    pub ahead: ByteCount,
}

/// What to ask the scheduler for, and which want holds which extent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// One want per medium needed.
    pub wants: Vec<WriteWant>,
    /// Per copy and extent: the want that takes it.
    pub route: Vec<Vec<usize>>,
}

/// Why an object cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPlace {
    /// How many copies were asked for.
    pub copies: usize,
    /// How many media could take one.
    pub possible: usize,
    /// The room each needs.
    pub needed: ByteCount,
    /// How much is missing on the roomiest of those that are too small.
    pub missing: Option<ByteCount>,
    /// Each unfit medium with the reason against it.
    pub against: Vec<String>,
}

impl std::fmt::Display for NoPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} of {} copies can be placed, each needing {} bytes on a medium of its own",
            self.possible, self.copies, self.needed.0
        )?;
        if let Some(missing) = self.missing {
            write!(
                f,
                "; {} bytes are missing on the roomiest medium that is too small",
                missing.0
            )?;
        }
        match self.against.is_empty() {
            true => write!(f, "; there are no other media"),
            false => write!(f, "; {} media cannot: {}", self.against.len(), self.against.join("; ")),
        }
    }
}

/// The sizes of the extents of an object: as large as may be. An object without bytes has one extent without bytes.
pub fn cut(bytes: ByteCount, extent_max: ByteCount) -> Vec<ByteCount> {
    let most = extent_max.0.max(1);
    let mut rest = bytes.0;
    let mut sizes = Vec::new();
    while rest > most {
        sizes.push(ByteCount(most));
        rest -= most;
    }
    sizes.push(ByteCount(rest));
    sizes
}

/// Chooses candidates for every copy.
pub fn plan(stock: &[Stock], order: &Order<'_>) -> Result<Plan, NoPlace> {
    let (fit, mut against) = fitting(stock, order);
    match order.spread {
        Spread::Whole => whole(&fit, order, &mut against),
        Spread::Split => split(&fit, order, &mut against),
    }
    .map_err(|(possible, missing)| NoPlace {
        copies: order.copies,
        possible,
        needed: order.extents.iter().copied().sum(),
        missing,
        against,
    })
}

/// Whether a running allocation still suits objects of this grouping: its media carry it, or none that may take extents
/// does.
pub fn suits(stock: &[Stock], targets: &[MediumId], grouping: Option<&str>) -> bool {
    let Some(grouping) = grouping else { return true };
    let carries = |stock: &&Stock| stock.medium.groupings.contains(grouping);
    let carriers: Vec<&Stock> = stock
        .iter()
        .filter(|stock| stock.medium.may_take_extents().is_ok())
        .filter(carries)
        .collect();
    carriers.is_empty()
        || targets
            .iter()
            .all(|id| carriers.iter().any(|stock| stock.medium.id == *id))
}

/// Media that may take extents and carry the tags, in order of preference; and why the others may not.
fn fitting<'a>(stock: &'a [Stock], order: &Order<'_>) -> (Vec<&'a Stock>, Vec<String>) {
    let mut fit = Vec::new();
    let mut against = Vec::new();
    for item in stock {
        let lacks = order.tags.difference(&item.medium.tags).next();
        match (item.medium.may_take_extents(), lacks) {
            (Err(reason), _) => against.push(format!("{}: {reason}", item.medium.name)),
            (Ok(()), Some(tag)) => against.push(format!("{}: lacks tag {tag}", item.medium.name)),
            (Ok(()), None) => fit.push(item),
        }
    }
    fit.sort_by_key(|item| {
        let carries = order
            .grouping
            .is_some_and(|grouping| item.medium.groupings.contains(grouping));
        (Reverse(carries), Reverse(item.free), item.medium.name.clone())
    });
    (fit, against)
}

type Shortage = (usize, Option<ByteCount>);

fn whole(fit: &[&Stock], order: &Order<'_>, against: &mut Vec<String>) -> Result<Plan, Shortage> {
    let needed: ByteCount = order.extents.iter().copied().sum();
    let mut candidates = Vec::new();
    let mut missing: Option<ByteCount> = None;
    for item in fit {
        match item.free {
            Some(free) if free < needed => {
                against.push(format!("{}: {} bytes free", item.medium.name, free.0));
                let lack = needed - free;
                missing = Some(missing.map_or(lack, |least| least.min(lack)));
            }
            Some(_) | None => candidates.push(item.medium.id),
        }
    }
    if candidates.len() < order.copies {
        return Err((candidates.len(), missing));
    }
    let want = WriteWant {
        candidates,
        bytes: order.ahead.max(needed),
        at_least: needed,
    };
    Ok(Plan {
        wants: vec![want; order.copies],
        route: (0..order.copies).map(|copy| vec![copy; order.extents.len()]).collect(),
    })
}

/// Fills one medium after the other; each belongs to one copy only (I10).
fn split(fit: &[&Stock], order: &Order<'_>, against: &mut Vec<String>) -> Result<Plan, Shortage> {
    let mut shelf = fit.iter();
    let mut plan = Plan {
        wants: Vec::new(),
        route: Vec::new(),
    };
    for copy in 0..order.copies {
        let mut route = Vec::new();
        while route.len() < order.extents.len() {
            let rest = &order.extents[route.len()..];
            let Some(item) = shelf.next() else {
                return Err((copy, Some(rest.iter().copied().sum())));
            };
            let (count, taken) = fill(rest, item.free);
            if count == 0 {
                against.push(format!("{}: no room for one whole extent", item.medium.name));
                continue;
            }
            route.extend(std::iter::repeat_n(plan.wants.len(), count));
            plan.wants.push(WriteWant {
                candidates: vec![item.medium.id],
                bytes: taken,
                at_least: taken,
            });
        }
        plan.route.push(route);
    }
    Ok(plan)
}

/// How many of these extents fit, and their bytes.
fn fill(extents: &[ByteCount], free: Option<ByteCount>) -> (usize, ByteCount) {
    let mut taken = ByteCount::ZERO;
    let mut count = 0;
    for bytes in extents {
        if free.is_some_and(|free| taken + *bytes > free) {
            break;
        }
        taken += *bytes;
        count += 1;
    }
    (count, taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::{AdmState, Family, FsState, Generation, Health, Location, MediumFormat, Presence, Revision};
    use jiff::Timestamp;

    fn stock(name: &str, free: Option<u64>) -> Stock {
        Stock {
            medium: Medium {
                id: MediumId::fresh(),
                name: name.to_owned(),
                family: Family::Dir,
                technology: "dir".to_owned(),
                format: MediumFormat::Respool,
                location: Location {
                    path: format!("/{name}"),
                    dock: None,
                    library: None,
                },
                tags: BTreeSet::new(),
                groupings: BTreeSet::new(),
                class: None,
                adm_state: AdmState::InService,
                locked: false,
                health: Health::Ok,
                presence: Presence::Attached,
                fs_state: FsState::Used,
                generation: Generation(0),
                capacity: None,
                revision: Revision(0),
                quarantined_until: None,
                standing: dss::model::Standing::Level,
                emptied_by: None,
                doubts: 0,
                created_at: Timestamp::UNIX_EPOCH,
            },
            free: free.map(ByteCount),
        }
    }

    fn order<'a>(extents: &'a [ByteCount], tags: &'a BTreeSet<String>, copies: usize) -> Order<'a> {
        Order {
            extents,
            copies,
            tags,
            grouping: None,
            spread: Spread::Whole,
            ahead: ByteCount::ZERO,
        }
    }

    #[test]
    fn an_object_is_cut_into_extents_as_large_as_may_be() {
        let sizes = |bytes, most| {
            cut(ByteCount(bytes), ByteCount(most))
                .iter()
                .map(|size| size.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(0, 10), [0]);
        assert_eq!(sizes(10, 10), [10]);
        assert_eq!(sizes(21, 10), [10, 10, 1]);
    }

    #[test]
    fn the_same_grouping_comes_first_then_the_most_free() {
        let mut media = [stock("a", Some(10)), stock("b", Some(30)), stock("c", Some(20))];
        media[0].medium.groupings.insert("g".to_owned());
        let tags = BTreeSet::new();
        let extents = [ByteCount(5)];
        let mut order = order(&extents, &tags, 2);
        order.grouping = Some("g");
        let plan = plan(&media, &order).unwrap();
        let [a, b, c] = [0, 1, 2].map(|index: usize| media[index].medium.id);
        assert_eq!(plan.wants[0].candidates, [a, b, c]);
        assert_eq!(plan.route, [[0], [1]]);
    }

    #[test]
    fn a_refusal_names_every_medium_with_its_reason_and_the_bytes_missing() {
        let mut media = [
            stock("a", Some(100)),
            stock("b", Some(3)),
            stock("c", Some(100)),
            stock("d", Some(100)),
        ];
        media[2].medium.locked = true;
        media[0].medium.tags.insert("fast".to_owned());
        media[1].medium.tags.insert("fast".to_owned());
        media[2].medium.tags.insert("fast".to_owned());
        let tags = BTreeSet::from(["fast".to_owned()]);
        let no = plan(&media, &order(&[ByteCount(10)], &tags, 2)).unwrap_err();
        assert_eq!((no.possible, no.missing), (1, Some(ByteCount(7))));
        assert_eq!(no.against, ["c: locked", "d: lacks tag fast", "b: 3 bytes free"]);
    }

    #[test]
    fn a_split_object_gives_every_medium_to_one_copy_only() {
        let media = [
            stock("a", Some(20)),
            stock("b", Some(20)),
            stock("c", Some(30)),
            stock("d", Some(5)),
        ];
        let tags = BTreeSet::new();
        let extents = [ByteCount(10); 3];
        let mut wanted = order(&extents, &tags, 2);
        wanted.spread = Spread::Split;
        let plan = plan(&media, &wanted).unwrap();
        assert_eq!(plan.route, [vec![0, 0, 0], vec![1, 1, 2]]);
        let wants: Vec<_> = plan
            .wants
            .iter()
            .map(|want| (want.candidates[0], want.at_least.0))
            .collect();
        assert_eq!(
            wants,
            [
                (media[2].medium.id, 30),
                (media[0].medium.id, 20),
                (media[1].medium.id, 10)
            ]
        );
    }

    #[test]
    fn an_allocation_is_kept_unless_another_medium_carries_the_grouping() {
        let mut media = [stock("a", None), stock("b", None)];
        let targets = [media[0].medium.id];
        assert!(suits(&media, &targets, None) && suits(&media, &targets, Some("g")));
        media[1].medium.groupings.insert("g".to_owned());
        assert!(!suits(&media, &targets, Some("g")));
        media[0].medium.groupings.insert("g".to_owned());
        assert!(suits(&media, &targets, Some("g")));
    }
}
