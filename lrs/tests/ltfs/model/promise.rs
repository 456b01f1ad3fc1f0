//! What a volume has been promised to hold, and the judgement of what it holds after something happened.

use super::rig::{Rig, TAPE, Tape, To};
use super::travels::blocks;
use crate::reading::{Digests, tree};
use crate::writing::{append, judged, what};
use lrs::ldm::drive::Drive;
use lrs::ldm::fs::ltfs::Code;
use lrs::ldm::fs::ltfs::volume::{
    Appender, Contents, LtfsError, LtfsResult, Memory, Mounted, State, check, commit, mount,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// A tree, by path.
type Tree = BTreeMap<String, Value>;

/// The promises made of a volume.
#[derive(Clone, Debug, Default)]
pub struct Promise {
    /// What the last commit that returned left: nothing of it may ever be missing.
    kept: Tree,
    /// What a commit that was begun and did not return would have left.
    offered: Option<Tree>,
    /// Digests of every file of either.
    digests: BTreeMap<String, String>,
}

/// Whether the judge of no common code is asked as well: it takes a tenth of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    Asked,
    Spared,
}

impl Promise {
    /// Of a volume as it is mounted.
    pub fn of(mounted: &Mounted) -> Self {
        Self {
            kept: tree(mounted),
            ..Self::default()
        }
    }

    /// Appends files and commits them. What is promised follows what returned.
    pub fn session(&mut self, tape: &mut Tape, mounted: &mut Mounted, name: &str, lengths: &[usize]) -> LtfsResult<()> {
        let (end, digests) = append(tape, mounted, name, lengths)?;
        self.digests.extend(digests);
        self.commit(tape, mounted, end)
    }

    fn commit(&mut self, tape: &mut dyn Drive, mounted: &mut Mounted, end: u64) -> LtfsResult<()> {
        let done = commit(tape, mounted, &what(end));
        // It has numbered the entries, whether it went on or not.
        self.offered = Some(tree(mounted));
        done?;
        self.kept = self.offered.take().expect("it was just offered");
        Ok(())
    }

    /// What must hold of a volume in a drive: the kept tree or the offered one, every file of it readable and right, and
    /// nothing wrong with it but what a stop leaves. From then on what was found is what is kept.
    pub fn hold(&mut self, tape: &mut dyn Drive) -> Mounted {
        let mounted = mount(tape).unwrap();
        let found = tree(&mounted);
        if found != self.kept {
            let missing: Vec<_> = self.kept.keys().filter(|path| !found.contains_key(*path)).collect();
            assert_eq!(Some(&found), self.offered.as_ref(), "promised and missing: {missing:?}");
        }
        // Whoever believes it without a look would take what lies there for an index.
        if let Memory::Current(named) | Memory::Stale(named) = &mounted.data.memory {
            let last = mounted.data.generation();
            assert!(
                Some(named.generation) <= last,
                "{named:?} is told, and {last:?} is on the tape"
            );
        }
        let mut digests = Digests::new(self.digests.clone());
        let findings = check(tape, &mounted, Contents::Read(&mut digests)).unwrap();
        let allowed = |code| match mounted.state {
            State::Clean | State::IndexPartitionNewer => false,
            // The cartridge's memory may not have been told yet.
            State::DataPartitionNewer => matches!(code, Code::Unclean | Code::Coherency),
            State::Tail => matches!(code, Code::Tail | Code::Incomplete | Code::Coherency),
            State::Incomplete => matches!(
                code,
                Code::Tail | Code::NoIndex | Code::IndexXml | Code::Incomplete | Code::Coherency
            ),
        };
        let wrong: Vec<_> = findings.iter().filter(|finding| !allowed(finding.code)).collect();
        assert!(wrong.is_empty(), "{:?}: {wrong:?}", mounted.state);
        let files = found.values().filter(|entry| entry["type"] == "file").count();
        assert_eq!(digests.seen.len(), files);
        (self.kept, self.offered) = (found, None);
        mounted
    }

    /// Brings a volume in a drive back to where files can be appended. Nothing on the data partition is overwritten.
    ///
    /// # Errors
    /// The commit's.
    pub fn recover(&mut self, rig: &Rig, tape: &mut dyn Drive, mounted: &mut Mounted) -> LtfsResult<()> {
        if mounted.state.is_clean() {
            return Ok(());
        }
        let refused = Appender::new(tape, mounted);
        assert!(matches!(refused, Err(LtfsError::NotWritable(_))));
        let end = mounted.data.end;
        let before = data_partition(rig, end);
        let done = self.commit(tape, mounted, end);
        let after = data_partition(rig, end);
        assert_eq!(before.len() as u64, end);
        for (name, bytes) in before {
            assert!(after.get(&name) == Some(&bytes), "{name} was overwritten");
        }
        done
    }

    /// After something happened the cartridge lies in `drive`, whoever had it: it is carried to the other drive, and there
    /// everything that was promised is found; it is recovered, appended to, and carried back, and all of it is found
    /// again. Answers the state it was found in.
    pub fn survives(mut self, rig: &Rig, drive: usize, judge: Judge) -> State {
        let other = 1 - drive;
        rig.out(TAPE, drive, To::Drive(other));
        let mut tape = rig.drive(other);
        tape.load().unwrap();
        let mut mounted = self.hold(&mut tape);
        let state = mounted.state;
        self.recover(rig, &mut tape, &mut mounted).unwrap();
        self.session(&mut tape, &mut mounted, "afterwards", &[5, 9000, 5])
            .unwrap();
        tape.unload().unwrap();
        drop(tape);
        rig.carry(TAPE, To::Drive(drive));
        let mut tape = rig.drive(drive);
        tape.load().unwrap();
        assert_eq!(self.hold(&mut tape).state, State::Clean);
        if judge == Judge::Asked {
            judged(&rig.path(TAPE));
        }
        state
    }
}

/// The blocks of the data partition before its end. What files there are behind it, a process left that ended before they
/// were on the tape.
fn data_partition(rig: &Rig, end: u64) -> BTreeMap<String, Vec<u8>> {
    let mut all = blocks(&rig.path(TAPE));
    all.retain(|name, _| {
        let block = name
            .strip_prefix("1_")
            .and_then(|rest| rest[..rest.len() - 2].parse().ok());
        block.is_some_and(|block: u64| block < end)
    });
    all
}

/// A formatted volume with one committed session, in a slot; and what was promised of it.
pub fn base() -> (Rig, Promise) {
    let rig = Rig::new();
    rig.library.blank(TAPE).unwrap();
    let mut tape = rig.load(TAPE, 0);
    let mut mounted = lrs::ldm::fs::ltfs::volume::format(&mut tape, &crate::writing::options()).unwrap();
    let mut promise = Promise::of(&mounted);
    promise
        .session(&mut tape, &mut mounted, "before", &[10, 5000, 0, 300, 300])
        .unwrap();
    tape.unload().unwrap();
    drop(tape);
    rig.carry(TAPE, To::Slot);
    (rig, promise)
}
