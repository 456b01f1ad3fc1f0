//! READ BLOCK LIMITS (SSC-4, 7.5).

use super::data::{Data, Malformed};

/// How long blocks may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimits {
    /// At most so many bytes; None: no limit.
    pub most: Option<u32>,
    /// At least so many bytes.
    pub least: u16,
    /// Lengths are multiples of 2 to the power of this.
    pub granularity: u8,
}

/// Reads the 6 bytes.
pub fn block_limits(bytes: &[u8]) -> Result<BlockLimits, Malformed> {
    let data = Data::new("READ BLOCK LIMITS", bytes);
    let most = data.number(1, 3)? as u32;
    let least = data.u16(4)?;
    if most != 0 && most < u32::from(least) {
        return Err(data.wrong(format!("at most {most} bytes and at least {least}")));
    }
    Ok(BlockLimits {
        most: (most != 0).then_some(most),
        least,
        granularity: data.u8(0)? & 0x1f,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_24_and_16_bits() {
        let lto = block_limits(&[0, 0x80, 0, 0, 0, 1]).unwrap();
        assert_eq!((lto.most, lto.least), (Some(8 << 20), 1));
        assert_eq!(block_limits(&[0, 0, 0, 0, 0, 1]).unwrap().most, None);
        assert!(block_limits(&[0, 0, 0, 1, 0, 2]).is_err());
        assert!(block_limits(&[0, 0, 0, 1, 0]).is_err());
    }
}
