//! What was ordered and has no answer yet. An order that is late has its drive put aside until it answers: who needs the
//! drive is told why, and nobody waits for it without end. Decides only what the clock of the caller says; called by the
//! scheduler.

use super::drive::DriveId;
use super::request::AllocationId;
use dss::model::{Family, MediumId};
use std::collections::BTreeMap;
use std::time::Duration;

/// A disk that has not mounted, unmounted or told its free space by then is taken for hung: spinning up takes half a
/// minute, and a sync that a probe waits behind a few.
pub const DIR_ANSWER_MAX: Duration = Duration::from_secs(300);

/// The same for a tape: the first load of a new LTO-9 cartridge alone may take two hours.
pub const TAPE_ANSWER_MAX: Duration = Duration::from_secs(3 * 3600);

/// A lease is one transaction of the catalogue, which gives up by itself long before.
pub const LEASE_ANSWER_MAX: Duration = Duration::from_secs(60);

/// How long a drive may take for one order.
pub fn answer_max(family: Family) -> Duration {
    match family {
        Family::Dir => DIR_ANSWER_MAX,
        Family::Tape => TAPE_ANSWER_MAX,
    }
}

/// An order that is answered by one event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// A mount.
    Load(DriveId),
    /// An unmount.
    Unload(DriveId),
    /// A question for free space, asked for a request.
    Probe(DriveId, MediumId, AllocationId),
    /// A lease.
    Lease(MediumId),
}

impl Order {
    fn drive(&self) -> Option<&DriveId> {
        match self {
            Self::Load(drive) | Self::Unload(drive) | Self::Probe(drive, ..) => Some(drive),
            Self::Lease(_) => None,
        }
    }

    fn words(&self) -> &'static str {
        match self {
            Self::Load(_) => "a mount",
            Self::Unload(_) => "an unmount",
            Self::Probe(..) => "a question for its free space",
            Self::Lease(_) => "a request for its lease",
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Open {
    since: Duration,
    most: Duration,
}

/// The orders without an answer. At most two for each drive and medium, and one for each request and medium it writes.
#[derive(Debug, Default)]
pub struct Orders {
    open: BTreeMap<Order, Open>,
}

impl Orders {
    /// Notes an order that is given now.
    pub fn give(&mut self, order: Order, family: Family, now: Duration) {
        let most = match order {
            Order::Lease(_) => LEASE_ANSWER_MAX,
            Order::Load(_) | Order::Unload(_) | Order::Probe(..) => answer_max(family),
        };
        self.open.insert(order, Open { since: now, most });
    }

    /// Notes an answer; true when it had been given up.
    pub fn answered(&mut self, order: &Order, now: Duration) -> bool {
        self.open.remove(order).is_some_and(|open| is_late(open, now))
    }

    /// Forgets what a drive owes that will never answer.
    pub fn forget(&mut self, drive: &DriveId) {
        self.open.retain(|order, _| order.drive() != Some(drive));
    }

    /// Why a drive is put aside, in words; None while it answers in time.
    pub fn silent(&self, drive: &DriveId, now: Duration) -> Option<String> {
        let of_drive = self.open.iter().filter(|(order, _)| order.drive() == Some(drive));
        let late = of_drive.filter(|(_, open)| is_late(**open, now));
        let (order, open) = late.min_by_key(|(_, open)| open.since)?;
        Some(format!(
            "{} has not answered for {}; {drive} is put aside until it does",
            order.words(),
            in_words(now.saturating_sub(open.since))
        ))
    }

    /// Why nobody waits for the lease on a medium any more.
    pub fn lease_late(&self, medium: MediumId, now: Duration) -> Option<String> {
        let open = self
            .open
            .get(&Order::Lease(medium))
            .filter(|open| is_late(**open, now))?;
        let waited = in_words(now.saturating_sub(open.since));
        Some(format!("the catalogue has not answered for {waited}"))
    }

    /// When this was ordered, and when it will be given up.
    pub fn span(&self, order: &Order) -> Option<(Duration, Duration)> {
        self.open.get(order).map(|open| (open.since, open.since + open.most))
    }
}

fn is_late(open: Open, now: Duration) -> bool {
    now.saturating_sub(open.since) >= open.most
}

/// A span of time for people.
pub fn in_words(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dock() -> DriveId {
        DriveId::Dock("left".into())
    }

    #[test]
    fn a_drive_is_aside_from_its_bound_on_until_it_answers() {
        let mut orders = Orders::default();
        orders.give(Order::Load(dock()), Family::Dir, Duration::from_secs(7));
        let bound = Duration::from_secs(7) + DIR_ANSWER_MAX;
        assert_eq!(orders.silent(&dock(), bound - Duration::from_secs(1)), None);
        let why = orders.silent(&dock(), bound).unwrap();
        assert_eq!(
            why,
            "a mount has not answered for 5 min; dock left is put aside until it does"
        );
        assert_eq!(orders.silent(&DriveId::Dock("right".into()), bound), None);
        assert!(orders.answered(&Order::Load(dock()), bound));
        assert_eq!(orders.silent(&dock(), bound), None);
    }

    #[test]
    fn a_tape_may_take_hours_and_a_lease_may_not() {
        let mut orders = Orders::default();
        let medium = MediumId::fresh();
        orders.give(Order::Load(dock()), Family::Tape, Duration::ZERO);
        orders.give(Order::Lease(medium), Family::Tape, Duration::ZERO);
        assert_eq!(orders.silent(&dock(), Duration::from_secs(2 * 3600)), None);
        assert!(orders.silent(&dock(), TAPE_ANSWER_MAX).is_some());
        assert!(orders.lease_late(medium, LEASE_ANSWER_MAX).is_some());
        assert!(!orders.answered(&Order::Lease(medium), LEASE_ANSWER_MAX - Duration::from_secs(1)));
    }
}
