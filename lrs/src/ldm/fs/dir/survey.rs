//! Reads a manifest from the medium and decides what of it holds: sealed windows count, the torn tail of a segment does
//! not, and anything else that does not fit together is damage.
//!
//! A window is what stands between two seals. A crash may lose any part of the last window of a segment, and only of
//! that one: a confirmation (`durable`) is written only after the device confirmed a seal, and each segment names the
//! seal before it. So a broken window is a torn write exactly when nothing after it says otherwise, and reading it again
//! gives the same: a byte that was misread once is no torn write, and what was sealed must not be passed over for it.

use super::FORMAT;
use super::ground::Ground;
use super::index::Slot;
use super::label::LabelFile;
use super::lines::{FOLDER, Lines, number_of};
use super::record::{Begin, Isolation, Record, Seal, SealMark, from_line};
use crate::ldm::fs::IndexStamp;
use crate::ldm::{MediaResult, Op};
use dss::model::{Address, ExtentId, Revision};

/// What a sealed line changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The index names an extent.
    Added {
        /// Which.
        extent: ExtentId,
        /// Where its file lies.
        address: Address,
        /// Where its line is.
        slot: Slot,
    },
    /// The index names it no longer; its name stays used.
    Removed {
        /// Which.
        extent: ExtentId,
        /// Where its file lay.
        address: Address,
    },
    /// The same, and its bytes are kept elsewhere.
    Isolated(Isolation),
}

/// What a manifest amounts to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Survey {
    /// Each segment of this generation with how many of its bytes are sealed, in order.
    pub(super) sealed: Vec<(u32, u64)>,
    /// The last seal.
    pub(super) last: Option<SealMark>,
    /// The last index commit.
    pub(super) stamp: Option<IndexStamp>,
    /// The highest revision that any index commit of this generation names.
    pub(super) revision: Option<Revision>,
    /// The first number that no segment has.
    pub(super) next_segment: u32,
    /// What does not fit together. Everything above stops before it.
    pub(super) damage: Option<String>,
}

/// The numbers of all segments, in order.
pub(super) fn segments(ground: &Ground, op: Op) -> MediaResult<Vec<u32>> {
    let mut numbers = Vec::new();
    ground.call(op, FOLDER, |disk| {
        disk.list(FOLDER, &mut |name| numbers.extend(number_of(&name)))
    })?;
    numbers.sort_unstable();
    Ok(numbers)
}

/// Reads the whole manifest and tells every sealed change, in order. An error is one of the device; damage is an answer.
pub(super) fn survey(ground: &Ground, op: Op, label: &LabelFile, visit: &mut dyn FnMut(Change)) -> MediaResult<Survey> {
    let numbers = segments(ground, op)?;
    let mut survey = Survey {
        next_segment: numbers.last().map_or(label.first_segment, |last| last + 1),
        ..Survey::default()
    };
    for segment in numbers.into_iter().filter(|number| *number >= label.first_segment) {
        survey_segment(ground, op, label, segment, &mut survey, visit)?;
        if survey.damage.is_some() {
            return Ok(survey);
        }
    }
    if survey.sealed.first().map(|(segment, _)| *segment) != Some(label.first_segment) {
        survey.damage = Some(format!("manifest segment {} is missing", label.first_segment));
    }
    Ok(survey)
}

/// One window as it is being read.
#[derive(Default)]
struct Window {
    begin: Option<Begin>,
    changes: Vec<Change>,
    lines: u64,
    bytes: u64,
    crc: crc32fast::Hasher,
    broken: bool,
    /// Whether it says more than that the seal before it is durable.
    speaks: bool,
}

impl Window {
    fn is_sealed_by(&self, seal: &Seal, last: Option<SealMark>) -> bool {
        !self.broken
            && seal.lines == self.lines
            && seal.bytes == self.bytes
            && seal.crc32 == self.crc.clone().finalize()
            && seal.number == last.map_or(1, |mark| mark.number + 1)
    }

    fn take(&mut self, text: &[u8]) {
        self.speaks = true;
        self.confirm(text);
    }

    /// A line that says nothing new.
    fn confirm(&mut self, text: &[u8]) {
        self.lines += u64::from(!text.is_empty());
        self.bytes += text.len() as u64 + 1;
        self.crc.update(text);
        self.crc.update(b"\n");
    }
}

