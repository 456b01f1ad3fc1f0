//! The VOL1 record: the first block of each partition, 80 bytes of ASCII after ANSI X3.27, that says whose tape it is.

/// Its length in bytes.
pub const LENGTH: usize = 80;

/// Letters and digits of a volume's serial number at most.
pub const SERIAL_MAX: usize = 6;

/// Why a record is no VOL1 record of LTFS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Vol1Fault {
    /// It does not begin as one: no labelled tape, or not of ANSI.
    #[error("the first record is no VOL1 label")]
    NotVol1,
    /// It is of another application, which the four bytes at 24 name.
    #[error("the VOL1 label is of {_0:?}, not of LTFS")]
    OtherFormat(String),
    /// A field of it is wrong.
    #[error("the VOL1 label's {_0}")]
    Field(&'static str),
}

/// A serial number: up to six capital letters and digits, or none.
pub fn is_serial(serial: &str) -> bool {
    serial.len() <= SERIAL_MAX
        && serial
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The record for a serial number; None: that is no serial number.
pub fn encode(serial: &str) -> Option<[u8; LENGTH]> {
    if !is_serial(serial) {
        return None;
    }
    let mut record = [b' '; LENGTH];
    record[..4].copy_from_slice(b"VOL1");
    record[4..4 + serial.len()].copy_from_slice(serial.as_bytes());
    record[10] = b'L';
    record[24..28].copy_from_slice(b"LTFS");
    record[79] = b'4';
    Some(record)
}

/// The serial number of a record.
pub fn decode(record: &[u8]) -> Result<String, Vol1Fault> {
    if !record.starts_with(b"VOL1") {
        return Err(Vol1Fault::NotVol1);
    }
    match record.get(24..28) {
        Some(b"LTFS") => {}
        Some(other) => return Err(Vol1Fault::OtherFormat(String::from_utf8_lossy(other).into_owned())),
        None => return Err(Vol1Fault::Field("length is not 80 bytes")),
    }
    if record.len() != LENGTH {
        return Err(Vol1Fault::Field("length is not 80 bytes"));
    }
    let serial = String::from_utf8_lossy(&record[4..10]).trim_end_matches(' ').to_owned();
    if !is_serial(&serial) {
        return Err(Vol1Fault::Field("serial number is not of capital letters and digits"));
    }
    if record[10] != b'L' || record[79] != b'4' {
        return Err(Vol1Fault::Field("accessibility or standard version is another one"));
    }
    Ok(serial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_and_every_wrong_field_is_noticed() {
        let record = encode("SMP001").unwrap();
        assert_eq!(decode(&record), Ok("SMP001".to_owned()));
        assert_eq!(decode(&encode("A").unwrap()), Ok("A".to_owned()));
        assert_eq!((encode("smp001"), encode("SMP0012")), (None, None));
        for at in [0, 4, 10, 24, 79] {
            let mut wrong = record;
            wrong[at] = b'?';
            assert!(decode(&wrong).is_err(), "byte {at}");
        }
        assert_eq!(decode(&record[..79]), Err(Vol1Fault::Field("length is not 80 bytes")));
        assert_eq!(decode(b"VOL1"), Err(Vol1Fault::Field("length is not 80 bytes")));
        assert_eq!(decode(b""), Err(Vol1Fault::NotVol1));
    }
}
