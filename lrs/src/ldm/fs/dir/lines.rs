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
    /// Bytes read and not yet given out.
    buffer: Vec<u8>,
    /// Where in the buffer the next line begins.
    start: usize,
    /// Where in the file the buffer ends.
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
            buffer: Vec::new(),
            start: 0,
            offset,
            end_of_file: false,
        })
    }

    /// The next line that ends in a newline. A line of more than the longest is given out cut: no record is so long.
    pub(super) fn next(&mut self, op: Op) -> MediaResult<Option<Line<'_>>> {
        let mut looked = self.start;
        loop {
            let newline = self.buffer[looked..].iter().position(|byte| *byte == b'\n');
            let length = match newline {
                Some(found) => looked + found - self.start,
                None if self.buffer.len() - self.start > LONGEST_LINE => LONGEST_LINE,
                None => {
                    looked = self.buffer.len() - self.start;
                    if !self.fill(op)? {
                        return Ok(None);
                    }
                    continue;
                }
            };
            let begin = self.start;
            let offset = self.offset - (self.buffer.len() - begin) as u64;
            self.start = begin + length + 1;
            let text = &self.buffer[begin..begin + length];
            return Ok(Some(Line { offset, text }));
        }
    }

    /// Reads on; the next line then begins at the start of the buffer. Answers whether there was more.
    fn fill(&mut self, op: Op) -> MediaResult<bool> {
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.end_of_file {
            return Ok(false);
        }
        let filled = self.buffer.len();
        self.buffer.resize(filled + STEP, 0);
        let (file, offset) = (self.file, self.offset);
        let into = &mut self.buffer[filled..];
        let outcome = self
            .ground
            .call(op, &self.path, |disk| disk.read_at(file, offset, into));
        let count = *outcome.as_ref().unwrap_or(&0);
        self.buffer.truncate(filled + count);
        self.offset += count as u64;
        self.end_of_file = outcome? == 0;
        Ok(!self.end_of_file)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.ground.disk().close(self.file);
    }
}
