//! Reads back what was written before it is answered as the index: all of it after an index was committed, and after that
//! only the log that follows, window by window. So a question after each sync costs as much as that sync wrote.

use super::condition::Condition;
use super::log::{self, Proof};
use super::notes;
use super::stretch::Stretch;
use super::tag::Seal;
use super::volume::{LtfsVolume, survey};
use crate::ldm::fs::ltfs::volume::mount;
use crate::ldm::{MediaResult, Op};

/// What of an index is still to be read from the tape.
pub(super) enum ReadBack {
    /// All of it.
    Index,
    /// What these seals seal, which are in the order of the tape.
    Log(Vec<Seal>),
}

impl ReadBack {
    /// Nothing is to be read.
    pub(super) fn done() -> Self {
        Self::Log(Vec::new())
    }

    /// This was written.
    pub(super) fn add(&mut self, seal: Seal) {
        match self {
            Self::Index => {}
            Self::Log(seals) => seals.push(seal),
        }
    }
}

impl LtfsVolume {
    /// Makes sure that the tape says what is known here, reading what was written since it was asked last.
    pub(super) fn refresh(&mut self) -> MediaResult<()> {
        let seals = match &self.read_back {
            ReadBack::Log(seals) if seals.is_empty() => return Ok(()),
            ReadBack::Log(seals) => Some(seals.clone()),
            ReadBack::Index => None,
        };
        self.set_aside(Op::Read)?;
        self.records.forget();
        let read = match seals {
            Some(seals) => self.confirm_log(&seals),
            None => self.confirm_index(),
        };
        if let Err(words) = self.heed(read)? {
            self.condition = Condition::Damaged(words.clone());
            return Err(self.deck.damaged(Op::Read, words));
        }
        self.read_back = ReadBack::done();
        Ok(())
    }

    fn confirm_log(&self, seals: &[Seal]) -> MediaResult<Result<(), String>> {
        let Some(stretch) = Stretch::last(&self.mounted) else {
            return Ok(Err("the log is behind no index".to_owned()));
        };
        let proof = Proof {
            labels: &self.mounted.labels,
            label: &self.label,
            stretch,
        };
        self.deck.work(Op::Read, |drive| log::confirm(drive, proof, seals))
    }

    fn confirm_index(&self) -> MediaResult<Result<(), String>> {
        let found = self.deck.work(Op::Read, |drive| {
            let mounted = mount(drive)?;
            match notes::find(drive, &mounted)? {
                Ok(newest) if newest.label == self.label => survey(drive, mounted, newest, 0).map(Some),
                Ok(_) | Err(_) => Ok(None),
            }
        })?;
        let trusted = found.is_some_and(|found| {
            matches!(found.condition, Condition::Whole | Condition::Recover) && found.shelf.agrees(&self.shelf)
        });
        Ok(match trusted {
            true => Ok(()),
            false => Err("its index reads otherwise than it was written".to_owned()),
        })
    }
}
