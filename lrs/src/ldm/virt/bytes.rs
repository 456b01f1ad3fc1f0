//! Big-endian numbers in command blocks and answers, and answers cut to the length that was allowed.

use super::sense::{Answered, Check, Say};
use crate::ldm::scsi::Transfer;

/// The number in these bytes, at most eight.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// The signed number in these bytes, at most eight.
pub(super) fn signed(bytes: &[u8]) -> i64 {
    let spare = 64 - 8 * bytes.len() as u32;
    (number(bytes) << spare).cast_signed() >> spare
}

/// Text in a field of fixed length: cut, or filled with spaces.
pub(super) fn padded(text: &str, length: usize) -> Vec<u8> {
    let mut field: Vec<u8> = text.bytes().take(length).collect();
    field.resize(length, b' ');
    field
}

/// Gives an answer of which at most `allowed` bytes are wanted; answers how many were moved.
pub(super) fn give(transfer: &mut Transfer<'_>, allowed: u64, answer: &[u8]) -> Answered {
    let Transfer::In(buffer) = transfer else {
        // Nothing is wanted, or the host got the direction wrong: nothing is moved.
        return Ok(0);
    };
    let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
    let count = answer.len().min(allowed).min(buffer.len());
    buffer[..count].copy_from_slice(&answer[..count]);
    Ok(count)
}

/// The parameter list of a command that announces so many bytes of it.
pub(super) fn taken<'a>(transfer: &'a Transfer<'_>, announced: u64) -> Result<&'a [u8], Check> {
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    match transfer {
        Transfer::Out(bytes) if bytes.len() >= announced => Ok(&bytes[..announced]),
        _ if announced == 0 => Ok(&[]),
        _ => Err(Say::PARAMETER_LENGTH.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_numbers_keep_their_sign_at_any_width() {
        assert_eq!(signed(&[0xff, 0xff, 0xfe]), -2);
        assert_eq!(signed(&[0x7f, 0xff, 0xff]), 0x7f_ffff);
        assert_eq!(signed(&(-5_i64).to_be_bytes()), -5);
    }
}
