//! Cuts a medium's index into batches in which every name is whole: all versions and all extents of an object come to the
//! catalogue together, so that it can tell complete copies from parts and the newest version from older ones. Pure.

use dss::model::Oid;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A batch is handed out when it has so many entries. A name with more makes a larger one.
pub const BATCH: usize = 2_000;

/// How often each name occurs, under a hash: two names that share one wait for each other, which does no harm. Costs a
/// few bytes a name, where the names themselves would be too much for the largest media.
#[derive(Debug, Default)]
pub struct Census {
    counts: BTreeMap<u64, u32>,
}

impl Census {
    /// Counts one entry.
    pub fn count(&mut self, oid: &Oid) {
        *self.counts.entry(hash(oid)).or_default() += 1;
    }
}

/// Entries that wait for the rest of their name.
#[derive(Debug)]
pub struct Batches<T> {
    census: Census,
    waiting: BTreeMap<u64, Vec<T>>,
    ready: Vec<T>,
}

impl<T> Batches<T> {
    /// Over an index that was counted before.
    pub fn new(census: Census) -> Self {
        Self {
            census,
            waiting: BTreeMap::new(),
            ready: Vec::new(),
        }
    }

    /// Takes the next entry; answers a batch when one is full.
    pub fn push(&mut self, oid: &Oid, entry: T) -> Option<Vec<T>> {
        let key = hash(oid);
        let group = self.waiting.entry(key).or_default();
        group.push(entry);
        let expected = self.census.counts.get(&key).copied().unwrap_or(0);
        if group.len() >= expected as usize {
            self.ready.append(&mut self.waiting.remove(&key).expect("just filled"));
        }
        (self.ready.len() >= BATCH).then(|| std::mem::take(&mut self.ready))
    }

    /// What is left at the end. Names that are not whole by then changed since they were counted.
    pub fn finish(mut self) -> Vec<T> {
        self.waiting
            .into_values()
            .for_each(|mut group| self.ready.append(&mut group));
        self.ready
    }
}

fn hash(oid: &Oid) -> u64 {
    let mut hasher = DefaultHasher::new();
    oid.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_in_two_batches() {
        let oids: Vec<Oid> = (0..3000).map(|n| Oid::new(format!("o{}", n % 1300)).unwrap()).collect();
        let mut census = Census::default();
        oids.iter().for_each(|oid| census.count(oid));
        let mut batches = Batches::new(census);
        let mut all: Vec<Vec<Oid>> = oids.iter().filter_map(|oid| batches.push(oid, oid.clone())).collect();
        all.push(batches.finish());
        assert_eq!(all.iter().map(Vec::len).sum::<usize>(), 3000);
        let mut home = BTreeMap::new();
        for (number, batch) in all.iter().enumerate() {
            for oid in batch {
                assert_eq!(*home.entry(oid).or_insert(number), number);
            }
        }
        assert!(all.len() > 1);
    }
}
