//! Mounts a volume: labels, the newest index that can be proved, and in which state the volume was left. Nothing is
//! written.

use super::find::{look, read_index};
use super::{Labels, LtfsError, LtfsResult, PartitionView, State, judge, read_labels};
use crate::ldm::drive::{Drive, Partition};
use crate::ldm::fs::ltfs::attributes;
use crate::ldm::fs::ltfs::index::{Bounds, Index, Keep, Location, Lock};

/// A volume as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// What its labels say.
    pub labels: Labels,
    /// The tree that counts.
    pub tree: Index,
    /// In which state it was left.
    pub state: State,
    /// The end of the index partition.
    pub index: PartitionView,
    /// The end of the data partition.
    pub data: PartitionView,
}

impl Mounted {
    /// Where the index is that counts.
    pub fn chosen(&self) -> Location {
        self.tree.head.location
    }

    /// The number that the next index gets: above every one that is known.
    pub fn next_generation(&self) -> u64 {
        let newest = [&self.index, &self.data]
            .into_iter()
            .filter_map(PartitionView::generation);
        newest.max().unwrap_or(0).max(self.tree.head.generation) + 1
    }

    /// Where data can be on it.
    pub fn bounds(&self) -> Bounds {
        let run = |view: &PartitionView| {
            let last = view.last.as_ref()?;
            let first = last.head.location.block;
            Some((view.id, first, first + last.records))
        };
        Bounds {
            block_size: self.labels.label.block_size,
            ends: [&self.index, &self.data]
                .map(|view| (view.id, view.lost_end.is_none().then_some(view.end)))
                .to_vec(),
            indexes: [&self.index, &self.data].into_iter().filter_map(run).collect(),
        }
    }

    /// Whether it may be written at all, whatever state it is in.
    ///
    /// # Errors
    /// `NotWritable` or `RecordsTooLong` with the reason, or the drive's.
    pub fn may_be_written(&self, drive: &mut dyn Drive) -> LtfsResult<()> {
        carried(drive, &self.labels)?;
        if let Some(words) = [&self.index, &self.data].iter().find_map(|view| view.lost_end.clone()) {
            return Err(LtfsError::NotWritable(words));
        }
        if !self.labels.findings.is_empty() {
            let words = super::labels::words_of(&self.labels.findings);
            return Err(LtfsError::NotWritable(words));
        }
        match self.tree.head.lock {
            None | Some(Lock::Unlocked) => {}
            Some(lock) => return Err(LtfsError::NotWritable(format!("it is {}", lock.word()))),
        }
        let lock = drive.attribute(Partition(0), attributes::LOCK)?;
        match lock.and_then(|attribute| attribute.value.first().copied()) {
            None | Some(0) => Ok(()),
            Some(1 | 3) => Err(LtfsError::NotWritable(
                "the cartridge's memory says it is locked".to_owned(),
            )),
            Some(state) => Err(LtfsError::NotWritable(format!(
                "the cartridge's memory tells of a failed write (attribute 1623 is {state})"
            ))),
        }
    }
}

/// Refuses a volume of records that are too long for this drive, or this way to it. A record that cannot be read would be
/// blamed on the extent in it, and one that cannot be written is nobody's request.
fn carried(drive: &dyn Drive, labels: &Labels) -> LtfsResult<()> {
    let (block_size, most) = (labels.label.block_size, drive.record_max());
    match block_size as usize > most {
        true => Err(LtfsError::RecordsTooLong { block_size, most }),
        false => Ok(()),
    }
}

/// Mounts the volume in a drive.
///
/// # Errors
/// Those of `read_labels`, `RecordsTooLong`, `NoIndex`, or the drive's.
pub fn mount(drive: &mut dyn Drive) -> LtfsResult<Mounted> {
    let labels = read_labels(drive)?;
    carried(drive, &labels)?;
    let (index, tree) = look(drive, &labels, labels.label.index, Keep::Tree)?;
    let (data, _) = look(drive, &labels, labels.label.data, Keep::Head)?;
    let tree = match (tree, &data.last) {
        (Some(tree), None) => tree.index,
        (Some(tree), Some(last)) if tree.index.head.generation >= last.head.generation => tree.index,
        (_, Some(last)) => match read_index(drive, &labels, last.head.location, Keep::Tree)? {
            Ok((read, _)) => read.index,
            Err(unproven) => return Err(LtfsError::NoIndex(unproven.why.to_string())),
        },
        (None, None) => {
            let mut why = index
                .unproven
                .iter()
                .chain(&data.unproven)
                .map(|unproven| unproven.why.to_string());
            let lost = [&index, &data].iter().find_map(|view| view.lost_end.clone());
            let words = lost.or_else(|| why.next_back());
            let words = words.unwrap_or_else(|| "nothing on it is one".to_owned());
            return Err(LtfsError::NoIndex(words));
        }
    };
    Ok(Mounted {
        state: judge(&index, &data),
        labels,
        tree,
        index,
        data,
    })
}
