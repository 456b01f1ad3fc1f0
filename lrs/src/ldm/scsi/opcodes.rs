//! REPORT SUPPORTED OPERATION CODES, all of them (SPC-4, 6.35.2).

use super::data::{Data, Malformed};
use std::collections::BTreeSet;

/// Commands that a device knows: operation code, and service action where it has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opcodes(BTreeSet<(u8, Option<u16>)>);

impl Opcodes {
    /// Whether it knows a command, with any service action.
    pub fn knows(&self, code: u8) -> bool {
        self.0.range((code, None)..=(code, Some(u16::MAX))).next().is_some()
    }

    /// Whether it knows a command with this service action.
    pub fn knows_action(&self, code: u8, action: u16) -> bool {
        self.0.contains(&(code, Some(action)))
    }
}

/// A descriptor, and what a timeout descriptor adds to it.
const DESCRIPTOR: usize = 8;
const TIMEOUT: usize = 12;

/// Reads the list; descriptors that the allocation length cut off are left out.
pub fn opcodes(bytes: &[u8]) -> Result<Opcodes, Malformed> {
    let data = Data::new("REPORT SUPPORTED OPERATION CODES", bytes);
    let mut rest = data.at_most(4, usize::try_from(data.u32(0)?).unwrap_or(usize::MAX));
    let mut known = BTreeSet::new();
    while let Ok(descriptor) = rest.slice(0, DESCRIPTOR) {
        let action = (descriptor[5] & 0x01 != 0).then(|| u16::from_be_bytes([descriptor[2], descriptor[3]]));
        known.insert((descriptor[0], action));
        let length = match descriptor[5] & 0x02 {
            0 => DESCRIPTOR,
            _ => DESCRIPTOR + TIMEOUT,
        };
        rest = rest.at_most(length, rest.len());
    }
    Ok(Opcodes(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_known_with_and_without_service_actions() {
        let mut bytes = vec![0, 0, 0, 36];
        bytes.extend([0x08, 0, 0, 0, 0, 0x02, 0, 6]);
        bytes.extend([0; TIMEOUT]);
        bytes.extend([0xa3, 0, 0, 0x1d, 0, 0x01, 0, 12]);
        bytes.extend([0x0a, 0, 0, 0, 0, 0, 0, 6]);
        let known = opcodes(&bytes).unwrap();
        assert!(known.knows(0x08) && known.knows(0xa3) && known.knows(0x0a) && !known.knows(0x09));
        assert!(known.knows_action(0xa3, 0x1d) && !known.knows_action(0xa3, 0x0c));
        assert!(!opcodes(&bytes[..36]).unwrap().knows(0x0a));
    }
}
