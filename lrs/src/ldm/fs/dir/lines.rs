//! Lines of one manifest segment, one after the other, as the medium has them now.

use super::ground::Ground;
use crate::ldm::disk::{FileId, Role};
use crate::ldm::{Fault, MediaResult, Op};
use nix::errno::Errno;

/// The folder of the manifest's segments.
pub(super) const FOLDER: &str = ".respool/manifest";

/// No record is longer: the writer refuses it, and the reader takes it for damage.
pub(super) const LONGEST_LINE: usize = 16 << 20;

const STEP: usize = 1 << 20;

pub(super) fn path(segment: u32) -> String {
    format!("{FOLDER}/{segment:04}.jsonl")
}

/// The number in a segment's file name.
pub(super) fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".jsonl")?;
    (digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
        .filter(|number| path(*number).ends_with(name))
}

/// A segment open for reading. Its file is closed with it.
pub(super) struct Lines {
    ground: Ground,
    path: String,
    file: FileId,
    /// Room for bytes; grows with the longest line only.
    buffer: Vec<u8>,
    /// How much of it is read.
    filled: usize,
    /// Where in the buffer the next line begins.
    start: usize,
    /// Where in the file the part that is read ends.
    offset: u64,
    end_of_file: bool,
}

/// One line.
pub(super) struct Line<'a> {
    /// Where it begins in its segment.
    pub(super) offset: u64,
    /// Its bytes, without the newline.
    pub(super) text: &'a [u8],
}

impl Lines {
    /// Opens a segment at an offset; what the host has cached of it is dropped first.
    pub(super) fn open(ground: &Ground, op: Op, segment: u32, offset: u64) -> MediaResult<Self> {
        let path = path(segment);
        let file = ground
            .call(op, &path, |disk| {
                let file = disk.open(&path, &Role::Manifest)?;
                disk.drop_cache(file, 0, 0);
                Ok(file)
            })
            .map_err(|mut error| {
                if matches!(error.fault, Fault::Absent | Fault::Io(Errno::ENOENT)) {
                    error.fault = Fault::Damaged("a segment of the manifest is missing".to_owned());
                }
                error
            })?;
        Ok(Self {
            ground: ground.clone(),
            path,
            file,
            buffer: vec![0; STEP],
            filled: 0,
            start: 0,
            offset,
            end_of_file: false,
        })
    }

    /// The next line that ends in a newline. A line of more than the longest is given out cut: no record is so long.
    pub(super) fn next(&mut self, op: Op) -> MediaResult<Option<Line<'_>>> {
        let mut looked = self.start;
        loop {
            let newline = self.buffer[looked..self.filled].iter().position(|byte| *byte == b'\n');
            let length = match newline {
                Some(found) => looked + found - self.start,
                None if self.filled - self.start > LONGEST_LINE => LONGEST_LINE,
                None => {
                    looked = self.filled - self.start;
                    if !self.fill(op)? {
                        return Ok(None);
                    }
                    continue;
                }
            };
            let begin = self.start;
            let offset = self.offset - (self.filled - begin) as u64;
            self.start = begin + length + 1;
            let text = &self.buffer[begin..begin + length];
            return Ok(Some(Line { offset, text }));
        }
    }

    /// Once there is no next line: the bytes after the last newline.
    pub(super) fn rest(&self) -> &[u8] {
        &self.buffer[self.start..self.filled]
    }

    /// Reads on; the next line then begins at the start of the buffer. Answers whether there was more.
    fn fill(&mut self, op: Op) -> MediaResult<bool> {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        if self.end_of_file {
            return Ok(false);
        }
        if self.filled == self.buffer.len() {
            let mut larger = vec![0; self.buffer.len() * 2];
            larger[..self.filled].copy_from_slice(&self.buffer);
            self.buffer = larger;
        }
        let (file, offset) = (self.file, self.offset);
        let into = &mut self.buffer[self.filled..];
        let count = self
            .ground
            .call(op, &self.path, |disk| disk.read_at(file, offset, into))?;
        self.filled += count;
        self.offset += count as u64;
        self.end_of_file = count == 0;
        Ok(!self.end_of_file)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.ground.disk().close(self.file);
    }
}
