//! MODE SENSE and MODE SELECT: block length, density, and pages 0Fh, 10h, 10h/01h and 11h (SSC-5, 8.5).

use super::Drive;
use crate::ldm::scsi::Transfer;
use crate::ldm::virt::bytes::{give, number, taken};
use crate::ldm::virt::cartridge::{Card, Tab};
use crate::ldm::virt::reservation::Initiator;
use crate::ldm::virt::sense::{Answered, Check, Say};
use crate::ldm::virt::technology::Access;

const COMPRESSION: u8 = 0x0f;
const CONFIGURATION: u8 = 0x10;
const PARTITIONS: u8 = 0x11;
const ALL: u8 = 0x3f;

/// How the next FORMAT MEDIUM divides the tape: page 11h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partitioning {
    additional: u8,
    /// FDP, SDP and IDP with the unit (byte 4).
    flags: u8,
    /// Units of the sizes: bytes as a power of ten.
    units: u8,
    sizes: [u16; 2],
}

impl Partitioning {
    /// The sizes in bytes; None: they do not fit. Drives make a partition no smaller than the usual first one, however
    /// little is asked for. A cartridge that was made small for a test has the usual sizes where those asked for, which
    /// count gigabytes, do not fit.
    pub(super) fn sizes(&self, card: &Card) -> Option<Vec<u64>> {
        let initiator_sized = self.flags & 0x20 != 0;
        let usual = card.usual_sizes(self.additional + 1);
        if usual.len() == 1 || !initiator_sized {
            return Some(usual);
        }
        let unit = match self.flags >> 3 & 3 {
            0 => 1,
            1 => 1_000,
            2 => 1_000_000,
            _ => 10_u64.checked_pow(u32::from(self.units))?,
        };
        let room = usual.iter().sum();
        let asked = fitted(self.sizes, unit, room, usual[0]);
        let small = card.capacity < card.technology.capacity();
        asked.or(small.then_some(usual))
    }
}

/// Two sizes in units out of so many bytes, none smaller than the least; FFFFh is what the other one leaves.
fn fitted(sizes: [u16; 2], unit: u64, room: u64, least: u64) -> Option<Vec<u64>> {
    let given = sizes.map(|size| (size != u16::MAX).then(|| u64::from(size).saturating_mul(unit)));
    let at_least = |bytes: u64| bytes.max(least);
    let (first, second) = match given {
        [None, None] | [Some(0), _] | [_, Some(0)] => return None,
        [Some(first), Some(second)] => (at_least(first), at_least(second)),
        [Some(first), None] => (at_least(first), room.checked_sub(at_least(first))?),
        [None, Some(second)] => (room.checked_sub(at_least(second))?, at_least(second)),
    };
    let fits = first >= least && second >= least && first.checked_add(second).is_some_and(|sum| sum <= room);
    fits.then(|| vec![first, second])
}

/// What was set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Modes {
    /// Bytes of a fixed block; 0: of any length.
    pub(super) block_length: u32,
    /// The density that the next format writes; 0: as it is.
    pub(super) density: u8,
    pub(super) partitioning: Partitioning,
    pub(super) append_only: bool,
    compression: bool,
}

impl Default for Modes {
    fn default() -> Self {
        Self {
            block_length: 0,
            density: 0,
            partitioning: Partitioning {
                additional: 0,
                flags: 0x3c,
                units: 9,
                sizes: [u16::MAX, 0],
            },
            append_only: false,
            compression: true,
        }
    }
}

impl Modes {
    /// As after power on.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// A page or subpage as (page, subpage, bytes).
type Page = (u8, u8, Vec<u8>);

impl Drive {
    pub(super) fn mode_sense(&mut self, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        let long = cdb[0] == 0x5a;
        let allowed = if long { number(&cdb[7..9]) } else { u64::from(cdb[4]) };
        let (page, subpage, control) = (cdb[2] & 0x3f, cdb[3], cdb[2] >> 6);
        // Page 0: the block descriptor alone. Saved values (3) there are none.
        let wanted = |one: &Page| page == ALL || one.0 == page && (one.1 == subpage || subpage == 0xff);
        let pages: Vec<u8> = self.pages().into_iter().filter(wanted).flat_map(|one| one.2).collect();
        if control == 3 || page != 0 && pages.is_empty() {
            return Err(if control == 3 {
                Say::new(0x5, 0x39, 0x00)
            } else {
                Say::BAD_FIELD
            }
            .into());
        }
        let descriptor = if cdb[1] & 8 == 8 {
            Vec::new()
        } else {
            self.block_descriptor()
        };
        let (medium_type, protected) = match self.loaded() {
            Some(cartridge) => {
                let tab = cartridge.card().tab == Tab::Protected;
                (
                    cartridge.card().medium_type(),
                    tab || self.access() == Some(Access::ReadOnly),
                )
            }
            None => (0, false),
        };
        // Buffered mode 1.
        let specific = u8::from(protected) << 7 | 0x10;
        let length = descriptor.len() as u8;
        let head = if long {
            let total = (6 + descriptor.len() + pages.len()) as u16;
            [&total.to_be_bytes()[..], &[medium_type, specific, 0, 0, 0, length]].concat()
        } else {
            vec![
                (3 + descriptor.len() + pages.len()) as u8,
                medium_type,
                specific,
                length,
            ]
        };
        give(transfer, allowed, &[head, descriptor, pages].concat())
    }

    fn block_descriptor(&self) -> Vec<u8> {
        let own = self.identity.technology.density();
        let density = self
            .loaded()
            .map_or(own, |cartridge| cartridge.card().technology.density());
        let length = self.modes.block_length.to_be_bytes();
        vec![density, 0, 0, 0, 0, length[1], length[2], length[3]]
    }

