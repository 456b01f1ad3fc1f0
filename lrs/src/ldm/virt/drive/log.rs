//! LOG SENSE: what the drive counted (SPC-4, 7.3; SSC-5, 8.3). Pages 00h, 02h, 03h, 0Ch, 17h, 2Eh and 31h.

use super::Drive;
use crate::ldm::scsi::Transfer;
use crate::ldm::virt::bytes::{give, number};
use crate::ldm::virt::sense::{Answered, Say};

const PAGES: [u8; 7] = [0x00, 0x02, 0x03, 0x0c, 0x17, 0x2e, 0x31];

/// Flags of TapeAlert (SSC-5, annex A).
mod alert {
    pub(super) const HARD_ERROR: usize = 3;
    pub(super) const MEDIA: usize = 4;
    pub(super) const READ_FAILURE: usize = 5;
    pub(super) const WRITE_FAILURE: usize = 6;
    pub(super) const WRITE_PROTECT: usize = 9;
    pub(super) const MEMORY: usize = 15;
    pub(super) const CLEAN_NOW: usize = 20;
    pub(super) const CLEAN_SOON: usize = 21;
    pub(super) const HARDWARE: usize = 30;
    pub(super) const LOAD_FAILURE: usize = 55;
}

/// What a drive counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Statistics {
    read_bytes: u64,
    written_bytes: u64,
    read_errors: u64,
    write_errors: u64,
    loads: u64,
    alerts: u64,
}

impl Statistics {
    pub(super) fn read(&mut self, bytes: u64) {
        self.read_bytes += bytes;
    }

    pub(super) fn write(&mut self, bytes: u64) {
        self.written_bytes += bytes;
    }

    /// Counters begin anew with each cartridge.
    pub(super) fn load(&mut self) {
        *self = Self {
            loads: self.loads + 1,
            alerts: self.alerts,
            ..Self::default()
        };
    }

    /// The cartridge's memory does not take what the drive has for it.
    pub(super) fn memory_failed(&mut self) {
        self.alerts |= flag(alert::MEMORY);
    }

    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The drive was cleaned.
    pub(super) fn clean(&mut self) {
        self.alerts &= !(flag(alert::CLEAN_NOW) | flag(alert::CLEAN_SOON));
    }

    /// Counts what was said.
    pub(super) fn note(&mut self, say: &Say) {
        let mut raise = |flags: &[usize]| self.alerts |= flags.iter().map(|number| flag(*number)).sum::<u64>();
        match (say.key(), say.asc(), say.ascq()) {
            (0x3, 0x0c, _) => {
                raise(&[alert::HARD_ERROR, alert::MEDIA, alert::WRITE_FAILURE]);
                self.write_errors += 1;
            }
            (0x3, 0x11, _) => {
                raise(&[alert::HARD_ERROR, alert::MEDIA, alert::READ_FAILURE]);
                self.read_errors += 1;
            }
            (0x4, 0x53, _) => raise(&[alert::LOAD_FAILURE]),
            (0x4, ..) => raise(&[alert::HARDWARE]),
            (0x7, 0x27, _) => raise(&[alert::WRITE_PROTECT]),
            (0x0 | 0x1, 0x00, 0x17) => raise(&[alert::CLEAN_SOON]),
            _ => {}
        }
    }
}

fn flag(number: usize) -> u64 {
    1 << (number - 1)
}

/// A parameter of a log page; counters are binary and saved nowhere.
fn parameter(code: u16, value: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &[0x03, value.len() as u8], value].concat()
}

fn counter(code: u16, value: u64) -> Vec<u8> {
    parameter(code, &value.to_be_bytes())
}

impl Drive {
    pub(super) fn log_sense(&mut self, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        let (page, subpage) = (cdb[2] & 0x3f, cdb[3]);
        let from = number(&cdb[5..7]) as u16;
        if subpage != 0 {
            return Err(Say::BAD_FIELD.into());
        }
        let parameters: Vec<u8> = if page == 0 {
            PAGES.to_vec()
        } else {
            let all = self.log_parameters(page).ok_or(Say::BAD_FIELD)?;
            all.into_iter()
                .filter(|one| number(&one[..2]) as u16 >= from)
                .flatten()
                .collect()
        };
        if page == 0x2e {
            self.statistics.alerts = 0;
        }
        let length = (parameters.len() as u16).to_be_bytes();
        let answer = [&[page, 0, length[0], length[1]][..], &parameters].concat();
        give(transfer, number(&cdb[7..9]), &answer)
    }

