//! What clients asked for and what they were told, held against what is there. A ledger knows no rule of the program but
//! what an operator reads in its answers: a put that was acknowledged, a deletion that was.

use dss::model::{Blake3, Version};
use std::collections::BTreeMap;

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came<T> {
    /// No answer yet, or none for ever: it may have happened, or may still.
    Open,
    /// Answered: done.
    Done(T),
    /// Answered: nothing was touched.
    Refused,
    /// Answered with a failure: it may have happened all the same.
    Failed,
}

impl<T> Came<T> {
    fn may_be_done(&self) -> bool {
        match self {
            Self::Open | Self::Done(_) | Self::Failed => true,
            Self::Refused => false,
        }
    }
}

/// One put of a name.
#[derive(Clone, Copy, Debug)]
pub struct Put {
    pub content: Blake3,
    pub begun: u64,
    /// When it was answered.
    pub ended: u64,
    pub came: Came<Version>,
}

/// What is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Delete,
    Undelete,
}

/// One deletion, or the taking back of one.
#[derive(Clone, Copy, Debug)]
pub struct Marking {
    pub what: Mark,
    pub begun: u64,
    pub ended: u64,
    pub came: Came<Version>,
}

/// All that was asked about one name.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub puts: Vec<Put>,
    pub marks: Vec<Marking>,
}

/// All that was asked.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub pages: BTreeMap<String, Page>,
}

/// A version as the catalogue has it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub version: Version,
    pub live: bool,
    pub content: Blake3,
}

const NEVER: u64 = u64::MAX;

impl Ledger {
    pub fn put_begins(&mut self, name: &str, content: Blake3, order: u64) -> usize {
        let puts = &mut self.pages.entry(name.to_owned()).or_default().puts;
        puts.push(Put {
            content,
            begun: order,
            ended: NEVER,
            came: Came::Open,
        });
        puts.len() - 1
    }

    pub fn put_ends(&mut self, name: &str, number: usize, came: Came<Version>, order: u64) {
        let put = &mut self.pages.get_mut(name).expect("it was begun").puts[number];
        (put.came, put.ended) = (came, order);
    }

    pub fn mark_begins(&mut self, name: &str, what: Mark, order: u64) -> usize {
        let marks = &mut self.pages.entry(name.to_owned()).or_default().marks;
        marks.push(Marking {
            what,
            begun: order,
            ended: NEVER,
            came: Came::Open,
        });
        marks.len() - 1
    }

    pub fn mark_ends(&mut self, name: &str, number: usize, came: Came<Version>, order: u64) {
        let mark = &mut self.pages.get_mut(name).expect("it was begun").marks[number];
        (mark.came, mark.ended) = (came, order);
    }

    /// Whoever waited for an answer waits no more; nothing happens to what it asked for after this.
    pub fn hung_up(&mut self) {
        for page in self.pages.values_mut() {
            let puts = page.puts.iter_mut().map(|put| (&mut put.came, &mut put.ended));
            let marks = page.marks.iter_mut().map(|mark| (&mut mark.came, &mut mark.ended));
            for (came, _) in puts.chain(marks) {
                if *came == Came::Open {
                    *came = Came::Failed;
                }
            }
        }
    }
}

impl Page {
    /// Whether these bytes may be what this version of the name is.
    pub fn may_be(&self, version: Version, content: Blake3) -> bool {
        let told = self.puts.iter().find(|put| put.came == Came::Done(version));
        match told {
            Some(put) => put.content == content,
            None => self
                .puts
                .iter()
                .any(|put| put.content == content && matches!(put.came, Came::Open | Came::Failed)),
        }
    }

    /// The bytes of a version that was acknowledged.
    pub fn told(&self, version: Version) -> Option<Blake3> {
        let put = self.puts.iter().find(|put| put.came == Came::Done(version))?;
        Some(put.content)
    }

