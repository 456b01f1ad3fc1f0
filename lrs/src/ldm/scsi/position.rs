//! READ POSITION, long form (SSC-4, 7.6.3).

use super::data::{Data, Malformed};
use crate::ldm::drive::Position;

/// How many bytes the long form has.
pub const BYTES: usize = 32;

/// Where a drive stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongPosition {
    /// Partition and block.
    pub position: Position,
    /// Filemarks before it in the partition; None: the drive has not counted them.
    pub filemarks: Option<u64>,
    /// At the beginning of the partition.
    pub beginning: bool,
    /// Between early warning and the end of the partition.
    pub end: bool,
    /// Beyond the programmable early warning.
    pub early_warning: bool,
}

/// Reads the long form. A drive that says that it does not know where it stands is an error: no number of such an answer
/// is of use.
pub fn long(bytes: &[u8]) -> Result<LongPosition, Malformed> {
    let data = Data::new("READ POSITION, long form", bytes);
    let flags = data.u8(0)?;
    if flags & 0x04 != 0 {
        return Err(data.wrong("the drive does not know which block it stands at"));
    }
    let partition = data.u32(4)?;
    let partition =
        u8::try_from(partition).map_err(|_| data.wrong(format!("there is no partition of number {partition}")))?;
    let filemarks = data.u64(16)?;
    // Only so far that the answer is known to be whole.
    data.slice(0, BYTES)?;
    Ok(LongPosition {
        position: Position::at(partition, data.u64(8)?),
        filemarks: (flags & 0x08 == 0).then_some(filemarks),
        beginning: flags & 0x80 != 0,
        end: flags & 0x40 != 0,
        early_warning: flags & 0x01 != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        (bytes[7], bytes[15], bytes[23]) = (1, 17, 3);
        bytes
    }

    #[test]
    fn partition_block_and_filemarks_are_where_the_standard_has_them() {
        let found = long(&answer()).unwrap();
        assert_eq!(found.position, Position::at(1, 17));
        assert_eq!(found.filemarks, Some(3));
    }

    #[test]
    fn a_drive_that_does_not_know_where_it_stands_is_not_believed() {
        let mut bytes = answer();
        bytes[0] = 0x04;
        assert!(long(&bytes).unwrap_err().to_string().contains("does not know"));
        bytes[0] = 0x08;
        assert_eq!(long(&bytes).unwrap().filemarks, None);
        assert!(long(&answer()[..31]).is_err());
        bytes[4] = 1;
        assert!(long(&bytes).unwrap_err().to_string().contains("no partition"));
    }
}
