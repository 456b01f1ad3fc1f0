//! PERSISTENT RESERVE IN and OUT (SPC-4, 6.15 and 6.16).

use super::data::{Data, Malformed};
use std::fmt;

/// A host's key. 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u64);

impl Key {
    /// A key; None for 0, which unregisters.
    pub fn new(key: u64) -> Option<Self> {
        (key != 0).then_some(Self(key))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#018x}", self.0)
    }
}

/// Bytes of PERSISTENT RESERVE OUT's list.
pub const LIST_BYTES: usize = 24;

/// PERSISTENT RESERVE OUT's list: the key that is registered, and the one to register; None is none. The registration ends
/// with the drive's power: a host that is gone holds nothing for ever.
pub fn list(registered: Option<Key>, to_register: Option<Key>) -> [u8; LIST_BYTES] {
    let mut bytes = [0; LIST_BYTES];
    bytes[..8].copy_from_slice(&registered.map_or(0, |key| key.0).to_be_bytes());
    bytes[8..16].copy_from_slice(&to_register.map_or(0, |key| key.0).to_be_bytes());
    bytes
}

/// Who holds a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// By which key.
    pub key: Option<Key>,
    /// How: 1 write exclusive, 3 exclusive access, 5 to 8 by registrants (SPC-4, table 217).
    pub kind: u8,
}

/// READ RESERVATION's answer; None: nobody holds it.
pub fn reservation(bytes: &[u8]) -> Result<Option<Reservation>, Malformed> {
    let data = Data::new("PERSISTENT RESERVE IN, READ RESERVATION", bytes);
    if data.u32(4)? == 0 {
        return Ok(None);
    }
    Ok(Some(Reservation {
        key: Key::new(data.u64(8)?),
        kind: data.u8(21)? & 0x0f,
    }))
}

/// READ KEYS' answer: the keys of all registered hosts, as far as they were not cut off.
pub fn keys(bytes: &[u8]) -> Result<Vec<Key>, Malformed> {
    let data = Data::new("PERSISTENT RESERVE IN, READ KEYS", bytes);
    let length = usize::try_from(data.u32(4)?).unwrap_or(usize::MAX);
    let keys = data.at_most(8, length).bytes().chunks_exact(8);
    Ok(keys.filter_map(|key| Key::new(super::data::number(key))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Laid out by hand after SPC-4, tables 209, 212 and 229.
    #[test]
    fn a_holder_is_named_by_its_key() {
        let mut bytes = [0; 24];
        assert_eq!(reservation(&bytes), Ok(None));
        (bytes[7], bytes[8], bytes[15], bytes[21]) = (16, 0x52, 0x07, 0x03);
        let found = reservation(&bytes).unwrap().unwrap();
        assert_eq!((found.key, found.kind), (Key::new(0x5200_0000_0000_0007), 3));
        assert_eq!(found.key.unwrap().to_string(), "0x5200000000000007");
        assert!(reservation(&bytes[..20]).is_err());
    }

    #[test]
    fn keys_are_as_many_as_came() {
        let mut bytes = vec![0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
        bytes.extend(5u64.to_be_bytes());
        bytes.extend([1, 2, 3]);
        assert_eq!(keys(&bytes).unwrap(), [Key(5)]);
    }

    #[test]
    fn the_list_has_the_old_key_first() {
        let list = list(Key::new(1), Key::new(2));
        assert_eq!((list[7], list[15], list[20]), (1, 2, 0));
    }
}
