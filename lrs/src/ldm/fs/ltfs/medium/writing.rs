//! Writing extents: a path nobody had, bytes behind the end of data, every one of them counted and digested on its way.

use super::condition::Condition;
use super::need::{DIRECTORY, Need};
use super::paths::{self, Shape};
use super::tag::{self, LONGEST_LINE, Record};
use super::volume::LtfsVolume;
use super::{entry, mark, sync};
use crate::ldm::fs::ltfs::volume::{Appender, OpenFile};
use crate::ldm::fs::name::Owner;
use crate::ldm::fs::{Accepted, ExtentTag, IndexEntry, WriteHandle};
use crate::ldm::{Fault, MediaResult, Op};
use dss::model::evidence::{WriteReceipt, WriteSerial};
use dss::model::{Address, Digests, ExtentId};
use nix::errno::Errno;

/// An extent being written.
pub(super) struct Writing {
    tag: ExtentTag,
    address: Address,
    need: Need,
    written: u64,
    crc: crc32fast::Hasher,
    fit: Fit,
    /// What it has on the tape, while the appender takes another one's bytes.
    aside: Option<OpenFile>,
}

/// Whether an extent can still be finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// Every byte was taken so far.
    Whole,
    /// Some were not.
    Spoiled,
}

fn too_long(bytes: u64) -> String {
    format!("its metadata takes {bytes} bytes, and the notes of a tape take {LONGEST_LINE}")
}

impl Writing {
    /// Bytes that are still to come.
    pub(super) fn promised(&self) -> u64 {
        self.tag.bytes.0.saturating_sub(self.written)
    }

    /// What it takes besides its bytes.
    pub(super) fn need(&self) -> Need {
        self.need
    }

    /// Whose bytes.
    pub(super) fn extent(&self) -> ExtentId {
        self.tag.extent
    }
}

impl LtfsVolume {
    pub(super) fn reserve_path(&mut self, tag: &ExtentTag) -> MediaResult<Address> {
        self.writable(Op::Write)?;
        let Some(path) = self.shelf.paths.choose(tag) else {
            let fault = Fault::Unrepresentable("too many attempts at this extent lie here already".to_owned());
            return Err(self.deck.fault(Op::Write, Some(tag.origin.oid.as_str()), fault));
        };
        let made = self.shelf.paths.claim(&path, tag.extent, Shape::of(tag));
        self.unindexed += made * DIRECTORY;
        Ok(Address(path))
    }

    pub(super) fn free_path(&mut self, extent: ExtentId, address: &Address) {
        let is_known = self.shelf.entry(extent).is_some()
            || self.window.written(extent).is_some()
            || self.window.removed(extent)
            || self.writing.values().any(|writing| writing.extent() == extent);
        if let (false, Some(path)) = (is_known, paths::of_address(address))
            && self.shelf.paths.owner(path) == Owner::Extent(extent)
        {
            self.shelf.paths.free(path);
        }
    }

