//! Long answers: one JSON value a line, so that neither side holds a list whole. Items, then what belongs to the list
//! as a whole; or items so far, then the problem that ended it.

use super::Problem;
use serde::{Deserialize, Serialize};

/// One line of a long answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line<T, E = Nothing> {
    /// The next item.
    Item(T),
    /// There are no more.
    End(E),
    /// There would be more.
    Problem(Problem),
}

/// A list with nothing beside its items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

impl<T: Serialize, E: Serialize> Line<T, E> {
    /// The line with its newline.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a result is plain JSON");
        bytes.push(b'\n');
        bytes
    }
}
