//! Which blocks a partition has, as runs of equal ones: a few numbers even for a tape of millions of records.

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// A record of so many bytes, at least one.
    Record(u32),
    /// A filemark.
    Filemark,
    /// Something that cannot be read.
    Unreadable,
}

impl BlockKind {
    fn bytes(self) -> u64 {
        match self {
            Self::Record(bytes) => u64::from(bytes),
            Self::Filemark | Self::Unreadable => 0,
        }
    }

    fn marks(self) -> u64 {
        u64::from(self == Self::Filemark)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u64,
    count: u64,
    kind: BlockKind,
    bytes_before: u64,
    marks_before: u64,
}

/// The blocks of one partition, without gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockMap {
    runs: Vec<Run>,
}

impl BlockMap {
    /// One behind the last block.
    pub fn end(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.first + run.count)
    }

    /// Bytes of all records.
    pub fn bytes(&self) -> u64 {
        self.bytes_before(self.end())
    }

    /// Filemarks of the partition.
    pub fn marks(&self) -> u64 {
        self.marks_before(self.end())
    }

    /// What a block is; None at the end and behind it.
    pub fn kind(&self, block: u64) -> Option<BlockKind> {
        self.run(block).map(|run| run.kind)
    }

    /// Bytes of all records before a block.
    pub fn bytes_before(&self, block: u64) -> u64 {
        self.sum_before(block, |run| (run.bytes_before, run.kind.bytes()))
    }

    /// Filemarks before a block.
    pub fn marks_before(&self, block: u64) -> u64 {
        self.sum_before(block, |run| (run.marks_before, run.kind.marks()))
    }

    /// Where a filemark is, counted from 0.
    pub fn mark(&self, number: u64) -> Option<u64> {
        // The run that holds it is the last one with no more filemarks before it: the next one has more.
        let after = self.runs.partition_point(|run| run.marks_before <= number);
        let run = self.runs.get(after.checked_sub(1)?)?;
        let at = run.first + (number - run.marks_before);
        (run.kind == BlockKind::Filemark && at < run.first + run.count).then_some(at)
    }

    /// Adds blocks at the end.
    pub fn push(&mut self, kind: BlockKind, count: u64) {
        if count == 0 {
            return;
        }
        let (first, bytes_before, marks_before) = (self.end(), self.bytes(), self.marks());
        match self.runs.last_mut() {
            Some(run) if run.kind == kind => run.count += count,
            _ => self.runs.push(Run {
                first,
                count,
                kind,
                bytes_before,
                marks_before,
            }),
        }
    }

    /// Drops a block and everything behind it.
    pub fn cut(&mut self, block: u64) {
        self.runs.truncate(self.runs.partition_point(|run| run.first < block));
        if let Some(run) = self.runs.last_mut() {
            run.count = run.count.min(block - run.first);
        }
    }

    /// The blocks of a range that are there, as (first, count, kind).
    pub fn runs(&self, from: u64) -> impl Iterator<Item = (u64, u64, BlockKind)> + '_ {
        let start = self.runs.partition_point(|run| run.first + run.count <= from);
        self.runs[start..].iter().map(move |run| {
            let first = run.first.max(from);
            (first, run.first + run.count - first, run.kind)
        })
    }

    fn run(&self, block: u64) -> Option<&Run> {
        let after = self.runs.partition_point(|run| run.first <= block);
        let run = self.runs.get(after.checked_sub(1)?)?;
        (block - run.first < run.count).then_some(run)
    }

    fn sum_before(&self, block: u64, of: impl Fn(&Run) -> (u64, u64)) -> u64 {
        let after = self.runs.partition_point(|run| run.first < block);
        match after.checked_sub(1).and_then(|at| self.runs.get(at)) {
            Some(run) => {
                let (before, each) = of(run);
                before + each * run.count.min(block - run.first)
            }
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kind() -> impl Strategy<Value = BlockKind> {
        prop_oneof![
            (1..4_u32).prop_map(BlockKind::Record),
            Just(BlockKind::Filemark),
            Just(BlockKind::Unreadable)
        ]
    }

    proptest! {
        #[test]
        fn a_map_answers_as_a_list_of_blocks_does(
            steps in prop::collection::vec((kind(), 0..4_u64, prop::option::of(0..20_u64)), 0..30)
        ) {
            let (mut map, mut list) = (BlockMap::default(), Vec::new());
            for (kind, count, cut) in steps {
                map.push(kind, count);
                list.extend((0..count).map(|_| kind));
                if let Some(cut) = cut {
                    map.cut(cut);
                    list.truncate(cut as usize);
                }
            }
            prop_assert_eq!(map.end(), list.len() as u64);
            let marks: Vec<usize> = (0..list.len()).filter(|at| list[*at] == BlockKind::Filemark).collect();
            for at in 0..list.len() + 2 {
                let before = &list[..at.min(list.len())];
                prop_assert_eq!(map.kind(at as u64), list.get(at).copied());
                prop_assert_eq!(map.bytes_before(at as u64), before.iter().map(|kind| kind.bytes()).sum::<u64>());
                prop_assert_eq!(map.marks_before(at as u64), before.iter().map(|kind| kind.marks()).sum::<u64>());
                prop_assert_eq!(map.mark(at as u64), marks.get(at).map(|mark| *mark as u64));
                let rest: Vec<BlockKind> = map
                    .runs(at as u64)
                    .flat_map(|(_, count, kind)| std::iter::repeat_n(kind, count as usize))
                    .collect();
                prop_assert_eq!(&rest[..], list.get(at..).unwrap_or(&[]));
            }
        }
    }
}
