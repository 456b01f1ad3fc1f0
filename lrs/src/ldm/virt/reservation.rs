//! Who may use a device: initiators, their unit attentions, and their reservations (SPC-2, 7.21, for RESERVE; SPC-4, 5.13,
//! for persistent ones). One handle on a device is one initiator.

use super::bytes::{give, number, taken};
use super::sense::{Answered, Check, Say};
use crate::ldm::scsi::Transfer;
use std::collections::{BTreeMap, VecDeque};

/// An initiator of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Initiator(u32);

/// What a command needs of a reservation that another initiator holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// It is never refused.
    Always,
    /// It reads: a write-exclusive reservation lets it pass.
    Reads,
    /// It is refused.
    Excluded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Persistent {
    holder: Initiator,
    kind: u8,
}

/// Persistent reservation types (SPC-4, table 63).
const WRITE_EXCLUSIVE: u8 = 1;
const EXCLUSIVE_ACCESS: u8 = 3;
const WRITE_EXCLUSIVE_REGISTRANTS: u8 = 5;
const EXCLUSIVE_ACCESS_REGISTRANTS: u8 = 6;
const WRITE_EXCLUSIVE_ALL: u8 = 7;
const EXCLUSIVE_ACCESS_ALL: u8 = 8;

/// The initiators of one device, and what they hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Initiators {
    count: u32,
    attentions: BTreeMap<Initiator, VecDeque<Say>>,
    reserved: Option<Initiator>,
    keys: BTreeMap<Initiator, u64>,
    persistent: Option<Persistent>,
    generation: u32,
    preventing: Vec<Initiator>,
}

impl Initiators {
    /// A new one. It is told that the device was powered on.
    pub(super) fn join(&mut self) -> Initiator {
        self.count += 1;
        let new = Initiator(self.count);
        self.attentions.insert(new, VecDeque::from([Say::RESET]));
        new
    }

    /// One that goes away keeps its key and its reservations, as a host that crashed does; it prevents nothing any more.
    pub(super) fn leave(&mut self, initiator: Initiator) {
        self.attentions.remove(&initiator);
        self.preventing.retain(|other| *other != initiator);
    }

    /// All of them go away, as those of a host that crashed.
    pub(super) fn leave_all(&mut self) {
        self.attentions.clear();
        self.preventing.clear();
    }

    /// Tells all of them; each hears the same thing once.
    pub(super) fn tell_all(&mut self, say: Say) {
        self.tell(say, |_| true);
    }

    /// Tells all but one.
    pub(super) fn tell_others(&mut self, from: Initiator, say: Say) {
        self.tell(say, |other| other != from);
    }

    fn tell(&mut self, say: Say, whom: impl Fn(Initiator) -> bool) {
        for (_, queue) in self.attentions.iter_mut().filter(|(who, _)| whom(**who)) {
            if !queue.contains(&say) {
                queue.push_back(say);
            }
        }
    }

    /// The next thing that one is to hear.
    pub(super) fn attention(&mut self, initiator: Initiator) -> Option<Say> {
        self.attentions.get_mut(&initiator)?.pop_front()
    }

    /// Power on or reset: keys that were not made to last are gone, and everybody hears of it.
    pub(super) fn reset(&mut self) {
        self.reserved = None;
        self.keys.clear();
        self.persistent = None;
        self.preventing.clear();
        self.attentions.values_mut().for_each(VecDeque::clear);
        self.tell_all(Say::RESET);
    }

    /// Whether an initiator's command may pass.
    pub(super) fn check(&self, initiator: Initiator, passage: Passage) -> Result<(), Check> {
        if passage == Passage::Always {
            return Ok(());
        }
        if self.reserved.is_some_and(|holder| holder != initiator) {
            return Err(Check::Conflict);
        }
        let Some(Persistent { holder, kind }) = self.persistent else {
            return Ok(());
        };
        let for_registrants = kind >= WRITE_EXCLUSIVE_REGISTRANTS && self.keys.contains_key(&initiator);
        let read_only = matches!(
            kind,
            WRITE_EXCLUSIVE | WRITE_EXCLUSIVE_REGISTRANTS | WRITE_EXCLUSIVE_ALL
        );
        if holder == initiator || for_registrants || read_only && passage == Passage::Reads {
            Ok(())
        } else {
            Err(Check::Conflict)
        }
    }

    /// RESERVE(6).
    pub(super) fn reserve(&mut self, initiator: Initiator) -> Answered {
        if self.reserved.is_some_and(|holder| holder != initiator) || !self.keys.is_empty() {
            return Err(Check::Conflict);
        }
        self.reserved = Some(initiator);
        Ok(0)
    }

    /// RELEASE(6): of one that holds nothing it is good and does nothing.
    pub(super) fn release(&mut self, initiator: Initiator) -> Answered {
        if self.reserved == Some(initiator) {
            self.reserved = None;
        }
        Ok(0)
    }

    /// PREVENT ALLOW MEDIUM REMOVAL.
    pub(super) fn prevent(&mut self, initiator: Initiator, cdb: &[u8]) -> Answered {
        self.preventing.retain(|other| *other != initiator);
        if cdb[4] & 1 == 1 {
            self.preventing.push(initiator);
        }
        Ok(0)
    }

    /// Whether anybody prevents removal.
    pub(super) fn prevented(&self) -> bool {
        !self.preventing.is_empty()
    }

