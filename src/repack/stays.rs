//! What a round does not move, and why: told by a plan, extent by extent.

use super::manifest::{Item, LeftOut, Manifest};
use super::plan::{Lack, Plan};
use dss::model::ExtentId;
use std::fmt;

/// Why an extent is not moved in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// The manifest leaves it out.
    LeftOut(LeftOut),
    /// It finds no place.
    Unplaced(Lack),
    /// It is moved in a later round.
    Later,
}

impl Stay {
    /// Whether it goes with the old bytes of its medium; else it stays.
    pub fn is_dropped(self) -> bool {
        self == Self::LeftOut(LeftOut::Dropped)
    }
}

impl fmt::Display for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut(why) => why.fmt(f),
            Self::Unplaced(lack) => lack.fmt(f),
            Self::Later => f.write_str("moved in a later round, when other media are in the drives"),
        }
    }
}

/// Everything that is not moved, as small as it was planned.
#[derive(Clone, Debug, Default)]
pub struct Stays {
    left_out: Vec<(Item, LeftOut)>,
    unplaced: Vec<(ExtentId, Lack)>,
    later: Vec<ExtentId>,
}

impl Stays {
    /// What the manifest leaves out and the plan does not place in this round.
    pub fn of(manifest: &mut Manifest, plan: &mut Plan) -> Self {
        Self {
            left_out: std::mem::take(&mut manifest.left_out),
            unplaced: std::mem::take(&mut plan.unplaced),
            later: std::mem::take(&mut plan.later),
        }
    }

    /// Each with the reason.
    pub fn reasons(&self) -> impl Iterator<Item = (ExtentId, Stay)> {
        let left = self.left_out.iter();
        let left = left.map(|(item, why)| (item.extent, Stay::LeftOut(*why)));
        let unplaced = self.unplaced.iter();
        let unplaced = unplaced.map(|(extent, lack)| (*extent, Stay::Unplaced(*lack)));
        let later = self.later.iter().map(|extent| (*extent, Stay::Later));
        left.chain(unplaced).chain(later)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::{ByteCount, CopyNo, ObjectId};

    #[test]
    fn only_what_is_left_out_to_be_dropped_is_dropped_and_the_rest_stays() {
        let item = Item {
            extent: ExtentId::fresh(),
            object: ObjectId::fresh(),
            copy: CopyNo(0),
            bytes: ByteCount(1),
            source: 0,
            avoid: 0,
            grouping: 0,
            deleted_only: true,
            spot: None,
        };
        let reasons = [LeftOut::Dropped, LeftOut::NotAsked, LeftOut::Skipped];
        let mut manifest = Manifest {
            left_out: reasons.map(|why| (item, why)).to_vec(),
            ..Manifest::default()
        };
        let mut plan = Plan {
            unplaced: vec![(item.extent, Lack::Room(ByteCount(2 << 30)))],
            later: vec![item.extent],
            ..Plan::default()
        };
        let stays = Stays::of(&mut manifest, &mut plan);
        let whys: Vec<Stay> = stays.reasons().map(|(_, why)| why).collect();
        let dropped: Vec<bool> = whys.iter().map(|why| why.is_dropped()).collect();
        assert_eq!(dropped, [true, false, false, false, false]);
        // In units that people read.
        assert_eq!(whys[3].to_string(), "2.0 GiB missing on the roomiest target");
    }
}