fn survey_segment(
    ground: &Ground,
    op: Op,
    label: &LabelFile,
    segment: u32,
    survey: &mut Survey,
    visit: &mut dyn FnMut(Change),
) -> MediaResult<()> {
    let mut lines = Lines::open(ground, op, segment, 0)?;
    let mut window = Window::default();
    // Only the window of the segment's beginning tells where it belongs; until it is sealed, nothing is known.
    let mut joined = false;
    // Numbers of seals are known only once it is clear that the segment continues the chain.
    let mut last = survey.last;
    while let Some(line) = lines.next(op)? {
        let end = line.offset + line.text.len() as u64 + 1;
        let record = from_line(line.text);
        let first_line = line.offset == 0;
        match record {
            Some(Record::Seal(seal)) => {
                if window.is_sealed_by(&seal, last) && (joined || window.begin.is_some()) {
                    if let Some(begin) = window.begin.take()
                        && let Some(damage) = misfit(&begin, label, segment, survey.last)
                    {
                        survey.damage = Some(damage);
                        return Ok(());
                    }
                    for change in std::mem::take(&mut window.changes) {
                        visit(change);
                    }
                    joined = true;
                    let mark = SealMark {
                        segment,
                        number: seal.number,
                        crc32: seal.crc32,
                    };
                    last = Some(mark);
                    survey.last = last;
                    note_sealed(survey, segment, end);
                    if let Some(stamp) = seal.stamp {
                        survey.stamp = Some(stamp);
                        survey.revision = survey.revision.max(Some(stamp.revision));
                    }
                    window = Window::default();
                } else if seal.number > last.map_or(1, |mark| mark.number + 1) {
                    survey.damage = Some(torn_inside(segment, line.offset));
                    return Ok(());
                } else {
                    // A part of the window is missing: torn, unless something later says that it was durable.
                    window.take(line.text);
                    window.broken = true;
                }
            }
            Some(Record::Durable(durable)) => {
                if durable.seal > last.map_or(0, |mark| mark.number) {
                    survey.damage = Some(torn_inside(segment, line.offset));
                    return Ok(());
                }
                window.confirm(line.text);
            }
            // A segment of another generation is an erasure that did not come to its label.
            Some(Record::Begin(begin)) if first_line && begin.generation != label.label.generation => return Ok(()),
            Some(Record::Begin(begin)) => {
                window.take(line.text);
                window.broken |= !first_line;
                window.begin = Some(begin);
            }
            Some(Record::Extent(entry)) => {
                window.take(line.text);
                window.changes.push(Change::Added {
                    extent: entry.tag.extent,
                    address: entry.address.clone(),
                    slot: Slot {
                        segment,
                        length: u32::try_from(line.text.len()).expect("a line is below 16 MiB"),
                        offset: line.offset,
                        bytes: entry.tag.bytes.0,
                    },
                });
            }
            Some(Record::Deleted(gone)) => {
                window.take(line.text);
                window.changes.push(Change::Removed {
                    extent: gone.extent,
                    address: gone.address,
                });
            }
            Some(Record::Isolated(isolation)) => {
                window.take(line.text);
                window.changes.push(Change::Isolated(isolation));
            }
            None if line.text.is_empty() => window.confirm(line.text),
            None => {
                window.take(line.text);
                window.broken = true;
            }
        }
    }
    if !window.speaks && lines.rest().is_empty() {
        return Ok(());
    }
    let tail = Tail::of(&window, lines.rest());
    let from = match survey.sealed.last() {
        Some((last, end)) if *last == segment => *end,
        Some(_) | None => 0,
    };
    drop(lines);
    if Tail::read(ground, op, segment, from)? != tail {
        survey.damage = Some(misread(segment, from));
    }
    Ok(())
}

/// What follows the last good seal of a segment, to be compared with what another read of it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tail {
    bytes: u64,
    crc32: u32,
}

impl Tail {
    /// From the lines after the seal and the bytes after the last newline.
    fn of(window: &Window, rest: &[u8]) -> Self {
        let mut crc = window.crc.clone();
        crc.update(rest);
        Self {
            bytes: window.bytes + rest.len() as u64,
            crc32: crc.finalize(),
        }
    }

    /// From the medium, once more.
    fn read(ground: &Ground, op: Op, segment: u32, from: u64) -> MediaResult<Self> {
        let mut lines = Lines::open(ground, op, segment, from)?;
        let mut window = Window::default();
        while let Some(line) = lines.next(op)? {
            window.take(line.text);
        }
        Ok(Self::of(&window, lines.rest()))
    }
}

fn note_sealed(survey: &mut Survey, segment: u32, end: u64) {
    match survey.sealed.last_mut() {
        Some((last, sealed)) if *last == segment => *sealed = end,
        Some(_) | None => survey.sealed.push((segment, end)),
    }
}

fn torn_inside(segment: u32, offset: u64) -> String {
    format!("manifest segment {segment}: lines before byte {offset} were durable once and are unreadable now")
}

fn misread(segment: u32, from: u64) -> String {
    format!("manifest segment {segment}: two reads of what follows byte {from} differ")
}

fn misfit(begin: &Begin, label: &LabelFile, segment: u32, last: Option<SealMark>) -> Option<String> {
    if begin.format != FORMAT || begin.medium != label.label.medium || begin.segment != segment {
        return Some(format!("manifest segment {segment} belongs elsewhere"));
    }
    (begin.after != last).then(|| format!("the manifest before segment {segment} is missing or shortened"))
}
