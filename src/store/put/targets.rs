//! The media that a put session writes to: one allocation for all copies, kept while it suits the next object.

use super::draft::Need;
use crate::api::Problem;
use crate::api::standing::in_doubt;
use crate::host::Host;
use crate::store::placement::{self, Order, Plan, Spread, Stock};
use dss::model::{ByteCount, Epoch, Medium, MediumId};
use lrs::core::{Priority, Request, WriteGrant};
use lrs::service::Allocation;
use lrs::worker::DriveHandle;
use std::collections::{BTreeMap, BTreeSet};

/// One medium granted for write.
#[derive(Clone)]
pub struct Target {
    /// What was granted.
    pub grant: WriteGrant,
    /// What the operator calls it.
    pub name: String,
    /// The drive it is in.
    pub drive: DriveHandle,
    /// The room that is left of the grant.
    left: ByteCount,
}

/// The targets of a session.
pub struct Targets {
    allocation: Allocation,
    /// In the order of the grant.
    pub list: Vec<Target>,
    /// Per copy and extent: the number of the target. A session of whole objects uses the first entry for all.
    route: Vec<Vec<usize>>,
    spread: Spread,
    tags: BTreeSet<String>,
    /// Groupings that these media were found to suit.
    groupings: BTreeSet<String>,
}

/// What is asked for beside the object.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Whether the object may lie on several media.
    pub spread: Spread,
    /// How many bytes will probably follow.
    pub ahead: ByteCount,
}

/// What helps whatever keeps the media from taking more.
const PLAIN_WAYS: &str = "add a medium, bring one back with `respool repack`, or ask for fewer copies";
/// What helps an object of several extents beside.
const SPLIT_WAY: &str = "with `--split` its extents may lie on several media";
/// Of how many media the way out is told.
const WAYS_TOLD: usize = 2;

/// What would make media usable that the client's tags name, but for what happened to them.
fn ways_out<'a>(stock: &'a [Stock], tags: &'a BTreeSet<String>) -> impl Iterator<Item = String> + 'a {
    let named = stock.iter().filter(|item| tags.is_subset(&item.medium.tags));
    let ways = named.filter_map(|item| item.medium.may_take_extents().err()?.way_out(&item.medium.name));
    ways.take(WAYS_TOLD)
}

fn may_be_split(order: &Order<'_>) -> bool {
    order.extents.len() > 1 && order.spread == Spread::Whole
}

impl Targets {
    /// Asks for targets for an object, and for what follows it.
    pub async fn allocate(host: &Host, need: Need<'_>, wish: Wish) -> Result<Self, Problem> {
        let stock = stock(host).await?;
        let order = Order {
            extents: need.sizes,
            copies: need.copies,
            tags: need.tags,
            grouping: need.grouping,
            // One extent cannot be on two media, whatever was allowed.
            spread: match need.sizes.len() {
                1 => Spread::Whole,
                _ => wish.spread,
            },
            ahead: wish.ahead,
        };
        let Plan { wants, route } = placement::plan(&stock, &order).map_err(|no| {
            let tagged = |one: &&Stock| need.tags.is_subset(&one.medium.tags);
            let rows = stock.iter().filter(tagged).map(|one| &one.medium);
            let refused = format!("'{}' cannot be stored: {no}; nothing was stored", need.oid);
            if let Some(problem) = in_doubt(rows, &refused) {
                return problem;
            }
            Problem::refused("no_target", need.oid.as_str(), refused).next(
                ways_out(&stock, order.tags)
                    .chain([PLAIN_WAYS.to_owned()])
                    .chain(may_be_split(&order).then(|| SPLIT_WAY.to_owned()))
                    .collect::<Vec<_>>()
                    .join("; or "),
            )
        })?;
        let request = Request {
            purpose: format!("put of {}", need.oid),
            priority: Priority::Put,
            reads: Vec::new(),
            writes: wants,
            exclusive: Vec::new(),
        };
        let allocation = host.lrs.allocate(request).await?;
        let names: BTreeMap<MediumId, &str> = stock.iter().map(|s| (s.medium.id, s.medium.name.as_str())).collect();
        let list = allocation
            .grant()
            .writes
            .iter()
            .map(|grant| Target {
                drive: allocation.volume(grant.medium),
                name: names
                    .get(&grant.medium)
                    .map_or_else(|| grant.medium.to_string(), |name| (*name).to_owned()),
                left: grant.bytes,
                grant: grant.clone(),
            })
            .collect();
        Ok(Self {
            allocation,
            list,
            route,
            spread: order.spread,
            tags: need.tags.clone(),
            groupings: need.grouping.map(str::to_owned).into_iter().collect(),
        })
    }

    /// Whether another object can follow in the same allocation. One that spans media never shares it.
    pub async fn suit(&mut self, host: &Host, need: Need<'_>) -> Result<bool, Problem> {
        let roomy = self.spread == Spread::Whole
            && self.tags == *need.tags
            && self.list.len() == need.copies
            && self.list.iter().all(|target| target.left >= need.bytes);
        let Some(grouping) = need.grouping else {
            return Ok(roomy);
        };
        if !roomy || self.groupings.contains(grouping) {
            return Ok(roomy);
        }
        let media = host.catalogue.media().await?;
        let stock: Vec<Stock> = media.into_iter().map(|medium| Stock { medium, free: None }).collect();
        let own: Vec<MediumId> = self.list.iter().map(|target| target.grant.medium).collect();
        let suits = placement::suits(&stock, &own, Some(grouping));
        if suits {
            self.groupings.insert(grouping.to_owned());
        }
        Ok(suits)
    }

    /// Counts an object's bytes against the grants.
    pub fn take(&mut self, need: Need<'_>) {
        for target in &mut self.list {
            target.left = target.left.saturating_sub(need.bytes);
        }
    }

    /// The number of the target that takes an extent.
    pub fn of(&self, copy: usize, index: usize) -> usize {
        match self.spread {
            Spread::Whole => copy,
            Spread::Split => self.route[copy][index],
        }
    }

    /// The lease epoch on each medium.
    pub fn epochs(&self) -> BTreeMap<MediumId, Epoch> {
        self.list
            .iter()
            .map(|target| (target.grant.medium, target.grant.epoch))
            .collect()
    }

    /// Whether somebody more urgent waits for these media.
    pub fn should_yield(&self) -> bool {
        self.allocation.should_yield()
    }

    /// Has a failed target mounted anew before anybody uses it again.
    pub fn distrust(&self, number: usize) {
        self.allocation.distrust(self.list[number].grant.medium);
    }

    /// Gives everything back.
    pub async fn release(self) {
        self.allocation.release().await;
    }
}

/// All media with the room that the catalogue believes them to have.
async fn stock(host: &Host) -> Result<Vec<Stock>, Problem> {
    let used = host.catalogue.used().await?;
    let stocked = |medium: Medium| {
        let used = used.get(&medium.id).copied().unwrap_or_default();
        let free = medium.capacity.map(|capacity| capacity.saturating_sub(used));
        Stock { medium, free }
    };
    Ok(host.catalogue.media().await?.into_iter().map(stocked).collect())
}
