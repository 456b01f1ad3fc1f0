//! Lines of a medium's own index: one JSON object each, which begins with the CRC of the rest of its line.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// `{"crc32":"xxxxxxxx"`; the comma that follows is the first byte the CRC covers.
const HEAD: usize = 19;

/// The line of a record that is a JSON object, without a newline.
pub(super) fn write(record: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(record).expect("a record is plain data");
    let mut line = Vec::with_capacity(json.len() + HEAD + 2);
    line.extend_from_slice(b"{\"crc32\":\"00000000\",");
    line.extend_from_slice(&json[1..]);
    let crc = crc32fast::hash(&line[HEAD..]);
    line[10..18].copy_from_slice(format!("{crc:08x}").as_bytes());
    line
}

/// What a line says; None when it is damaged, or says something else.
pub(super) fn read<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let (head, rest) = line.split_at_checked(HEAD)?;
    let digits = head.strip_prefix(b"{\"crc32\":\"")?.strip_suffix(b"\"")?;
    if digits != format!("{:08x}", crc32fast::hash(rest)).as_bytes() {
        return None;
    }
    let mut json = rest.to_vec();
    *json.first_mut()? = b'{';
    serde_json::from_slice(&json).ok()
}
