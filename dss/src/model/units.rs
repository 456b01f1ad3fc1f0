//! Byte counts and digests.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

/// The bytes that one chunk digest covers; the last chunk of an extent may be shorter.
pub const CHUNK_BYTES: u64 = 16 << 20;

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ByteCount(pub u64);

impl ByteCount {
    /// None at all.
    pub const ZERO: Self = Self(0);

    /// The count as PostgreSQL keeps it. Media are far below 2^63 bytes; more is a bug.
    pub fn as_i64(self) -> i64 {
        i64::try_from(self.0).expect("a byte count is below 2^63")
    }

    /// The count from PostgreSQL, where a CHECK keeps it at 0 or above.
    pub fn from_i64(value: i64) -> Self {
        Self(u64::try_from(value).expect("the catalogue keeps byte counts at 0 or above"))
    }

    /// `self - other`, or zero.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for ByteCount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}
impl AddAssign for ByteCount {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}
impl Sub for ByteCount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}
impl Sum for ByteCount {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::ZERO, Add::add)
    }
}
impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while value >= 1024.0 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        write!(f, "{value:.1} {}", UNITS[unit])
    }
}

/// A BLAKE3-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct Blake3(pub [u8; 32]);

impl Blake3 {
    /// From the catalogue's or a manifest's bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// From 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text).ok().map(|hash| Self(*hash.as_bytes()))
    }
}

impl fmt::Display for Blake3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}
impl fmt::Debug for Blake3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl Serialize for Blake3 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Blake3 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("a BLAKE3 digest has 64 hexadecimal digits"))
    }
}

/// What is known of the bytes of one extent: the whole twice, and each chunk.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digests {
    /// How many bytes the digests cover.
    pub bytes: ByteCount,
    /// BLAKE3-256 of the whole.
    pub blake3: Blake3,
    /// CRC-32/ISO-HDLC of the whole (check value of "123456789": cbf43926).
    pub crc32: u32,
    /// CRC-32/ISO-HDLC of each chunk of [`CHUNK_BYTES`], in order.
    pub chunk_crcs: Vec<u32>,
}

impl Digests {
    /// The digests of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut digester = Digester::new();
        digester.update(bytes);
        digester.finish()
    }

    /// Whether length, number of chunks, and the chunks combined to the whole agree, without reading a byte of data.
    pub fn is_consistent(&self) -> bool {
        let chunks = self.bytes.0.div_ceil(CHUNK_BYTES);
        self.chunk_crcs.len() as u64 == chunks && combine(&self.chunk_crcs, self.bytes.0) == self.crc32
    }

    /// The chunk CRCs as the catalogue keeps them: big-endian, four bytes each.
    pub fn chunk_crcs_to_bytes(&self) -> Vec<u8> {
        self.chunk_crcs.iter().flat_map(|crc| crc.to_be_bytes()).collect()
    }

    /// The inverse of [`Self::chunk_crcs_to_bytes`]; None when the length is not a multiple of four.
    pub fn chunk_crcs_from_bytes(bytes: &[u8]) -> Option<Vec<u32>> {
        let (quads, rest) = bytes.as_chunks::<4>();
        rest.is_empty()
            .then(|| quads.iter().map(|quad| u32::from_be_bytes(*quad)).collect())
    }
}

fn combine(chunks: &[u32], bytes: u64) -> u32 {
    let mut whole = crc32fast::Hasher::new();
    for (position, crc) in chunks.iter().enumerate() {
        let start = position as u64 * CHUNK_BYTES;
        whole.combine(&crc32fast::Hasher::new_with_initial_len(
            *crc,
            bytes.saturating_sub(start).min(CHUNK_BYTES),
        ));
    }
    whole.finalize()
}

/// Digests a stream, in pieces of any size.
#[derive(Clone, Debug, Default)]
pub struct Digester {
    bytes: u64,
    blake3: blake3::Hasher,
    chunk: crc32fast::Hasher,
    chunk_crcs: Vec<u32>,
}

impl Digester {
    /// Before the first byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece.
    pub fn update(&mut self, mut piece: &[u8]) {
        self.blake3.update(piece);
        while !piece.is_empty() {
            let room = CHUNK_BYTES - self.bytes % CHUNK_BYTES;
            let take = piece.len().min(usize::try_from(room).expect("a chunk fits in memory"));
            self.chunk.update(&piece[..take]);
            self.bytes += take as u64;
            if self.bytes.is_multiple_of(CHUNK_BYTES) {
                self.chunk_crcs.push(std::mem::take(&mut self.chunk).finalize());
            }
            piece = &piece[take..];
        }
    }

    /// How many bytes were taken so far.
    pub fn bytes(&self) -> ByteCount {
        ByteCount(self.bytes)
    }

    /// The digests of the complete chunks so far, to compare while more bytes come.
    pub fn complete_chunks(&self) -> &[u32] {
        &self.chunk_crcs
    }

    /// After the last byte.
    pub fn finish(mut self) -> Digests {
        if !self.bytes.is_multiple_of(CHUNK_BYTES) {
            self.chunk_crcs.push(self.chunk.finalize());
        }
        Digests {
            bytes: ByteCount(self.bytes),
            blake3: Blake3(*self.blake3.finalize().as_bytes()),
            crc32: combine(&self.chunk_crcs, self.bytes),
            chunk_crcs: self.chunk_crcs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_iso_hdlc() {
        assert_eq!(Digests::of(b"123456789").crc32, 0xcbf4_3926);
    }

    #[test]
    fn chunks_combine_to_the_whole_whatever_the_pieces() {
        let data: Vec<u8> = (0..(CHUNK_BYTES as usize * 2 + 12_345))
            .map(|i| (i * 31 % 251) as u8)
            .collect();
        let mut digester = Digester::new();
        for piece in data.chunks(1_000_003) {
            digester.update(piece);
        }
        let digests = digester.finish();
        assert_eq!(digests.chunk_crcs.len(), 3);
        assert_eq!(digests.crc32, crc32fast::hash(&data));
        assert!(digests.is_consistent());
    }

    #[test]
    fn no_bytes_have_no_chunks_and_are_consistent() {
        let digests = Digests::of(b"");
        assert!(digests.chunk_crcs.is_empty() && digests.is_consistent());
    }

    #[test]
    fn a_size_off_by_one_is_noticed_without_reading() {
        let mut digests = Digests::of(&vec![7; CHUNK_BYTES as usize + 1000]);
        digests.bytes = ByteCount(digests.bytes.0 + 1);
        assert!(!digests.is_consistent(), "the length enters where chunks are combined");
    }
}
