//! Tables and indexes that are copied when written and shared when not: a snapshot costs a few reference counts, a
//! transaction copies only the tables it touches, and rows are never copied but when changed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;
use std::sync::Arc;

/// Rows by key.
#[derive(Debug)]
pub(super) struct Table<K, V>(Arc<BTreeMap<K, Arc<V>>>);

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Ord, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(Arc::as_ref)
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        if !self.0.contains_key(key) {
            return None;
        }
        Arc::make_mut(&mut self.0).get_mut(key).map(Arc::make_mut)
    }

    pub(super) fn insert(&mut self, key: K, row: V) {
        Arc::make_mut(&mut self.0).insert(key, Arc::new(row));
    }

    pub(super) fn remove(&mut self, key: &K) {
        if self.0.contains_key(key) {
            Arc::make_mut(&mut self.0).remove(key);
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, row)| (key, row.as_ref()))
    }

    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.values().map(Arc::as_ref)
    }

    pub(super) fn range(&self, range: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.0.range(range).map(|(key, row)| (key, row.as_ref()))
    }

    pub(super) fn last_key(&self) -> Option<&K> {
        self.0.keys().next_back()
    }
}

/// Keys without rows.
#[derive(Debug)]
pub(super) struct Index<K>(Arc<BTreeSet<K>>);

impl<K> Clone for Index<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Ord> Default for Index<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Ord + Clone> Index<K> {
    pub(super) fn insert(&mut self, key: K) {
        Arc::make_mut(&mut self.0).insert(key);
    }

    pub(super) fn remove(&mut self, key: &K) {
        Arc::make_mut(&mut self.0).remove(key);
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.0.contains(key)
    }

    pub(super) fn range(&self, range: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = &K> {
        self.0.range(range)
    }
}
