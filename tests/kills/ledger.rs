//! What every object may be. An operation that was acknowledged leaves one answer; one whose acknowledgement never came
//! leaves two until somebody looks.

use super::house::filling;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes, told by the number they are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    pub seed: u64,
    pub bytes: usize,
}

impl Content {
    pub fn bytes(self) -> Vec<u8> {
        filling(self.seed, self.bytes)
    }
}

/// None: there is no such object.
pub type State = Option<Content>;

/// Every object by name, with the states it may be in: one when it is known.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<BTreeMap<String, Vec<State>>>);

impl Ledger {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Vec<State>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An object is in this state.
    pub fn is(&self, oid: &str, state: State) {
        self.all().insert(oid.to_owned(), vec![state]);
    }

    /// Nobody knows whether it changed to this state.
    pub fn may_be(&self, oid: &str, state: State) {
        let mut all = self.all();
        let states = all.entry(oid.to_owned()).or_insert_with(|| vec![None]);
        if !states.contains(&state) {
            states.push(state);
        }
    }

    /// The state of an object, when it is known.
    pub fn known(&self, oid: &str) -> Option<State> {
        match self.all().get(oid).map(Vec::as_slice) {
            None => Some(None),
            Some([state]) => Some(*state),
            Some(_) => None,
        }
    }

    /// Compares what was read (None: there is none). From then on it is known.
    pub fn saw(&self, oid: &str, read: Option<&[u8]>) -> Result<(), String> {
        let states = self.all().get(oid).cloned().unwrap_or_else(|| vec![None]);
        let fits = |state: &&State| match (state, read) {
            (None, None) => true,
            (Some(content), Some(read)) => content.bytes == read.len() && content.bytes() == read,
            _ => false,
        };
        match states.iter().find(fits) {
            Some(state) => {
                self.is(oid, *state);
                Ok(())
            }
            None => {
                let found = read.map(<[u8]>::len);
                Err(format!("{oid}: it is {found:?} bytes, and may be {states:?}"))
            }
        }
    }

    /// Every name that was ever given.
    pub fn names(&self) -> Vec<String> {
        self.all().keys().cloned().collect()
    }

    /// How many objects there are; all must be known.
    pub fn live(&self) -> Vec<String> {
        let all = self.all();
        let live = all.iter().filter(|(_, states)| states.iter().any(Option::is_some));
        live.map(|(oid, _)| oid.clone()).collect()
    }
}
