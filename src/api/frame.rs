//! Object bytes on the wire: many objects in one stream of frames. A frame is its kind (one byte), the length of its
//! payload (u32, big-endian) and the payload.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The most bytes one payload may have; more is refused before memory is set aside for it.
pub const FRAME_MAX: usize = 16 << 20;
const HEAD: usize = 5;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The head of an object, JSON.
    Header,
    /// The next bytes of it.
    Data,
    /// Its end: size and digest of what was sent, JSON.
    End,
    /// It cannot be had whole; why, JSON. The next frame begins another object.
    Problem,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Header => b'H',
            Self::Data => b'D',
            Self::End => b'E',
            Self::Problem => b'X',
        }
    }

    fn of(byte: u8) -> Option<Self> {
        match byte {
            b'H' => Some(Self::Header),
            b'D' => Some(Self::Data),
            b'E' => Some(Self::End),
            b'X' => Some(Self::Problem),
            _ => None,
        }
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// What it carries.
    pub payload: Bytes,
}

/// Why a stream is not one of frames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// No such kind.
    #[error("the stream holds a frame of kind {0:#04x}, which nobody knows")]
    Kind(u8),
    /// Too long.
    #[error("the stream holds a frame of {0} bytes; at most {FRAME_MAX} are taken")]
    Length(usize),
    /// It ends within a frame.
    #[error("the stream ended within a frame")]
    Cut,
}

/// The head of a frame with a payload of so many bytes, which follows by itself.
pub fn head(kind: Kind, length: usize) -> Bytes {
    assert!(length <= FRAME_MAX, "a frame of {length} bytes would be refused");
    let mut head = BytesMut::with_capacity(HEAD);
    head.put_u8(kind.byte());
    head.put_u32(u32::try_from(length).expect("FRAME_MAX fits in 32 bits"));
    head.freeze()
}

/// A whole frame with a JSON payload.
pub fn json<T: serde::Serialize>(kind: Kind, value: &T) -> Bytes {
    let payload = serde_json::to_vec(value).expect("a frame's head is plain JSON");
    let mut frame = BytesMut::with_capacity(HEAD + payload.len());
    frame.put(head(kind, payload.len()));
    frame.put_slice(&payload);
    frame.freeze()
}

/// Takes bytes as they come and gives whole frames.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
}

impl Decoder {
    /// Takes the next piece of the stream.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next whole frame, if it is there.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some((&kind, rest)) = self.buffer.split_first() else {
            return Ok(None);
        };
        let kind = Kind::of(kind).ok_or(FrameError::Kind(kind))?;
        let Some(length) = rest.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > FRAME_MAX {
            return Err(FrameError::Length(length));
        }
        if self.buffer.len() < HEAD + length {
            self.buffer.reserve(HEAD + length - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(HEAD);
        let payload = self.buffer.split_to(length).freeze();
        Ok(Some(Frame { kind, payload }))
    }

    /// At the end of the stream: nothing may be left.
    pub fn finish(&self) -> Result<(), FrameError> {
        if self.buffer.is_empty() {
            Ok(())
        } else {
            Err(FrameError::Cut)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_whole_whatever_the_pieces() {
        let mut stream = json(Kind::Header, &"a").to_vec();
        stream.extend_from_slice(&head(Kind::Data, 3));
        stream.extend_from_slice(b"xyz");
        stream.extend_from_slice(&json(Kind::End, &1));
        for size in 1..stream.len() {
            let mut decoder = Decoder::default();
            let mut kinds = Vec::new();
            for piece in stream.chunks(size) {
                decoder.push(piece);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    kinds.push((frame.kind, frame.payload.len()));
                }
            }
            assert_eq!(kinds, [(Kind::Header, 3), (Kind::Data, 3), (Kind::End, 1)]);
            decoder.finish().unwrap();
        }
    }

    #[test]
    fn a_stream_that_is_none_is_refused_before_memory_is_spent() {
        let mut decoder = Decoder::default();
        decoder.push(b"Q");
        assert_eq!(decoder.next_frame(), Err(FrameError::Kind(b'Q')));
        let mut decoder = Decoder::default();
        decoder.push(&[b'D', 0xff, 0xff, 0xff, 0xff]);
        assert!(matches!(decoder.next_frame(), Err(FrameError::Length(_))));
    }

    #[test]
    fn a_cut_stream_is_noticed() {
        let mut decoder = Decoder::default();
        decoder.push(&[b'D', 0, 0]);
        assert_eq!(decoder.next_frame(), Ok(None));
        assert_eq!(decoder.finish(), Err(FrameError::Cut));
    }
}
