//! What becomes of an extent whose own bytes cannot be had: it is read from another copy, each of them tried once, or
//! left where it is with every reason told (E-12).

use dss::model::{ExtentId, Medium, MediumId, Oid, Presence};
use std::collections::{BTreeMap, BTreeSet};

/// An extent that could not be read where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Of which object.
    pub oid: Oid,
    /// The medium that failed first: the source.
    pub medium: MediumId,
    /// How it failed.
    pub reason: String,
    /// Whether the source returned wrong bytes, rather than none.
    pub wrong_bytes: bool,
    /// Whether any medium returned wrong bytes or lost some.
    pub integrity: bool,
    /// What was read in vain.
    tried: BTreeSet<ExtentId>,
    /// How the other copies failed, in words.
    others: Vec<String>,
}

impl Doubt {
    /// After the first failure.
    pub fn new(oid: Oid, medium: MediumId, reason: String) -> Self {
        Self {
            oid,
            medium,
            reason,
            wrong_bytes: false,
            integrity: false,
            tried: BTreeSet::new(),
            others: Vec::new(),
        }
    }

    /// An extent of another copy was read in vain.
    pub fn failed(&mut self, extent: ExtentId, name: &str, why: &str) {
        self.tried.insert(extent);
        self.others.push(format!("the copy on {name} was read in vain: {why}"));
    }
}

/// An extent of another copy that holds the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Which.
    pub extent: ExtentId,
    /// Where.
    pub medium: MediumId,
    /// The medium's name.
    pub name: String,
    /// Why that medium cannot be read, if so.
    pub against: Option<String>,
}

/// What to do about an extent in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resort {
    /// Read this extent of another copy.
    Read(ExtentId, MediumId),
    /// Leave it where it is, for this reason.
    Leave(String),
}

/// The first copy that was not tried and can be read; else every reason there is.
pub fn resort(doubt: &Doubt, others: &[Other]) -> Resort {
    let untried = || others.iter().filter(|other| !doubt.tried.contains(&other.extent));
    if let Some(other) = untried().find(|other| other.against.is_none()) {
        return Resort::Read(other.extent, other.medium);
    }
    let mut reasons = vec![doubt.reason.clone()];
    reasons.extend(doubt.others.iter().cloned());
    reasons.extend(untried().filter_map(|other| {
        let why = other.against.as_ref()?;
        Some(format!("the copy on {} cannot be used: {why}", other.name))
    }));
    Resort::Leave(reasons.join("; "))
}

/// The medium to read next and what is read from it, one for each extent in doubt: the one that serves most of them, so
/// that media are changed as seldom as can be.
pub fn next_reader(
    resorts: &BTreeMap<ExtentId, (ExtentId, MediumId)>,
) -> Option<(MediumId, BTreeMap<ExtentId, ExtentId>)> {
    let mut served: BTreeMap<MediumId, BTreeMap<ExtentId, ExtentId>> = BTreeMap::new();
    for (extent, (other, medium)) in resorts {
        served.entry(*medium).or_default().insert(*extent, *other);
    }
    let most = served.values().map(BTreeMap::len).max()?;
    served.into_iter().find(|(_, extents)| extents.len() == most)
}

/// Why a medium cannot be read now, as far as its row tells. A missing one is looked for once more.
pub fn against_reading(medium: &Medium) -> Option<String> {
    use dss::model::AdmState;
    if medium.locked {
        return Some("locked".into());
    }
    if let AdmState::Erasing | AdmState::Dead = medium.adm_state {
        return Some(medium.adm_state.to_string());
    }
    match medium.presence {
        Presence::Attached | Presence::Missing => None,
        Presence::Near if medium.in_reach() => None,
        Presence::Near | Presence::Shelf | Presence::Unseen => {
            Some(format!("{}, last known at {}", medium.presence, medium.location.path))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubt() -> Doubt {
        Doubt::new(Oid::new("a").unwrap(), MediumId::fresh(), "EIO".into())
    }

    fn other(name: &str, against: Option<&str>) -> Other {
        Other {
            extent: ExtentId::fresh(),
            medium: MediumId::fresh(),
            name: name.into(),
            against: against.map(str::to_owned),
        }
    }

    #[test]
    fn e12_each_other_copy_is_tried_once() {
        let mut doubt = doubt();
        let others = [other("b", None), other("c", None)];
        for one in &others {
            assert_eq!(resort(&doubt, &others), Resort::Read(one.extent, one.medium));
            doubt.failed(one.extent, &one.name, "EIO too");
        }
        let Resort::Leave(why) = resort(&doubt, &others) else {
            panic!("a third time")
        };
        assert_eq!(
            why,
            "EIO; the copy on b was read in vain: EIO too; the copy on c was read in vain: EIO too"
        );
    }

    #[test]
    fn e12_a_copy_out_of_reach_is_named_and_one_in_reach_is_read() {
        let shut = other("b", Some("locked"));
        let told = resort(&doubt(), std::slice::from_ref(&shut));
        assert_eq!(told, Resort::Leave("EIO; the copy on b cannot be used: locked".into()));
        let open = other("c", None);
        assert_eq!(
            resort(&doubt(), &[shut, open.clone()]),
            Resort::Read(open.extent, open.medium)
        );
    }

    #[test]
    fn x01_without_another_copy_the_reason_stands_alone() {
        assert_eq!(resort(&doubt(), &[]), Resort::Leave("EIO".into()));
    }

    #[test]
    fn e12_the_medium_that_serves_most_is_read_next() {
        let (one, two) = (MediumId::fresh(), MediumId::fresh());
        let resorts: BTreeMap<_, _> = [one, two, two]
            .map(|medium| (ExtentId::fresh(), (ExtentId::fresh(), medium)))
            .into();
        let (medium, extents) = next_reader(&resorts).unwrap();
        assert_eq!((medium, extents.len()), (two, 2));
        assert_eq!(next_reader(&BTreeMap::new()), None);
    }
}
