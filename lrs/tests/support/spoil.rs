//! Bytes that something happened to: bits flipped, ends cut off, pieces of one put into another, and lengths that cannot be.

use proptest::collection::vec;
use proptest::prelude::*;

/// One thing that happens to bytes. Places are taken modulo the length.
#[derive(Clone, Debug)]
pub enum Spoil {
    /// A bit changes.
    Flip { at: usize, bit: u8 },
    /// What follows is gone.
    Cut { at: usize },
    /// A piece of other bytes comes between, or in the place of as many.
    Splice {
        at: usize,
        from: usize,
        length: usize,
        replace: bool,
    },
    /// A big-endian number of 1 to 8 bytes becomes an absurd one.
    Length { at: usize, bytes: usize, value: u64 },
}

/// What can be a length and is none.
fn absurd() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(u64::MAX >> 1),
        Just(0x0101_0101_0101_0101),
        Just(0xffff_fffe_ffff_fffe),
        any::<u64>(),
    ]
}

/// One to six of them.
pub fn spoils() -> impl Strategy<Value = Vec<Spoil>> {
    let place = 0..1_000_000_usize;
    let one = prop_oneof![
        3 => (place.clone(), 0..8_u8).prop_map(|(at, bit)| Spoil::Flip { at, bit }),
        1 => place.clone().prop_map(|at| Spoil::Cut { at }),
        3 => (place.clone(), place.clone(), 0..80_usize, any::<bool>())
            .prop_map(|(at, from, length, replace)| Spoil::Splice { at, from, length, replace }),
        3 => (place, 1..=8_usize, absurd()).prop_map(|(at, bytes, value)| Spoil::Length { at, bytes, value }),
    ];
    vec(one, 1..6)
}

/// Bytes after all of it. Pieces are taken from `other`.
pub fn spoilt(base: &[u8], other: &[u8], spoils: &[Spoil]) -> Vec<u8> {
    let mut bytes = base.to_vec();
    for spoil in spoils {
        let inside = |at: &usize| at % bytes.len().max(1);
        match spoil {
            Spoil::Flip { at, bit } => {
                let at = inside(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Spoil::Cut { at } => bytes.truncate(inside(at)),
            Spoil::Splice {
                at,
                from,
                length,
                replace,
            } => {
                let (at, from) = (inside(at), from % other.len().max(1));
                let piece = &other[from..other.len().min(from + length)];
                let end = if *replace {
                    (at + piece.len()).min(bytes.len())
                } else {
                    at
                };
                bytes.splice(at..end, piece.iter().copied());
            }
            Spoil::Length {
                at,
                bytes: count,
                value,
            } => {
                let at = inside(at);
                let value = &value.to_be_bytes()[8 - count..];
                let end = bytes.len().min(at + count);
                bytes[at..end].copy_from_slice(&value[..end - at]);
            }
        }
    }
    bytes
}
