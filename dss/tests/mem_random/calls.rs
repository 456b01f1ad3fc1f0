//! The calls a random sequence is made of.

use proptest::prelude::*;
use proptest::sample::Index;

/// One call, its subjects picked from what there is.
#[derive(Clone, Debug)]
pub enum Call {
    RecordPut {
        name: u8,
        media: Vec<Index>,
        empty: bool,
    },
    CommitPuts {
        overwrite: bool,
    },
    AbandonPuts,
    Delete(u8),
    Undelete(u8),
    Purge,
    CreateJob {
        sources: Vec<Index>,
        drop_deleted: bool,
    },
    Advance {
        job: Index,
        to: Index,
    },
    RecordMove {
        job: Index,
        old: Index,
        target: Index,
    },
    Swap {
        job: Index,
        hold: u8,
    },
    Return {
        job: Index,
        which: Index,
    },
    ReadBack {
        job: Index,
        which: Index,
    },
    Quarantine {
        job: Index,
        medium: Index,
        hold: u8,
    },
    EndQuarantine(Index),
    Fence {
        medium: Index,
        job: Option<Index>,
        drop_deleted: bool,
    },
    FinishErase(Index),
    Lease(Index),
    Release(Index),
    Sweep(Option<Index>),
    ForgetOrphans(Index),
    Change {
        medium: Index,
        to: Index,
        locked: bool,
    },
    Suspect(Index),
    Import {
        medium: Index,
        from: Vec<Index>,
        adopt: bool,
        fresh: bool,
    },
    Later(u16),
}

/// Any call, the more likely the more of it a repack does.
pub fn call() -> impl Strategy<Value = Call> {
    let pick = any::<Index>;
    let few = || prop::collection::vec(any::<Index>(), 1..3);
    prop_oneof![
        6 => (0..4u8, few(), any::<bool>()).prop_map(|(name, media, empty)| Call::RecordPut { name, media, empty }),
        6 => any::<bool>().prop_map(|overwrite| Call::CommitPuts { overwrite }),
        1 => Just(Call::AbandonPuts),
        2 => (0..4u8).prop_map(Call::Delete),
        2 => (0..4u8).prop_map(Call::Undelete),
        1 => Just(Call::Purge),
        3 => (few(), any::<bool>()).prop_map(|(sources, drop_deleted)| Call::CreateJob { sources, drop_deleted }),
        2 => (pick(), pick()).prop_map(|(job, to)| Call::Advance { job, to }),
        9 => (pick(), pick(), pick()).prop_map(|(job, old, target)| Call::RecordMove { job, old, target }),
        6 => (pick(), 0..3u8).prop_map(|(job, hold)| Call::Swap { job, hold }),
        3 => (pick(), pick()).prop_map(|(job, which)| Call::Return { job, which }),
        2 => (pick(), pick()).prop_map(|(job, which)| Call::ReadBack { job, which }),
        4 => (pick(), pick(), 0..3u8).prop_map(|(job, medium, hold)| Call::Quarantine { job, medium, hold }),
        1 => pick().prop_map(Call::EndQuarantine),
        4 => (pick(), prop::option::of(pick()), any::<bool>())
            .prop_map(|(medium, job, drop_deleted)| Call::Fence { medium, job, drop_deleted }),
        3 => pick().prop_map(Call::FinishErase),
        1 => pick().prop_map(Call::Lease),
        1 => pick().prop_map(Call::Release),
        1 => prop::option::of(pick()).prop_map(Call::Sweep),
        2 => pick().prop_map(Call::ForgetOrphans),
        3 => (pick(), pick(), any::<bool>()).prop_map(|(medium, to, locked)| Call::Change { medium, to, locked }),
        1 => pick().prop_map(Call::Suspect),
        2 => (pick(), few(), any::<bool>(), any::<bool>())
            .prop_map(|(medium, from, adopt, fresh)| Call::Import { medium, from, adopt, fresh }),
        2 => any::<u16>().prop_map(Call::Later),
    ]
}
