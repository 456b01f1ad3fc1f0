//! What a power cut leaves of a file: pages, one by one, and a size.

use super::File;
use crate::chance::Chance;

/// The device takes writes in pieces of this size.
pub(super) const PAGE: u64 = 4096;

impl File {
    pub(super) fn after_cut(&self, kept: usize, chance: &mut Chance) -> Self {
        let mut left = self.durable.clone();
        let mut sizes = vec![left.len()];
        for (offset, bytes) in &self.writes {
            for (at, piece) in pages(*offset, bytes) {
                if chance.quarters(kept) && !self.wear.loses(at) {
                    lay(&mut left, at, piece);
                }
            }
            sizes.push(sizes[sizes.len() - 1].max(*offset as usize + bytes.len()));
        }
        // The size comes down apart from the bytes: zeros where it came alone, nothing where it did not come.
        let size = match kept {
            0 => sizes[0],
            4 => sizes[sizes.len() - 1],
            _ => sizes[chance.below(sizes.len())],
        };
        left.resize(size, 0);
        Self {
            durable: left.clone(),
            now: left,
            writes: Vec::new(),
            wear: self.wear.after_cut(),
        }
    }
}

pub(super) fn lay(onto: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + bytes.len());
    onto.resize(onto.len().max(end), 0);
    onto[start..end].copy_from_slice(bytes);
}

/// A write, cut where the device's pages end.
pub(super) fn pages(offset: u64, bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let (mut at, mut rest, mut pieces) = (offset, bytes, Vec::new());
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(((PAGE - at % PAGE) as usize).min(rest.len()));
        pieces.push((at, piece));
        (at, rest) = (at + piece.len() as u64, more);
    }
    pieces
}