    fn pages(&self) -> Vec<Page> {
        let modes = &self.modes;
        let mut compression = vec![COMPRESSION, 0x0e, u8::from(modes.compression) << 7 | 0x40, 0x80];
        compression.extend([0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]);
        // Write delay of 10 s, logical block identifiers supported, EOD written at end of data, early warning of its own.
        let mut configuration = vec![
            CONFIGURATION,
            0x0e,
            0,
            self.partition(),
            0,
            0,
            0,
            0x64,
            0x40,
            0,
            0x18,
            0,
            0,
            0,
        ];
        configuration.extend([u8::from(modes.compression), 0]);
        let mut extension = vec![CONFIGURATION | 0x40, 1, 0, 0x1c, 0, u8::from(modes.append_only) << 4];
        extension.resize(32, 0);
        vec![
            (COMPRESSION, 0, compression),
            (CONFIGURATION, 0, configuration),
            (CONFIGURATION, 1, extension),
            (PARTITIONS, 0, self.partition_page()),
        ]
    }

    fn partition_page(&self) -> Vec<u8> {
        let gigabytes = |bytes: u64| u16::try_from(bytes / 1_000_000_000).unwrap_or(u16::MAX);
        let (additional, sizes) = match self.loaded() {
            Some(cartridge) => {
                let card = cartridge.card();
                (
                    card.partition_count() - 1,
                    [gigabytes(card.partition_size(0)), gigabytes(card.partition_size(1))],
                )
            }
            None => (self.modes.partitioning.additional, self.modes.partitioning.sizes),
        };
        // One additional partition at most; sizes by the initiator, in powers of ten; format and partitions recognised.
        let mut page = vec![PARTITIONS, 6 + 2 * (additional + 1), 1, additional, 0x3c, 3, 9, 0];
        page.extend(
            sizes
                .iter()
                .take(usize::from(additional) + 1)
                .flat_map(|size| size.to_be_bytes()),
        );
        page
    }

    pub(super) fn mode_select(&mut self, from: Initiator, cdb: &[u8], transfer: &Transfer<'_>) -> Answered {
        let long = cdb[0] == 0x55;
        let announced = if long { number(&cdb[7..9]) } else { u64::from(cdb[4]) };
        let list = taken(transfer, announced)?;
        if list.is_empty() {
            return Ok(0);
        }
        let (head, at) = if long { (8, 6..8) } else { (4, 3..4) };
        if list.len() < head {
            return Err(Say::PARAMETER_LENGTH.into());
        }
        let descriptor = number(&list[at]) as usize;
        let rest = list.get(head + descriptor..).ok_or(Say::PARAMETER_LENGTH)?;
        let mut modes = self.modes;
        match descriptor {
            0 => {}
            8 => {
                modes.density = list[head];
                modes.block_length = number(&list[head + 5..head + 8]) as u32;
            }
            _ => return Err(Say::BAD_PARAMETER.into()),
        }
        select_pages(&mut modes, rest)?;
        self.modes = modes;
        self.initiators.tell_others(from, Say::MODE_CHANGED);
        Ok(list.len())
    }
}

/// Takes over every page of a list, or nothing.
fn select_pages(modes: &mut Modes, mut rest: &[u8]) -> Result<(), Check> {
    while !rest.is_empty() {
        let with_subpage = rest[0] & 0x40 == 0x40;
        let head = if with_subpage { 4 } else { 2 };
        let length = rest.get(..head).ok_or(Say::PARAMETER_LENGTH)?;
        let length = if with_subpage {
            number(&length[2..4]) as usize
        } else {
            usize::from(length[1])
        };
        let body = rest.get(head..head + length).ok_or(Say::PARAMETER_LENGTH)?;
        match (rest[0] & 0x3f, with_subpage) {
            (COMPRESSION, false) if length >= 1 => modes.compression = body[0] & 0x80 != 0,
            (CONFIGURATION, false) => {}
            (CONFIGURATION, true) if length >= 2 && rest[1] == 1 => modes.append_only = body[1] >> 4 == 1,
            (PARTITIONS, false) if length >= 8 => modes.partitioning = partitioning(body)?,
            _ => return Err(Say::BAD_PARAMETER.into()),
        }
        rest = &rest[head + length..];
    }
    Ok(())
}

/// Page 11h from its third byte on.
fn partitioning(body: &[u8]) -> Result<Partitioning, Check> {
    let size = |at: usize| body.get(at..at + 2).map_or(0, |bytes| number(bytes) as u16);
    match body[1] {
        additional @ (0 | 1) => Ok(Partitioning {
            additional,
            flags: body[2],
            units: body[4] & 0x0f,
            sizes: [size(6), size(8)],
        }),
        _ => Err(Say::BAD_PARAMETER.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_no_smaller_than_the_drive_makes_them() {
        let gigabyte = 1_000_000_000;
        let room = 100 * gigabyte;
        let of = |sizes| fitted(sizes, gigabyte, room, 2 * gigabyte);
        assert_eq!(of([1, u16::MAX]), Some(vec![2 * gigabyte, 98 * gigabyte]));
        assert_eq!(of([u16::MAX, 60]), Some(vec![40 * gigabyte, 60 * gigabyte]));
        assert_eq!(of([10, 20]), Some(vec![10 * gigabyte, 20 * gigabyte]));
        assert_eq!(of([99, u16::MAX]), None);
        assert_eq!(of([60, 60]), None);
        assert_eq!(of([u16::MAX, u16::MAX]), None);
        assert_eq!(of([0, u16::MAX]), None);
    }
}
