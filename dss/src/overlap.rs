//! Whether two extents are said to lie on the same bytes of a tape. Pure; each catalogue's check feeds it what it knows, in
//! order, so that one look at each stretch is enough and nothing but the furthest one is kept.
//!
//! How long a tape's full records are, only its labels tell. Where a stretch of several records ends in its last one is
//! therefore not known here, but that it has a byte of it: what begins later in that record is given the benefit of the
//! doubt. Nothing is ever told that is not so.

use crate::model::{ExtentId, Generation, MediumId, Stretch};

/// A stretch of an extent on a tape. Ordered by tape, generation, partition, block and byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Laid {
    pub(crate) tape: MediumId,
    pub(crate) generation: Generation,
    pub(crate) stretch: Stretch,
    pub(crate) extent: ExtentId,
}

/// The block and the byte of it before which the bytes of a stretch certainly do not end.
fn certain_end(stretch: &Stretch) -> (u64, u64) {
    match stretch.blocks {
        0 | 1 => {
            let end = stretch.byte_offset.saturating_add(stretch.bytes);
            (stretch.start_block, end)
        }
        several => (stretch.start_block.saturating_add(several - 1), 1),
    }
}

/// Looks for what overlaps.
#[derive(Debug, Default)]
pub(crate) struct Overlaps {
    furthest: Option<Laid>,
}

impl Overlaps {
    /// The next stretch, in order. Some: it begins where this one is still going on.
    pub(crate) fn next(&mut self, laid: Laid) -> Option<Laid> {
        let place = |one: &Laid| (one.tape, one.generation, one.stretch.partition);
        let before = self.furthest.take().filter(|before| place(before) == place(&laid));
        let Some(before) = before else {
            self.furthest = Some(laid);
            return None;
        };
        let end = certain_end(&before.stretch);
        let overlaps = (laid.stretch.start_block, laid.stretch.byte_offset) < end;
        let further = certain_end(&laid.stretch) > end;
        let told = overlaps.then(|| before.clone());
        self.furthest = Some(if further { laid } else { before });
        told
    }
}

/// What is said of an extent that begins where another one, or itself, is still going on.
pub(crate) fn told(extent: ExtentId, before: &Laid, medium: &str) -> String {
    let at = &before.stretch;
    let here = format!(
        "partition {} of medium {medium} at block {}",
        at.partition, at.start_block
    );
    match before.extent == extent {
        true => format!("it is said to lie twice on the same bytes, on {here}"),
        false => format!("it is said to lie on bytes of extent {}, on {here}", before.extent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Span;

    /// Of stretches of different extents, which overlap with which, by their numbers.
    fn overlapping(text: &str) -> Vec<(usize, usize)> {
        let Span(stretches) = text.parse().expect("a span");
        let tape = MediumId::fresh();
        let extents: Vec<ExtentId> = stretches.iter().map(|_| ExtentId::fresh()).collect();
        let number = |id: ExtentId| extents.iter().position(|one| *one == id).expect("one of them");
        let laid = stretches.iter().zip(&extents).map(|(stretch, extent)| Laid {
            tape,
            generation: Generation(1),
            stretch: *stretch,
            extent: *extent,
        });
        let mut laid: Vec<Laid> = laid.collect();
        laid.sort();
        let mut overlaps = Overlaps::default();
        let of = |one: Laid| {
            let extent = one.extent;
            overlaps.next(one).map(|before| (number(before.extent), number(extent)))
        };
        laid.into_iter().filter_map(of).collect()
    }

    #[test]
    fn i11_stretches_behind_each_other_do_not_overlap() {
        assert_eq!(overlapping("1:5+0*2=700,1:7+0*1=3,1:7+3*1=2,1:8+0*1=3"), []);
        assert_eq!(overlapping("0:5+0*1=3,1:5+0*1=3"), [], "another partition");
    }

    #[test]
    fn i11_a_stretch_that_begins_inside_of_another_overlaps_with_it() {
        assert_eq!(overlapping("1:5+0*1=3,1:5+2*1=3"), [(0, 1)], "a byte in one record");
        assert_eq!(overlapping("1:5+0*3=1300,1:6+9*1=1"), [(0, 1)], "a full record");
        assert_eq!(
            overlapping("1:5+0*3=1300,1:7+0*1=1"),
            [(0, 1)],
            "the last record's first byte"
        );
        assert_eq!(overlapping("1:5+4*2=700,1:5+9*1=1"), [(0, 1)], "the first record");
    }

    #[test]
    fn i11_what_begins_later_in_a_last_record_may_be_all_right() {
        assert_eq!(overlapping("1:5+0*3=1300,1:7+1*1=1"), []);
    }

    #[test]
    fn i11_a_long_stretch_is_remembered_behind_short_ones() {
        assert_eq!(overlapping("1:5+0*100=6000,1:6+0*1=3,1:90+0*1=3"), [(0, 1), (0, 2)]);
    }
}
