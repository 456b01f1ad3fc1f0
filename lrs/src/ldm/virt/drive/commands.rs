//! Which commands a drive knows, and the order in which it looks at one: whether it is one, who is excluded, who has not
//! heard what happened, what is still to be said of earlier ones, and whether a cartridge is there.

use super::Drive;
use crate::ldm::scsi::Transfer;
use crate::ldm::virt::bytes::{give, number};
use crate::ldm::virt::reservation::{Initiator, Passage};
use crate::ldm::virt::sense::{Answered, Check, Say};

/// What a command needs before it is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ldm::virt) enum Need {
    /// Nothing: it is answered even while something else is to be said.
    Nothing,
    /// That its initiator has heard everything.
    Heard,
    /// A threaded cartridge besides.
    Medium,
}

/// One command.
#[derive(Clone, Copy, Debug)]
pub(in crate::ldm::virt) struct Command {
    pub(in crate::ldm::virt) code: u8,
    /// Its service action, where it has some.
    pub(in crate::ldm::virt) action: Option<u8>,
    pub(in crate::ldm::virt) length: u8,
    pub(in crate::ldm::virt) passage: Passage,
    pub(in crate::ldm::virt) need: Need,
}

pub(in crate::ldm::virt) const fn command(code: u8, length: u8, passage: Passage, need: Need) -> Command {
    Command {
        code,
        action: None,
        length,
        passage,
        need,
    }
}

pub(in crate::ldm::virt) const fn action(code: u8, action: u8, length: u8, passage: Passage, need: Need) -> Command {
    Command {
        action: Some(action),
        ..command(code, length, passage, need)
    }
}

use Need::{Heard, Medium, Nothing};
use Passage::{Always, Excluded, Reads};

/// What the drive knows; passages after SSC-5, table 16, and SPC-4, table 66.
const COMMANDS: &[Command] = &[
    command(0x00, 6, Always, Medium),
    command(0x01, 6, Excluded, Medium),
    command(0x03, 6, Always, Nothing),
    command(0x04, 6, Excluded, Medium),
    command(0x05, 6, Always, Heard),
    command(0x08, 6, Reads, Medium),
    command(0x0a, 6, Excluded, Medium),
    command(0x0b, 6, Excluded, Medium),
    command(0x10, 6, Excluded, Medium),
    command(0x11, 6, Reads, Medium),
    command(0x12, 6, Always, Nothing),
    command(0x15, 6, Excluded, Heard),
    command(0x16, 6, Always, Heard),
    command(0x17, 6, Always, Heard),
    command(0x19, 6, Excluded, Medium),
    command(0x1a, 6, Reads, Heard),
    command(0x1b, 6, Excluded, Heard),
    command(0x1e, 6, Excluded, Heard),
    command(0x2b, 10, Reads, Medium),
    command(0x34, 10, Reads, Medium),
    command(0x44, 10, Always, Heard),
    command(0x4d, 10, Always, Heard),
    command(0x55, 10, Excluded, Heard),
    command(0x5a, 10, Reads, Heard),
    command(0x5e, 10, Always, Heard),
    command(0x5f, 10, Always, Heard),
    command(0x82, 16, Excluded, Medium),
    command(0x8c, 16, Reads, Medium),
    command(0x8d, 16, Excluded, Medium),
    command(0x91, 16, Reads, Medium),
    command(0x92, 16, Reads, Medium),
    command(0xa0, 12, Always, Nothing),
    action(0xa3, 0x0c, 12, Always, Heard),
];

