//! Which extents a drive is told of before they are read: a disk that knows what comes fetches it while other bytes are
//! verified and written.

use super::reader::Readable;
use dss::model::MediumId;
use lrs::ldm::fs::Wanted;

/// How many bytes, and how many extents, are announced to a drive before they are read.
const AHEAD_BYTES: u64 = 16 << 20;
const AHEAD_EXTENTS: usize = 64;

/// Which of the extents to come a drive was told of, so that each is announced once.
#[derive(Default)]
pub(super) struct Foresight {
    told: usize,
    told_bytes: u64,
}

impl Foresight {
    /// What to announce when this extent is read and `rest` comes after it. Those of other drives are announced by
    /// nobody: they are read when theirs has its turn.
    pub(super) fn after<'a, T: Readable + 'a>(
        &mut self,
        read: &Wanted,
        rest: impl IntoIterator<Item = &'a T>,
        source: MediumId,
    ) -> Vec<Wanted> {
        self.told = self.told.saturating_sub(1);
        self.told_bytes = self.told_bytes.saturating_sub(read.bytes.0);
        let mut soon = vec![];
        for item in rest.into_iter().skip(self.told) {
            if self.told >= AHEAD_EXTENTS || self.told_bytes >= AHEAD_BYTES {
                break;
            }
            self.told += 1;
            self.told_bytes += item.wanted().bytes.0;
            if item.source() == source {
                soon.push(item.wanted().clone());
            }
        }
        soon
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::{Address, ByteCount, Expected, ExtentId, Generation, Oid};

    struct One(MediumId, Wanted);

    impl Readable for One {
        fn old(&self) -> ExtentId {
            self.1.extent
        }
        fn source(&self) -> MediumId {
            self.0
        }
        fn wanted(&self) -> &Wanted {
            &self.1
        }
        fn expected(&self) -> &Expected {
            unreachable!("nothing is read")
        }
    }

    fn extents(media: &[MediumId], bytes: u64, count: usize) -> Vec<One> {
        let wanted = || Wanted {
            extent: ExtentId::fresh(),
            oid: Oid::new("o".to_owned()).unwrap(),
            generation: Generation(0),
            address: Address("objects/o".to_owned()),
            bytes: ByteCount(bytes),
            inode: None,
            span: None,
        };
        (0..count)
            .map(|number| One(media[number % media.len()], wanted()))
            .collect()
    }

    /// Who was told of, extent by extent, as far as `reads` go.
    fn told(extents: &[One], reads: usize) -> Vec<Vec<ExtentId>> {
        let mut foresight = Foresight::default();
        let ids = |soon: Vec<Wanted>| soon.into_iter().map(|wanted| wanted.extent).collect();
        (0..reads)
            .map(|at| ids(foresight.after(&extents[at].1, &extents[at + 1..], extents[at].0)))
            .collect()
    }

    #[test]
    fn every_extent_but_the_first_is_announced_once_and_in_order() {
        let extents = extents(&[MediumId::fresh()], 4_096, 300);
        let told = told(&extents, 300);
        assert_eq!(told[0].len(), AHEAD_EXTENTS);
        assert_eq!(told[1].len(), 1);
        let all: Vec<ExtentId> = told.into_iter().flatten().collect();
        assert_eq!(all, extents[1..].iter().map(|one| one.1.extent).collect::<Vec<_>>());
    }

    #[test]
    fn no_more_bytes_are_announced_than_stay_in_memory() {
        let told = told(&extents(&[MediumId::fresh()], AHEAD_BYTES / 4, 20), 20);
        assert_eq!(told[0].len(), 4);
        assert!(told[1..].iter().all(|soon| soon.len() <= 1));
    }

    #[test]
    fn a_drive_is_told_of_its_own_extents_only() {
        let media = [MediumId::fresh(), MediumId::fresh()];
        let extents = extents(&media, 10, 6);
        let told = told(&extents, 1);
        assert_eq!(told[0], [extents[2].1.extent, extents[4].1.extent]);
    }
}