    /// The highest version that was acknowledged before, if it cannot have been deleted: a get must not answer less.
    pub fn must_have(&self, before: u64) -> Option<Version> {
        if self.marks.iter().any(|mark| mark.came.may_be_done()) {
            return None;
        }
        let told = self.puts.iter().filter(|put| put.ended < before);
        let versions = told.filter_map(|put| match put.came {
            Came::Done(version) => Some(version),
            Came::Open | Came::Refused | Came::Failed => None,
        });
        versions.max()
    }

    /// What is wrong with the versions that are there, in the end.
    pub fn held_against(&self, name: &str, rows: &[Row]) -> Vec<String> {
        let mut wrong = Vec::new();
        for put in &self.puts {
            let Came::Done(version) = put.came else { continue };
            match rows.iter().find(|row| row.version == version) {
                None if self.may_have_gone(put, version) => {}
                None => wrong.push(format!("{name} version {version} was acknowledged and is gone")),
                Some(row) if row.content != put.content => {
                    wrong.push(format!("{name} version {version} has other bytes than were put"));
                }
                Some(row) if !row.live && !self.may_have_gone(put, version) => {
                    wrong.push(format!(
                        "{name} version {version} is deleted, and nobody asked for that"
                    ));
                }
                Some(_) => {}
            }
        }
        for row in rows {
            if !self.may_be(row.version, row.content) {
                wrong.push(format!(
                    "{name} version {} has bytes that nobody put there, or was refused",
                    row.version
                ));
            }
            if row.live && self.must_be_deleted(row.version) {
                wrong.push(format!(
                    "{name} version {} is live although its deletion was acknowledged",
                    row.version
                ));
            }
            if !row.live && self.must_be_live(row.version, rows) {
                wrong.push(format!(
                    "{name} version {} is deleted although it was undeleted since",
                    row.version
                ));
            }
        }
        wrong
    }

    /// Whether a version that was acknowledged may be deleted or overwritten by now.
    fn may_have_gone(&self, put: &Put, version: Version) -> bool {
        let overwritten = self.puts.iter().any(|other| match other.came {
            Came::Done(later) => later > version,
            Came::Open | Came::Failed => true,
            Came::Refused => false,
        });
        let deleted = self.marks.iter().any(|mark| {
            mark.what == Mark::Delete
                && mark.ended > put.begun
                && match mark.came {
                    Came::Done(which) => which == version,
                    Came::Open | Came::Failed => true,
                    Came::Refused => false,
                }
        });
        overwritten || deleted
    }

    /// Whether a deletion of this version was acknowledged and cannot have been taken back.
    fn must_be_deleted(&self, version: Version) -> bool {
        let deletions = self
            .marks
            .iter()
            .filter(|mark| mark.what == Mark::Delete && mark.came == Came::Done(version));
        let Some(last) = deletions.max_by_key(|mark| mark.begun) else {
            return false;
        };
        !self.marks.iter().any(|mark| {
            mark.what == Mark::Undelete
                && mark.ended > last.begun
                && match mark.came {
                    Came::Done(which) => which == version,
                    Came::Open | Came::Failed => true,
                    Came::Refused => false,
                }
        })
    }

    /// Whether an undeletion of this version was acknowledged and nothing can have ended it since.
    fn must_be_live(&self, version: Version, rows: &[Row]) -> bool {
        let back = self
            .marks
            .iter()
            .filter(|mark| mark.what == Mark::Undelete && mark.came == Came::Done(version));
        let Some(last) = back.max_by_key(|mark| mark.begun) else {
            return false;
        };
        let deleted = self
            .marks
            .iter()
            .any(|mark| mark.what == Mark::Delete && mark.ended > last.begun && mark.came.may_be_done());
        let overwritten = self
            .puts
            .iter()
            .any(|put| put.ended > last.begun && put.came.may_be_done());
        !deleted && !overwritten && rows.iter().all(|row| row.version <= version)
    }
}
