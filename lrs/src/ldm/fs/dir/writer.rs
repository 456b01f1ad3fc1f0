//! Appends to the manifest: lines gather in a window, a seal makes the window count. Never writes where an earlier
//! mount wrote: each mount begins a segment of its own, once it has something to say.

use super::FORMAT;
use super::ground::Ground;
use super::label::LabelFile;
use super::lines::{FOLDER, LONGEST_LINE, path};
use super::record::{Begin, Durable, Record, Seal, SealMark, to_line};
use crate::ldm::disk::{FileId, Role};
use crate::ldm::fs::IndexStamp;
use crate::ldm::{Fault, MediaResult, Op};
use dss::model::{Generation, MediumId};

/// A segment that has grown to this size is followed by another one.
const SEGMENT_BYTES: u64 = 64 << 20;

/// Lines are handed to the file system from this many bytes on, so that a long window costs no memory.
const BUFFER_BYTES: usize = 1 << 20;

/// The manifest's end.
pub(super) struct Writer {
    ground: Ground,
    medium: MediumId,
    generation: Generation,
    last: Option<SealMark>,
    next_segment: u32,
    open: Option<Open>,
    window: Window,
    /// Whether the last seal is an earlier process's, and may be in the host's memory only.
    inherited: bool,
}

/// The segment being written.
struct Open {
    segment: u32,
    /// None: no byte of it has gone to the disk.
    file: Option<FileId>,
    /// How many bytes have.
    written: u64,
    /// Whether its name is durable.
    named: bool,
}

#[derive(Default)]
struct Window {
    /// Lines that say something; the rest says where the window stands.
    records: u64,
    buffer: Vec<u8>,
    lines: u64,
    bytes: u64,
    crc: crc32fast::Hasher,
}

/// Where a line went.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) segment: u32,
    pub(super) offset: u64,
    pub(super) length: u32,
}

impl Writer {
    pub(super) fn new(ground: &Ground, label: &LabelFile, last: Option<SealMark>, next_segment: u32) -> Self {
        Self {
            ground: ground.clone(),
            medium: label.label.medium,
            generation: label.label.generation,
            last,
            next_segment,
            open: None,
            window: Window::default(),
            inherited: last.is_some(),
        }
    }

    /// Makes durable what was found at the mount: a process that died before its fsync may have left the last seal in
    /// the host's memory only, and whoever relies on it must not lose it.
    pub(super) fn settle(&mut self) -> MediaResult<()> {
        if self.inherited {
            settle(&self.ground, self.last)?;
            self.inherited = false;
        }
        Ok(())
    }

    /// Whether nothing waits for a seal.
    pub(super) fn is_clean(&self) -> bool {
        self.window.records == 0
    }

    /// Adds a line to the window.
    pub(super) fn append(&mut self, op: Op, record: &Record) -> MediaResult<At> {
        let line = to_line(record);
        if line.len() > LONGEST_LINE {
            let fault = Fault::Unrepresentable(format!(
                "its metadata takes {} bytes, too many for the index",
                line.len()
            ));
            return Err(self.ground.fault(op, None, fault));
        }
        self.begin_window();
        let at = self.push(&line);
        self.window.records += 1;
        if self.window.buffer.len() >= BUFFER_BYTES {
            self.flush(op)?;
        }
        Ok(at)
    }

    /// Seals the window, durably. The caller has made durable what the window names.
    pub(super) fn seal(&mut self, stamp: Option<IndexStamp>) -> MediaResult<()> {
        self.begin_window();
        let seal = Seal {
            number: self.last.map_or(1, |mark| mark.number + 1),
            lines: self.window.lines,
            bytes: self.window.bytes,
            crc32: self.window.crc.clone().finalize(),
            stamp,
        };
        self.window.buffer.extend(to_line(&Record::Seal(seal)));
        self.flush(Op::Sync)?;
        let open = self.open.as_mut().expect("a window has a segment");
        let file = open.file.expect("a flushed segment has a file");
        let path = path(open.segment);
        self.ground.call(Op::Sync, &path, |disk| disk.sync_file(file))?;
        if !open.named {
            self.ground.call(Op::Sync, FOLDER, |disk| disk.sync_dir(FOLDER))?;
            open.named = true;
        }
        self.last = Some(SealMark {
            segment: open.segment,
            number: seal.number,
            crc32: seal.crc32,
        });
        self.window = Window::default();
        self.inherited = false;
        self.confirm(seal.number);
        Ok(())
    }

    /// Ends with the segment; whatever is not sealed never counts.
    pub(super) fn leave(&mut self) {
        if let Some(file) = self.open.take().and_then(|open| open.file) {
            self.ground.disk().close(file);
        }
        self.window = Window::default();
    }

    /// Says that a seal is durable. It need not be durable itself; where it cannot be written, a segment ends.
    fn confirm(&mut self, seal: u64) {
        let full = self.open.as_ref().is_none_or(|open| open.written >= SEGMENT_BYTES);
        // An empty line before it: one damaged byte must not join the seal and its confirmation.
        self.push(b"\n");
        self.push(&to_line(&Record::Durable(Durable { seal })));
        if self.flush(Op::Sync).is_err() || full {
            self.leave();
        }
    }

    fn push(&mut self, line: &[u8]) -> At {
        let open = self.open.as_ref().expect("a window has a segment");
        let at = At {
            segment: open.segment,
            offset: open.written + self.window.buffer.len() as u64,
            length: u32::try_from(line.len() - 1).expect("a line is below 16 MiB"),
        };
        self.window.buffer.extend_from_slice(line);
        self.window.lines += u64::from(line != b"\n");
        self.window.bytes += line.len() as u64;
        self.window.crc.update(line);
        at
    }

    fn begin_window(&mut self) {
        if self.open.is_some() {
            return;
        }
        let segment = self.next_segment;
        self.next_segment += 1;
        self.open = Some(Open {
            segment,
            file: None,
            written: 0,
            named: false,
        });
        let begin = Begin {
            format: FORMAT.to_owned(),
            medium: self.medium,
            generation: self.generation,
            segment,
            after: self.last,
        };
        self.push(&to_line(&Record::Begin(begin)));
    }

    fn flush(&mut self, op: Op) -> MediaResult<()> {
        let open = self.open.as_mut().expect("a window has a segment");
        let path = path(open.segment);
        let file = match open.file {
            Some(file) => file,
            None => {
                settle(&self.ground, self.last)?;
                let file = self
                    .ground
                    .call(op, &path, |disk| disk.create(&path, &Role::Manifest))?;
                open.file = Some(file);
                file
            }
        };
        let (offset, buffer) = (open.written, &self.window.buffer);
        self.ground
            .call(op, &path, |disk| disk.write_at(file, offset, buffer))?;
        open.written += buffer.len() as u64;
        self.window.buffer.clear();
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A new segment names the seal before it. That seal may be in the host's memory only, left by a process that died
/// before its fsync; a chain must not hang on it.
fn settle(ground: &Ground, last: Option<SealMark>) -> MediaResult<()> {
    let Some(last) = last else { return Ok(()) };
    let path = path(last.segment);
    ground.call(Op::Sync, &path, |disk| {
        let file = disk.open(&path, &Role::Manifest)?;
        let synced = disk.sync_file(file);
        disk.close(file);
        synced?;
        disk.sync_dir(FOLDER)
    })
}
