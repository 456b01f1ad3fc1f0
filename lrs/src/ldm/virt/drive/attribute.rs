//! The cartridge's memory: READ ATTRIBUTE and WRITE ATTRIBUTE (SPC-4, 6.18 and 6.47; attributes 7.4). The host's are kept
//! as they come; those of the drive and of the medium are made of what is known of them.

use super::Drive;
use super::writing::storage;
use crate::ldm::drive::{Attribute, AttributeFormat};
use crate::ldm::scsi::Transfer;
use crate::ldm::virt::bytes::{give, number, padded, taken};
use crate::ldm::virt::cartridge::{Cartridge, Kind, Tab};
use crate::ldm::virt::sense::{Answered, Check, Say};
use std::collections::BTreeMap;

/// Host attributes begin here; vendors' ranges above them belong to the host as well from 1400h on.
const HOST: std::ops::Range<u16> = 0x0800..0x0c00;
const HOST_VENDOR: std::ops::Range<u16> = 0x1400..0x1800;

/// The longest value that a host may write.
const VALUE_MAX: usize = 1024;

impl Drive {
    pub(super) fn read_attribute(&mut self, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        let (partition, first, allowed) = (cdb[7], number(&cdb[8..10]) as u16, number(&cdb[10..14]));
        let cartridge = self.cartridge()?;
        if partition >= cartridge.card().partition_count() {
            return Err(Say::BAD_FIELD.into());
        }
        let all = attributes(cartridge.as_ref(), partition);
        let body: Vec<u8> = match cdb[1] & 0x1f {
            0 => {
                if first != 0 && !all.contains_key(&first) {
                    return Err(Say::BAD_FIELD.into());
                }
                all.range(first..)
                    .flat_map(|(_, attribute)| encode(attribute))
                    .collect()
            }
            1 => all.range(first..).flat_map(|(id, _)| id.to_be_bytes()).collect(),
            // One logical volume, from 0 on.
            2 => return give(transfer, allowed, &[0, 2, 0, 1]),
            3 => return give(transfer, allowed, &[0, 2, 0, cartridge.card().partition_count()]),
            _ => return Err(Say::BAD_FIELD.into()),
        };
        give(
            transfer,
            allowed,
            &[&(body.len() as u32).to_be_bytes()[..], &body].concat(),
        )
    }

    pub(super) fn write_attribute(&mut self, cdb: &[u8], transfer: &Transfer<'_>) -> Answered {
        let partition = cdb[7];
        let list = taken(transfer, number(&cdb[10..14]))?;
        let cartridge = self.cartridge()?;
        if partition >= cartridge.card().partition_count() {
            return Err(Say::BAD_FIELD.into());
        }
        if list.is_empty() {
            return Ok(0);
        }
        if cartridge.card().tab == Tab::Protected {
            return Err(Say::WRITE_PROTECTED.into());
        }
        // All are looked at before any is written.
        for attribute in decode(list)? {
            cartridge.set_attribute(partition, &attribute).map_err(storage)?;
        }
        Ok(list.len())
    }
}

fn decode(list: &[u8]) -> Result<Vec<Attribute>, Check> {
    let (head, body) = list.split_at_checked(4).ok_or(Say::PARAMETER_LENGTH)?;
    let mut rest = body.get(..number(head) as usize).ok_or(Say::PARAMETER_LENGTH)?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (head, tail) = rest.split_at_checked(5).ok_or(Say::PARAMETER_LENGTH)?;
        let (value, tail) = tail
            .split_at_checked(number(&head[3..5]) as usize)
            .ok_or(Say::PARAMETER_LENGTH)?;
        let id = number(&head[..2]) as u16;
        let format = match head[2] & 3 {
            0 => AttributeFormat::Binary,
            1 => AttributeFormat::Ascii,
            2 => AttributeFormat::Text,
            _ => return Err(Say::BAD_PARAMETER.into()),
        };
        if !HOST.contains(&id) && !HOST_VENDOR.contains(&id) || value.len() > VALUE_MAX {
            return Err(Say::BAD_PARAMETER.into());
        }
        found.push(Attribute {
            id,
            format,
            value: value.to_vec(),
        });
        rest = tail;
    }
    Ok(found)
}

fn encode(attribute: &Attribute) -> Vec<u8> {
    let writable = HOST.contains(&attribute.id) || HOST_VENDOR.contains(&attribute.id);
    let format = match attribute.format {
        AttributeFormat::Binary => 0,
        AttributeFormat::Ascii => 1,
        AttributeFormat::Text => 2,
    };
    let id = attribute.id.to_be_bytes();
    let length = (attribute.value.len() as u16).to_be_bytes();
    let head = [id[0], id[1], u8::from(!writable) << 7 | format, length[0], length[1]];
    [&head[..], &attribute.value].concat()
}

/// Every attribute of a partition.
fn attributes(cartridge: &dyn Cartridge, partition: u8) -> BTreeMap<u16, Attribute> {
    let kept = cartridge.attribute_ids(partition);
    let kept = kept
        .into_iter()
        .filter_map(|id| cartridge.attribute(partition, id).cloned());
    let all = made(cartridge, partition).into_iter().chain(kept);
    all.map(|attribute| (attribute.id, attribute)).collect()
}

/// What the drive and the medium know of themselves (SPC-4, tables 318 and 319), in MiB where it is a capacity.
fn made(cartridge: &dyn Cartridge, partition: u8) -> Vec<Attribute> {
    let card = cartridge.card();
    let binary = |id: u16, value: Vec<u8>| Attribute {
        id,
        format: AttributeFormat::Binary,
        value,
    };
    let ascii = |id: u16, text: &str, length: usize| Attribute {
        id,
        format: AttributeFormat::Ascii,
        value: padded(text, length),
    };
    let mebibytes = |bytes: u64| (bytes >> 20).to_be_bytes().to_vec();
    let size = card.partition_size(partition);
    let left = size.saturating_sub(cartridge.map(partition).bytes());
    let medium_type = match card.kind {
        Kind::Data => 0x00,
        Kind::Cleaning => 0x01,
        Kind::Worm => 0x80,
    };
    vec![
        binary(0x0000, mebibytes(left)),
        binary(0x0001, mebibytes(size)),
        ascii(0x0005, "LTO-CVE", 8),
        binary(0x0006, vec![card.technology.density()]),
        ascii(0x0400, "RESPOOL", 8),
        ascii(0x0401, &card.serial(), 32),
        ascii(0x0404, "LTO-CVE", 8),
        binary(0x0405, vec![card.technology.density()]),
        binary(0x0408, vec![medium_type]),
    ]
}
