//! Laying a tape out anew. Everything on it is lost.

use super::{Clock, DriveFault, Layout, ScsiDrive, WriteMode, is_refusal, timeouts};
use crate::ldm::scsi::cdb::FormatType;
use crate::ldm::scsi::{Cdb, Transfer, Transport};

/// All of the tape (SSC-4, 7.10: FFFFh is the whole).
const WHOLE: u16 = 0xffff;

impl<T: Transport, C: Clock> ScsiDrive<T, C> {
    /// What the drive cannot do is found out before anything is destroyed.
    pub(super) fn lay_out(&mut self, layout: Layout) -> Result<(), DriveFault> {
        self.same_cartridge()?;
        let page = self.partitions_page()?;
        let split = match (layout, &page) {
            (Layout::Single, _) => None,
            (Layout::IndexAndData, Some((page, _))) if page.most_additional == 0 => {
                return Err(DriveFault::Unfit(
                    "this cartridge, in this drive, cannot have two partitions".to_owned(),
                ));
            }
            (Layout::IndexAndData, Some((page, device_specific))) => Some(page.split(*device_specific)),
            (Layout::IndexAndData, None) => {
                return Err(DriveFault::Unfit("this drive knows no partitions".to_owned()));
            }
        };
        self.go_to_beginning()?;
        // A drive that only appends refuses a format.
        let write_mode = self.write_mode;
        if write_mode != WriteMode::Anywhere {
            self.set_write_mode(WriteMode::Anywhere)?;
        }
        // From here on what is on the tape is not what it was, whatever fails.
        let formatted = self.destroy(split);
        self.unsure();
        formatted?;
        self.check_partitions(layout)?;
        self.go_to_beginning()?;
        match write_mode {
            WriteMode::Anywhere => Ok(()),
            WriteMode::AppendOnly => self.set_write_mode(write_mode),
        }
    }

    fn destroy(&mut self, split: Option<Vec<u8>>) -> Result<(), DriveFault> {
        // A capacity that somebody had reduced would stay so; a drive that knows no such thing has the whole one.
        match self.done(Cdb::set_capacity(WHOLE), Transfer::None, timeouts::SET_CAPACITY) {
            Ok(_) => {}
            Err(fault) if is_refusal(&fault) => {}
            Err(fault) => return Err(fault),
        }
        let kind = match split {
            None => FormatType::Default,
            Some(list) => {
                let length = u16::try_from(list.len()).unwrap_or(u16::MAX);
                self.done(Cdb::mode_select(length), Transfer::Out(&list), timeouts::QUESTION)?;
                FormatType::Partitions
            }
        };
        self.done(Cdb::format_medium(kind), Transfer::None, timeouts::FORMAT)?;
        self.unflushed = false;
        Ok(())
    }

    /// By the drive's word afterwards, not by its having said nothing against it.
    fn check_partitions(&mut self, layout: Layout) -> Result<(), DriveFault> {
        let wanted = match layout {
            Layout::Single => 0,
            Layout::IndexAndData => 1,
        };
        let found = self.partitions_page()?.map_or(0, |(page, _)| page.additional);
        if found != wanted {
            return Err(DriveFault::Nonsense(format!(
                "{} partitions were wanted, and there are {}",
                wanted + 1,
                u16::from(found) + 1
            )));
        }
        Ok(())
    }
}
