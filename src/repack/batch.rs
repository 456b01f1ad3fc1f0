//! What is recorded, synced and swapped together: a window of bounded bytes and count, so that a crash costs at most
//! one window, the ring and the extent in flight.

use super::plan::Assigned;
use dss::catalogue::SWAP_MAX;
use dss::model::ByteCount;

/// The bounds of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowBounds {
    /// At most so many bytes, unless a single extent is larger.
    pub bytes: ByteCount,
    /// At most so many extents, and never more than a swap transaction may have.
    pub extents: usize,
}

/// How many windows may be under way at the same time: one that is durable and not swapped yet, one that is copied, and
/// one that is recorded.
const AT_ONCE: u64 = 3;

impl WindowBounds {
    /// The same for each of several windows under way: all of them together cost no more in a crash than one would.
    pub fn shared(self) -> Self {
        Self {
            bytes: ByteCount(self.bytes.0 / AT_ONCE),
            ..self
        }
    }
}

/// The next window of a plan: the longest run from `from` within the bounds, at least one step if any is left.
pub fn next_window(steps: &[Assigned], from: usize, bounds: WindowBounds) -> &[Assigned] {
    let most = bounds.extents.clamp(1, SWAP_MAX);
    let mut bytes = ByteCount::ZERO;
    let mut end = from;
    while end < steps.len() && end - from < most {
        bytes += steps[end].item.bytes;
        if end > from && bytes > bounds.bytes {
            break;
        }
        end += 1;
    }
    &steps[from..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repack::manifest::Item;
    use dss::model::{CopyNo, ExtentId, MediumId, ObjectId};

    fn steps(sizes: &[u64]) -> Vec<Assigned> {
        let item = |bytes: u64| Item {
            extent: ExtentId::fresh(),
            object: ObjectId::fresh(),
            copy: CopyNo(0),
            bytes: ByteCount(bytes),
            source: 0,
            avoid: 0,
            grouping: 0,
            deleted_only: false,
            spot: None,
        };
        sizes
            .iter()
            .map(|bytes| Assigned {
                item: item(*bytes),
                target: MediumId::fresh(),
            })
            .collect()
    }

    #[test]
    fn a_window_holds_at_least_one_extent_however_large() {
        let bounds = WindowBounds {
            bytes: ByteCount(10),
            extents: 100,
        };
        assert_eq!(next_window(&steps(&[1_000, 1]), 0, bounds).len(), 1);
    }

    #[test]
    fn a_window_keeps_its_bytes_and_its_count() {
        let bounds = WindowBounds {
            bytes: ByteCount(10),
            extents: 3,
        };
        assert_eq!(next_window(&steps(&[4, 4, 4]), 0, bounds).len(), 2);
        assert_eq!(next_window(&steps(&[0, 0, 0, 0]), 0, bounds).len(), 3);
        let wide = WindowBounds {
            bytes: ByteCount(u64::MAX),
            extents: usize::MAX,
        };
        assert_eq!(next_window(&steps(&vec![0; SWAP_MAX + 1]), 0, wide).len(), SWAP_MAX);
    }

    #[test]
    fn nothing_left_is_an_empty_window() {
        assert!(
            next_window(
                &steps(&[1]),
                1,
                WindowBounds {
                    bytes: ByteCount(1),
                    extents: 1
                }
            )
            .is_empty()
        );
    }
}