    /// The path in an address; refused when it could mean anything but one entry of the tree.
    pub(super) fn path_of<'a>(&self, op: Op, address: &'a Address) -> MediaResult<&'a str> {
        paths::of_address(address).ok_or_else(|| {
            let fault = Fault::NotThisExtent("the address is not one of this format".to_owned());
            self.deck.fault(op, Some(&address.0), fault)
        })
    }

    /// Stands at the end of data, ready to append. A volume that was left in the middle of something is brought in order
    /// first: nothing is written behind an index that does not name what lies behind it.
    pub(super) fn stand_by(&mut self, op: Op) -> MediaResult<()> {
        self.writable(op)?;
        let ready = self.try_stand_by(op);
        self.broken |= ready.is_err();
        self.heed(ready)
    }

    fn try_stand_by(&mut self, op: Op) -> MediaResult<()> {
        self.records.forget();
        if self.condition == Condition::Recover && self.appender.is_none() {
            self.commit_tree(op, self.stamp)?;
        }
        match &mut self.appender {
            None => {
                let (mounted, label) = (&self.mounted, &self.label);
                let appender = self.deck.work(op, |drive| {
                    mark::clear_left(drive, label)?;
                    let mut appender = Appender::new(drive, mounted)?;
                    sync::begin(drive, &mut appender)?;
                    Ok(appender)
                })?;
                self.full |= appender.early_warning();
                self.appender = Some(appender);
            }
            Some(appender) if self.away => self.deck.work(op, |drive| appender.resume(drive))?,
            Some(_) => {}
        }
        self.away = false;
        Ok(())
    }

    /// Before the tape is moved elsewhere: what was given to it must be on it.
    pub(super) fn set_aside(&mut self, op: Op) -> MediaResult<()> {
        self.present(op)?;
        self.away = true;
        let Some(appender) = &mut self.appender else {
            return Ok(());
        };
        if self.broken || !appender.is_ahead() {
            return Ok(());
        }
        let flushed = self.deck.work(Op::Sync, |drive| appender.flush(drive));
        self.full |= appender.early_warning();
        if flushed.is_err() {
            self.void_window();
        }
        self.heed(flushed).map(drop)
    }

    pub(super) fn create_extent(&mut self, tag: ExtentTag, address: &Address) -> MediaResult<Option<WriteHandle>> {
        self.writable(Op::Write)?;
        let path = self.path_of(Op::Write, address)?;
        let owned = self.shelf.paths.owner(path) == Owner::Extent(tag.extent);
        let known = self.shelf.holds(tag.extent)
            || self.window.written(tag.extent).is_some()
            || self.writing.values().any(|writing| writing.extent() == tag.extent);
        if !owned || known {
            let fault = Fault::NotThisExtent("the address was not reserved for it".to_owned());
            return Err(self.deck.fault(Op::Write, Some(&address.0), fault));
        }
        let need = self.sayable(&tag, address)?;
        if self.full || !self.has_room(tag.bytes, need)? {
            return Ok(None);
        }
        self.stand_by(Op::Write)?;
        let handle = WriteHandle(self.next_handle());
        let writing = Writing {
            tag,
            address: address.clone(),
            need,
            written: 0,
            crc: crc32fast::Hasher::new(),
            fit: Fit::Whole,
            aside: Some(OpenFile::default()),
        };
        self.writing.insert(handle, writing);
        Ok(Some(handle))
    }

    /// What an extent takes besides its bytes. Refused where index or notes cannot say what is said of it: found at its
    /// end only, its bytes would be lost, and in the index every other extent's entry.
    fn sayable(&self, tag: &ExtentTag, address: &Address) -> MediaResult<Need> {
        let refuse = |why: String| {
            let fault = Fault::Unrepresentable(why);
            Err(self.deck.fault(Op::Write, Some(&address.0), fault))
        };
        let need = Need::of(tag, address);
        if need.line > LONGEST_LINE as u64 {
            return refuse(too_long(need.line));
        }
        match entry::fits(tag, address, &self.mounted.tree.head, &self.mounted.labels) {
            Ok(()) => Ok(need),
            Err(why) => refuse(format!("no index of a tape can say what is said of it: {why}")),
        }
    }

    /// Has the appender take this extent's bytes.
    fn take_pen(&mut self, handle: WriteHandle) {
        if self.pen == Some(handle) {
            return;
        }
        self.lay_pen();
        let appender = self.appender.as_mut().expect("the tape stands by");
        let aside = self.writing.get_mut(&handle).and_then(|writing| writing.aside.take());
        appender.swap(aside);
        self.pen = Some(handle);
    }

    /// Puts the extent aside that the appender has.
    pub(super) fn lay_pen(&mut self) {
        let Some(appender) = &mut self.appender else { return };
        let file = appender.swap(None);
        if let Some(writing) = self.pen.take().and_then(|pen| self.writing.get_mut(&pen)) {
            writing.aside = file;
        }
    }

    pub(super) fn write_extent(&mut self, handle: WriteHandle, bytes: &[u8]) -> MediaResult<Accepted> {
        self.writable(Op::Write)?;
        let Some(writing) = self.writing.get_mut(&handle) else {
            return Err(self.deck.fault(Op::Write, None, Fault::Io(Errno::EBADF)));
        };
        let at = writing.address.0.clone();
        if writing.fit == Fit::Spoiled {
            return Err(self.deck.fault(Op::Write, Some(&at), Fault::Io(Errno::EIO)));
        }
        if bytes.len() as u64 > writing.promised() {
            writing.fit = Fit::Spoiled;
            return Err(self.deck.fault(Op::Write, Some(&at), Fault::Miswritten));
        }
        self.stand_by(Op::Write)?;
        self.take_pen(handle);
        let appender = self.appender.as_mut().expect("the tape stands by");
        let taken = self.deck.work(Op::Write, |drive| appender.write(drive, bytes));
        self.full |= appender.early_warning();
        let Ok(accepted) = taken else {
            // Which of the records before it are on the tape is not known.
            self.void_window();
            return self.heed(taken);
        };
        // What it was before stood on the tape.
        self.used = self.used.saturating_add(bytes.len() as u64);
        let writing = self.writing.get_mut(&handle).expect("it was there just now");
        writing.crc.update(bytes);
        writing.written += bytes.len() as u64;
        // Behind early warning there is room for the indexes, and for nothing that is not whole already.
        let ends = accepted == Accepted::EndOfMedium || self.full && writing.promised() > 0;
        self.full |= accepted == Accepted::EndOfMedium;
        if ends {
            writing.fit = Fit::Spoiled;
            return Ok(Accepted::EndOfMedium);
        }
        Ok(Accepted::All)
    }

    pub(super) fn finish_extent(&mut self, handle: WriteHandle, digests: Digests) -> MediaResult<WriteReceipt> {
        self.writable(Op::Write)?;
        if !self.writing.contains_key(&handle) {
            return Err(self.deck.fault(Op::Write, None, Fault::Io(Errno::EBADF)));
        }
        self.stand_by(Op::Write)?;
        self.take_pen(handle);
        let appender = self.appender.as_mut().expect("the tape stands by");
        let extents = self.deck.work(Op::Write, |_| appender.finish())?;
        self.pen = None;
        let writing = self.writing.remove(&handle).expect("it was there just now");
        let at = &writing.address.0;
        let taken = (writing.written, writing.crc.finalize());
        let whole = writing.fit == Fit::Whole && writing.tag.bytes == digests.bytes;
        if !whole || taken != (digests.bytes.0, digests.crc32) {
            return Err(self.deck.fault(Op::Write, Some(at), Fault::Miswritten));
        }
        let span = tag::span(&extents, &self.mounted.labels).expect("it was written to one of both partitions");
        let extent = writing.tag.extent;
        let entry = IndexEntry {
            tag: writing.tag,
            address: writing.address,
            digests: digests.clone(),
            inode: None,
            span: Some(span.clone()),
        };
        self.note(Op::Write, Record::Extent(Box::new(entry)))?;
        self.finished += 1;
        let serial = WriteSerial {
            mount: self.mount,
            count: self.finished,
        };
        Ok(WriteReceipt::accepted(extent, digests, None, serial).at(span))
    }

    /// Adds a change to the window.
    pub(super) fn note(&mut self, op: Op, change: Record) -> MediaResult<()> {
        let line = change.to_line();
        // An extent's was found to fit when it was begun, unless it lies in very many pieces.
        if line.len() > LONGEST_LINE {
            let fault = Fault::Unrepresentable(too_long(line.len() as u64));
            return Err(self.deck.fault(op, None, fault));
        }
        self.window.add(change, &line);
        Ok(())
    }

    pub(super) fn abandon_extent(&mut self, handle: WriteHandle) {
        if self.pen == Some(handle) {
            self.lay_pen();
        }
        // What of it is on the tape is dead. Its name stays its own until the next mount.
        self.writing.remove(&handle);
    }
}
