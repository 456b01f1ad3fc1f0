//! Where else the bytes of an extent may be: the other copies first, then held orphans, then the layout as it is by now.
//! Bounded: every extent is tried once, and the layout is read again only so often.

use super::Fault;
use crate::api::Problem;
use crate::api::objects::FailedRead;
use crate::host::Host;
use dss::model::object::Place;
use dss::model::{Expected, Extent, ExtentId, ExtentIndex, ObjectDetail, ObjectId};
use std::collections::{BTreeSet, VecDeque};

/// How often the layout is read again. Each time something must have moved since.
const RESOLVES: usize = 8;

/// The places of one extent of an object.
pub struct Sources {
    object: ObjectId,
    index: ExtentIndex,
    /// The one that works so far.
    present: Option<Extent>,
    ahead: VecDeque<Extent>,
    tried: BTreeSet<ExtentId>,
    failed: Vec<FailedRead>,
    /// Those that only lay elsewhere by then.
    moved: BTreeSet<ExtentId>,
    damage: bool,
    asked_fallbacks: bool,
    resolves: usize,
}

impl Sources {
    /// From the layouts as they were read.
    pub fn new(detail: &ObjectDetail, index: ExtentIndex) -> Self {
        Self {
            object: detail.object.id,
            index,
            present: None,
            ahead: candidates(detail, index),
            tried: BTreeSet::new(),
            failed: Vec::new(),
            moved: BTreeSet::new(),
            damage: false,
            asked_fallbacks: false,
            resolves: 0,
        }
    }

    /// The extent to read from: the same as long as it works.
    pub async fn next(&mut self, host: &Host, expected: &Expected) -> Result<Option<Extent>, Problem> {
        if let Some(present) = &self.present {
            return Ok(Some(present.clone()));
        }
        loop {
            while let Some(extent) = self.ahead.pop_front() {
                if may_hold(&extent, expected) && self.tried.insert(extent.id) {
                    self.present = Some(extent.clone());
                    return Ok(Some(extent));
                }
            }
            if !self.look_further(host).await? {
                return Ok(None);
            }
        }
    }

    /// The present extent did not do.
    pub fn failed(&mut self, extent: Extent, medium: String, fault: Fault) {
        self.present = None;
        self.damage |= fault.is_integrity();
        if matches!(fault, Fault::Moved) {
            self.moved.insert(extent.id);
        }
        self.failed.push(FailedRead {
            extent: extent.id,
            medium,
            reason: fault.to_string(),
        });
    }

    /// What was tried and why it did not do.
    pub fn tried(&self) -> &[FailedRead] {
        &self.failed
    }

    /// What failed; what only moved meanwhile did not.
    pub fn failed_reads(&self) -> impl Iterator<Item = &FailedRead> {
        self.failed.iter().filter(|failed| !self.moved.contains(&failed.extent))
    }

    /// Whether any place held wrong bytes.
    pub fn saw_damage(&self) -> bool {
        self.damage
    }

    async fn look_further(&mut self, host: &Host) -> Result<bool, Problem> {
        if self.resolves < RESOLVES {
            self.resolves += 1;
            let detail = host.catalogue.object_by_id(self.object).await?;
            self.ahead = candidates(&detail, self.index);
            if self.ahead.iter().any(|extent| !self.tried.contains(&extent.id)) {
                return Ok(true);
            }
            if !self.asked_fallbacks {
                self.asked_fallbacks = true;
                for copy in detail.copy_numbers() {
                    let place = Place {
                        copy,
                        index: self.index,
                    };
                    self.ahead.extend(host.catalogue.fallbacks(self.object, place).await?);
                }
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether an extent should have the bytes. What was imported and never read may have been read and moved since.
fn may_hold(extent: &Extent, expected: &Expected) -> bool {
    match &expected.digests {
        Some(known) => extent.digests.as_ref() == Some(known),
        None => extent.bytes == expected.bytes,
    }
}

fn candidates(detail: &ObjectDetail, index: ExtentIndex) -> VecDeque<Extent> {
    detail
        .entries
        .iter()
        .filter(|entry| entry.index == index)
        .map(|entry| entry.extent.clone())
        .collect()
}
