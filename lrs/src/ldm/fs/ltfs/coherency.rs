//! Volume coherency information: attribute 080C of each partition, which tells where its last index is, and attribute
//! 0009, the volume change reference by which its age is told (LTFS format specification, annex on MAM; SPC-4, 7.4).

use uuid::Uuid;

/// Length of the attribute's value in bytes.
pub const LENGTH: usize = 70;

/// Length of what is the application's own: 43, and 42 from very old writers.
const OWN: [u16; 2] = [43, 42];

/// What the attribute says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coherency {
    /// Attribute 0009 of partition 0 when this was written.
    pub change_reference: u64,
    /// Generation of the partition's last index.
    pub generation: u64,
    /// Its first record's block.
    pub block: u64,
    /// The volume.
    pub volume: Uuid,
}

/// Why the attribute cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoherencyFault {
    /// It is not laid out as it must be.
    #[error("it is malformed: {_0}")]
    Malformed(&'static str),
    /// Its version is not 1: not to be trusted.
    #[error("its version is {_0}, and only 1 is to be trusted")]
    Version(u8),
}

/// The attribute's value.
pub fn encode(coherency: &Coherency) -> Vec<u8> {
    let mut value = Vec::with_capacity(LENGTH);
    value.push(8);
    value.extend(coherency.change_reference.to_be_bytes());
    value.extend(coherency.generation.to_be_bytes());
    value.extend(coherency.block.to_be_bytes());
    value.extend(OWN[0].to_be_bytes());
    value.extend(b"LTFS\0");
    value.extend(coherency.volume.hyphenated().to_string().as_bytes());
    value.extend([0, 1]);
    value
}

fn number(value: &[u8], at: usize) -> u64 {
    let bytes = value[at..at + 8].try_into().expect("eight bytes");
    u64::from_be_bytes(bytes)
}

/// Reads the attribute's value. The byte behind `LTFS` is not looked at: the reference leaves it as it was.
pub fn decode(value: &[u8]) -> Result<Coherency, CoherencyFault> {
    // The old form lacks the last byte of its own; a drive may keep the room.
    if !(LENGTH - 1..=LENGTH).contains(&value.len()) {
        return Err(CoherencyFault::Malformed("its length is not 70 bytes"));
    }
    if value[0] != 8 {
        return Err(CoherencyFault::Malformed("its change reference is not of 8 bytes"));
    }
    let own = u16::from_be_bytes([value[25], value[26]]);
    if !OWN.contains(&own) || value.len() < 27 + usize::from(own) {
        return Err(CoherencyFault::Malformed("its application's part has another length"));
    }
    if &value[27..31] != b"LTFS" || value[68] != 0 {
        return Err(CoherencyFault::Malformed("it is not of LTFS"));
    }
    let volume = std::str::from_utf8(&value[32..68])
        .ok()
        .and_then(|text| Uuid::try_parse(text).ok())
        .ok_or(CoherencyFault::Malformed("its volume is no UUID"))?;
    // Where the version byte is missing, in the old form, there is only the first version.
    match value.get(69) {
        None | Some(1) => {}
        Some(&version) => return Err(CoherencyFault::Version(version)),
    }
    Ok(Coherency {
        change_reference: number(value, 1),
        generation: number(value, 9),
        block: number(value, 17),
        volume,
    })
}

/// Attribute 0009, the volume change reference, as a number; None: a value by which nothing can be told (none, all zeros,
/// all ones, or longer than 8 bytes).
pub fn change_reference(value: &[u8]) -> Option<u64> {
    let telling =
        (1..=8).contains(&value.len()) && value.iter().any(|byte| *byte != 0) && value.iter().any(|byte| *byte != 0xff);
    telling.then(|| value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Coherency {
        Coherency {
            change_reference: 2,
            generation: 10,
            block: 822,
            volume: Uuid::from_u128(0x8153b06847514c589f335814bae56e73),
        }
    }

    #[test]
    fn a_value_comes_back_byte_by_byte() {
        let value = encode(&some());
        assert_eq!(
            (value.len(), value[0], &value[25..32]),
            (LENGTH, 8, &b"\0\x2bLTFS\0"[..])
        );
        assert_eq!(decode(&value), Ok(some()));
    }

    #[test]
    fn the_uninitialised_byte_and_the_old_length_are_taken() {
        let mut value = encode(&some());
        value[31] = 0xaa;
        assert_eq!(decode(&value), Ok(some()));
        value[26] = 42;
        assert_eq!(decode(&value), Ok(some()));
        value.pop();
        assert_eq!(decode(&value), Ok(some()));
        value[26] = 43;
        assert!(decode(&value).is_err());
    }

    #[test]
    fn version_0_and_nonsense_are_refused() {
        let mut value = encode(&some());
        value[69] = 0;
        assert_eq!(decode(&value), Err(CoherencyFault::Version(0)));
        for at in [0, 26, 27, 40, 68] {
            let mut value = encode(&some());
            value[at] = b'?';
            assert!(decode(&value).is_err(), "byte {at}");
        }
        assert!(decode(&[]).is_err() && decode(&[8; 71]).is_err());
    }

    #[test]
    fn a_change_reference_of_zeros_or_ones_tells_nothing() {
        assert_eq!(change_reference(&[0, 0, 0, 2]), Some(2));
        assert_eq!(change_reference(&[0xff, 0xff, 0xff, 0xfe]), Some(0xffff_fffe));
        for silent in [&[][..], &[0; 4], &[0xff; 4], &[1; 9]] {
            assert_eq!(change_reference(silent), None);
        }
    }
}