    fn log_parameters(&self, page: u8) -> Option<Vec<Vec<u8>>> {
        let counted = &self.statistics;
        let errors = |total: u64, bytes: u64| {
            let codes = 0..=6;
            codes
                .map(|code| counter(code, [0, 0, 0, 0, 0, bytes, total][usize::from(code)]))
                .collect()
        };
        match page {
            0x02 => Some(errors(counted.write_errors, counted.written_bytes)),
            0x03 => Some(errors(counted.read_errors, counted.read_bytes)),
            0x0c => Some(vec![
                counter(0, counted.written_bytes),
                counter(1, counted.written_bytes),
                counter(2, counted.read_bytes),
                counter(3, counted.read_bytes),
                // Cleaning wanted.
                counter(
                    0x100,
                    u64::from(counted.alerts & (flag(alert::CLEAN_NOW) | flag(alert::CLEAN_SOON)) != 0),
                ),
            ]),
            0x17 => Some(self.volume_statistics()),
            0x2e => Some(
                (1..=64_u16)
                    .map(|code| parameter(code, &[(counted.alerts >> (code - 1)) as u8 & 1]))
                    .collect(),
            ),
            0x31 => Some(self.tape_capacity()),
            _ => None,
        }
    }

    /// Sizes of a partition in bytes: all, used up to the end of data, left behind it.
    fn sizes(&self, partition: u8) -> (u64, u64, u64) {
        let Some(cartridge) = self.loaded() else {
            return (0, 0, 0);
        };
        let (size, used) = (
            cartridge.card().partition_size(partition),
            cartridge.map(partition).bytes(),
        );
        (size, used, size.saturating_sub(used))
    }

    /// Page 17h, without a cartridge only its first parameter: the page is not valid.
    fn volume_statistics(&self) -> Vec<Vec<u8>> {
        let counted = &self.statistics;
        let Some(cartridge) = self.loaded() else {
            return vec![parameter(0, &[0])];
        };
        let megabytes = |bytes: u64| u32::try_from(bytes / 1_000_000).unwrap_or(u32::MAX);
        let loads = cartridge
            .attribute(0, 3)
            .map_or(0, |attribute| number(&attribute.value));
        let per_partition = |code: u16, of: fn((u64, u64, u64)) -> u64| {
            let records = (0..cartridge.card().partition_count()).flat_map(|partition| {
                let size = megabytes(of(self.sizes(partition))).to_be_bytes();
                [7, 0, 0, partition, size[0], size[1], size[2], size[3]]
            });
            parameter(code, &records.collect::<Vec<u8>>())
        };
        vec![
            parameter(0x0000, &[1]),
            parameter(0x0001, &(loads as u32).to_be_bytes()),
            parameter(0x0004, &(counted.write_errors as u16).to_be_bytes()),
            parameter(0x0009, &(counted.read_errors as u16).to_be_bytes()),
            parameter(0x0010, &megabytes(counted.written_bytes).to_be_bytes()),
            parameter(0x0011, &megabytes(counted.read_bytes).to_be_bytes()),
            per_partition(0x0202, |(size, _, _)| size),
            per_partition(0x0203, |(_, used, _)| used),
            per_partition(0x0204, |(_, _, left)| left),
        ]
    }

    /// Page 31h: remaining and maximum of both partitions in MiB.
    fn tape_capacity(&self) -> Vec<Vec<u8>> {
        let mebibytes = |bytes: u64| u32::try_from(bytes >> 20).unwrap_or(u32::MAX).to_be_bytes();
        let (first, second) = (self.sizes(0), self.sizes(1));
        let values = [first.2, second.2, first.0, second.0];
        (1..)
            .zip(values)
            .map(|(code, bytes)| parameter(code, &mebibytes(bytes)))
            .collect()
    }
}
