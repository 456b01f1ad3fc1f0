//! What a cartridge is, apart from what is written on it.

use crate::ldm::virt::technology::Technology;
use serde::{Deserialize, Serialize};

/// What a cartridge is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Data.
    #[default]
    Data,
    /// Data that stays: nothing written is overwritten.
    Worm,
    /// It cleans the drive.
    Cleaning,
}

/// The write-protect tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tab {
    /// Writing is allowed.
    #[default]
    Open,
    /// Writing is refused.
    Protected,
}

/// A cartridge's label, shell and layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Its barcode.
    pub barcode: String,
    /// Its generation.
    pub technology: Technology,
    /// What it is for.
    #[serde(default)]
    pub kind: Kind,
    /// Its tab.
    #[serde(default)]
    pub tab: Tab,
    /// What it holds in bytes, over all partitions.
    pub capacity: u64,
    /// Sizes of the partitions in bytes.
    pub partitions: Vec<u64>,
}

/// The largest room behind early warning in bytes; a drive leaves some seconds of writing for the buffer and the indexes.
const EARLY_WARNING_MAX: u64 = 5_000_000_000;

impl Card {
    /// A blank data cartridge with its generation's native capacity.
    pub fn blank(barcode: &str, technology: Technology) -> Self {
        Self::of_capacity(barcode, technology, technology.capacity())
    }

    /// The same with another capacity in bytes.
    pub fn of_capacity(barcode: &str, technology: Technology, capacity: u64) -> Self {
        Self {
            barcode: barcode.to_owned(),
            technology,
            kind: Kind::Data,
            tab: Tab::Open,
            capacity,
            partitions: vec![capacity],
        }
    }

    /// The same for another purpose.
    pub fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// The same with its tab moved.
    pub fn with_tab(mut self, tab: Tab) -> Self {
        self.tab = tab;
        self
    }

    /// How many partitions it has.
    pub fn partition_count(&self) -> u8 {
        u8::try_from(self.partitions.len()).unwrap_or(u8::MAX)
    }

    /// The size of a partition in bytes; 0 for one that it does not have.
    pub fn partition_size(&self, partition: u8) -> u64 {
        self.partitions.get(usize::from(partition)).copied().unwrap_or(0)
    }

    /// How many of a partition's bytes lie behind its early warning: a sixteenth, at most 5 GB.
    pub fn reserve(&self, partition: u8) -> u64 {
        (self.partition_size(partition) / 16).min(EARLY_WARNING_MAX)
    }

    /// The usual sizes of so many partitions: one takes all. Of two the first has two of a hundred parts and another two
    /// between them are lost, as two wraps and a guard are on hardware; on a small cartridge the first has an eighth, so
    /// that an index fits.
    pub fn usual_sizes(&self, partitions: u8) -> Vec<u64> {
        const SMALL: u64 = 10_000_000_000;
        match partitions {
            0 | 1 => vec![self.capacity],
            _ if self.capacity < SMALL => vec![self.capacity / 8, self.capacity - self.capacity / 8],
            _ => vec![self.capacity / 50, self.capacity - 2 * (self.capacity / 50)],
        }
    }

    /// Where a byte of a partition lies on the tape, in bytes from its beginning.
    pub fn tape_byte(&self, partition: u8, byte: u64) -> u64 {
        let before: u64 = self.partitions.iter().take(usize::from(partition)).sum();
        let total: u64 = self.partitions.iter().sum();
        // What is lost between partitions lies before the last one.
        let guard = if partition > 0 {
            self.capacity.saturating_sub(total)
        } else {
            0
        };
        (before + guard + byte).min(self.capacity)
    }

    /// The medium's own serial number: ten characters made of the barcode.
    pub fn serial(&self) -> String {
        format!("{:0>10}", self.barcode).chars().take(10).collect()
    }

    /// Medium type in the header of MODE SENSE; write once is four higher.
    pub fn medium_type(&self) -> u8 {
        match self.kind {
            Kind::Data | Kind::Cleaning => self.technology.medium_type(),
            Kind::Worm => self.technology.medium_type() + 4,
        }
    }
}