/// The command that a block holds, out of those that a device knows.
pub(in crate::ldm::virt) fn look_up(known: &'static [Command], cdb: &[u8]) -> Result<&'static Command, Check> {
    let code = *cdb.first().ok_or(Say::UNKNOWN_COMMAND)?;
    let mut same = known.iter().filter(|command| command.code == code).peekable();
    if same.peek().is_none() {
        return Err(Say::UNKNOWN_COMMAND.into());
    }
    let found = same.find(|command| {
        command
            .action
            .is_none_or(|action| cdb.get(1).is_some_and(|b| b & 0x1f == action))
    });
    let found = found.ok_or(Say::BAD_FIELD)?;
    if cdb.len() < usize::from(found.length) {
        return Err(Say::BAD_FIELD.into());
    }
    Ok(found)
}

/// REPORT SUPPORTED OPERATION CODES (SPC-4, 6.35) of a device that knows these.
pub(in crate::ldm::virt) fn report_codes(known: &[Command], cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
    let (code, wanted) = (cdb[3], number(&cdb[4..6]));
    let of_code = |command: &&Command| command.code == code;
    let answer = match cdb[2] & 7 {
        0 => {
            let all = known.iter().flat_map(|command| {
                let action = command.action.unwrap_or(0);
                [
                    command.code,
                    0,
                    0,
                    action,
                    0,
                    u8::from(command.action.is_some()),
                    0,
                    command.length,
                ]
            });
            let all: Vec<u8> = all.collect();
            [&(all.len() as u32).to_be_bytes()[..], &all].concat()
        }
        1 => one_command(
            known
                .iter()
                .find(|command| of_code(command) && command.action.is_none()),
        ),
        2 | 3 => one_command(
            known
                .iter()
                .find(|command| of_code(command) && command.action.is_none_or(|action| u64::from(action) == wanted)),
        ),
        _ => return Err(Say::BAD_FIELD.into()),
    };
    give(transfer, number(&cdb[6..10]), &answer)
}

fn one_command(found: Option<&Command>) -> Vec<u8> {
    match found {
        None => vec![0, 1, 0, 0],
        Some(command) => {
            let mut usage = vec![0xff; usize::from(command.length)];
            usage[0] = command.code;
            [&[0, 3, 0, command.length][..], &usage].concat()
        }
    }
}

impl Drive {
    /// Does a command of an initiator.
    pub(super) fn command(&mut self, from: Initiator, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        let command = look_up(COMMANDS, cdb)?;
        self.settle()?;
        // Allowing removal again is never refused.
        let allows = command.code == 0x1e && cdb[4] & 1 == 0;
        let passage = if allows { Always } else { command.passage };
        self.initiators.check(from, passage)?;
        if command.need != Nothing {
            if let Some(say) = self.initiators.attention(from) {
                return Err(say.into());
            }
            if let Some(say) = self.deferred.take() {
                return Err(say.into());
            }
        }
        if command.need == Medium {
            self.ready()?;
        }
        let answered = self.perform(from, cdb, transfer);
        self.suffer(answered)
    }

    fn perform(&mut self, from: Initiator, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        match cdb[0] {
            0x00 => Ok(0),
            0x01 => self.rewind(),
            0x03 => self.request_sense(from, cdb, transfer),
            0x04 => self.format_medium(cdb),
            0x05 => self.read_block_limits(transfer),
            0x08 => self.read(cdb, transfer),
            0x0a => self.write(cdb, transfer),
            0x0b => self.set_capacity(cdb),
            0x10 => self.write_filemarks(cdb),
            0x11 => self.space(cdb[1] & 0x0f, crate::ldm::virt::bytes::signed(&cdb[2..5])),
            0x12 => self.inquiry(cdb, transfer),
            0x15 | 0x55 => self.mode_select(from, cdb, transfer),
            0x16 => self.initiators.reserve(from),
            0x17 => self.initiators.release(from),
            0x19 => self.erase(),
            0x1a | 0x5a => self.mode_sense(cdb, transfer),
            0x1b => self.load_unload(cdb),
            0x1e => self.initiators.prevent(from, cdb),
            0x2b => self.locate_10(cdb),
            0x34 => self.read_position(cdb, transfer),
            0x44 => self.report_density(cdb, transfer),
            0x4d => self.log_sense(cdb, transfer),
            0x5e => self.initiators.persistent_in(cdb, transfer),
            0x5f => self.initiators.persistent_out(from, cdb, transfer),
            0x82 => self.allow_overwrite(cdb),
            0x8c => self.read_attribute(cdb, transfer),
            0x8d => self.write_attribute(cdb, transfer),
            0x91 => self.space(cdb[1] & 0x0f, crate::ldm::virt::bytes::signed(&cdb[4..12])),
            0x92 => self.locate_16(cdb),
            0xa0 => give(
                transfer,
                number(&cdb[6..10]),
                &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            ),
            0xa3 => report_codes(COMMANDS, cdb, transfer),
            _ => Err(Say::UNKNOWN_COMMAND.into()),
        }
    }

    /// What the answer does to the drive itself: counters, alerts, and what a reset or a change of medium takes away.
    fn suffer(&mut self, answered: Answered) -> Answered {
        if let Err(Check::Condition(say, _)) = &answered {
            self.statistics.note(say);
            if say.key() == 0x6 && matches!(say.asc(), 0x28 | 0x29) {
                // The condition itself says that what was buffered is lost.
                let _ = self.drop_buffer();
                self.position = crate::ldm::drive::Position::at(0, 0);
                self.streaming = false;
            }
        }
        answered
    }

    /// REQUEST SENSE: what the initiator has not heard, and else whether a cartridge is ready.
    fn request_sense(&mut self, from: Initiator, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        let waiting = self.initiators.attention(from).or_else(|| self.deferred.take());
        let say = waiting.unwrap_or_else(|| match self.ready() {
            Err(Check::Condition(say, _)) => say,
            _ => Say::default(),
        });
        give(transfer, u64::from(cdb[4]), &say.encode())
    }
}