    /// PERSISTENT RESERVE IN: keys (0), reservation (1), capabilities (2).
    pub(super) fn persistent_in(&self, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        let mut answer = self.generation.to_be_bytes().to_vec();
        let mut body = Vec::new();
        match cdb[1] & 0x1f {
            0 => body.extend(self.keys.values().flat_map(|key| key.to_be_bytes())),
            1 => {
                if let Some(Persistent { holder, kind }) = self.persistent {
                    let shared = kind >= WRITE_EXCLUSIVE_ALL;
                    let key = if shared {
                        0
                    } else {
                        self.keys.get(&holder).copied().unwrap_or(0)
                    };
                    body.extend(key.to_be_bytes());
                    body.extend([0, 0, 0, 0, 0, kind, 0, 0]);
                }
            }
            // TMV, and the mask of the types above.
            2 => return give(transfer, number(&cdb[7..9]), &[0, 8, 0, 0x80, 0xea, 0x01, 0, 0]),
            _ => return Err(Say::BAD_FIELD.into()),
        }
        answer.extend((body.len() as u32).to_be_bytes());
        answer.extend(body);
        give(transfer, number(&cdb[7..9]), &answer)
    }

    /// PERSISTENT RESERVE OUT.
    pub(super) fn persistent_out(&mut self, me: Initiator, cdb: &[u8], transfer: &Transfer<'_>) -> Answered {
        let list = taken(transfer, number(&cdb[5..9]))?;
        if list.len() < 24 {
            return Err(Say::PARAMETER_LENGTH.into());
        }
        let (key, new_key) = (number(&list[..8]), number(&list[8..16]));
        let (action, kind) = (cdb[1] & 0x1f, cdb[2] & 0x0f);
        if self.reserved.is_some_and(|holder| holder != me) {
            return Err(Check::Conflict);
        }
        if action != REGISTER_IGNORING && self.keys.get(&me).copied().unwrap_or(0) != key {
            return Err(Check::Conflict);
        }
        if !matches!(action, REGISTER | REGISTER_IGNORING) && !self.keys.contains_key(&me) {
            return Err(Check::Conflict);
        }
        match action {
            REGISTER | REGISTER_IGNORING => self.register(me, new_key),
            RESERVE => self.reserve_persistently(me, kind)?,
            RELEASE => self.release_persistently(me, kind)?,
            CLEAR => {
                self.keys.clear();
                self.persistent = None;
                self.generation += 1;
                self.tell_others(me, Say::RESERVATION_PREEMPTED);
            }
            PREEMPT | PREEMPT_ABORT => self.preempt(me, new_key, kind)?,
            _ => return Err(Say::BAD_FIELD.into()),
        }
        Ok(list.len())
    }

    fn register(&mut self, me: Initiator, key: u64) {
        self.generation += 1;
        if key != 0 {
            self.keys.insert(me, key);
            return;
        }
        self.keys.remove(&me);
        let held = self.persistent;
        if held.is_some_and(|held| held.holder == me && (held.kind < WRITE_EXCLUSIVE_ALL || self.keys.is_empty())) {
            self.persistent = None;
        }
    }

    fn reserve_persistently(&mut self, me: Initiator, kind: u8) -> Result<(), Check> {
        known(kind)?;
        match self.persistent {
            Some(held) if held != (Persistent { holder: me, kind }) => Err(Check::Conflict),
            _ => {
                self.persistent = Some(Persistent { holder: me, kind });
                Ok(())
            }
        }
    }

    fn release_persistently(&mut self, me: Initiator, kind: u8) -> Result<(), Check> {
        match self.persistent {
            Some(held) if held.holder == me || held.kind >= WRITE_EXCLUSIVE_ALL => {
                if held.kind != kind {
                    return Err(Say::new(0x5, 0x26, 0x04).into());
                }
                self.persistent = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn preempt(&mut self, me: Initiator, victim: u64, kind: u8) -> Result<(), Check> {
        known(kind)?;
        let held = self.persistent;
        let victims: Vec<Initiator> = self
            .keys
            .iter()
            .filter(|(_, key)| **key == victim)
            .map(|(who, _)| *who)
            .collect();
        if victims.is_empty() {
            return Err(Check::Conflict);
        }
        self.generation += 1;
        for who in &victims {
            if *who != me {
                self.keys.remove(who);
                self.tell(Say::RESERVATION_PREEMPTED, |other| other == *who);
            }
        }
        if held.is_some_and(|held| victims.contains(&held.holder)) {
            self.persistent = Some(Persistent { holder: me, kind });
        }
        Ok(())
    }
}

const REGISTER: u8 = 0;
const RESERVE: u8 = 1;
const RELEASE: u8 = 2;
const CLEAR: u8 = 3;
const PREEMPT: u8 = 4;
const PREEMPT_ABORT: u8 = 5;
const REGISTER_IGNORING: u8 = 6;

fn known(kind: u8) -> Result<(), Check> {
    match kind {
        WRITE_EXCLUSIVE
        | EXCLUSIVE_ACCESS
        | WRITE_EXCLUSIVE_REGISTRANTS
        | EXCLUSIVE_ACCESS_REGISTRANTS
        | WRITE_EXCLUSIVE_ALL
        | EXCLUSIVE_ACCESS_ALL => Ok(()),
        _ => Err(Say::BAD_FIELD.into()),
    }
}
