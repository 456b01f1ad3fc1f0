//! The named steps at which a drill may end the process as SIGKILL does. The one list behind `respool drill steps`,
//! the fault file and the kill tests.

use super::words::words;

words! {
    /// A step that a drill can name. The part before the dot is the hop or phase.
    Step = "drill_step" {
        /// Hop 1: before the job's transaction commits.
        RequestBeforeCommit = "request.before_commit",
        /// Hop 1: the job exists, nobody has been told.
        RequestAfterCommit = "request.after_commit",
        /// Hop 2: dead pending extents are swept, the manifest is not read.
        ExpandAfterSweep = "expand.after_sweep",
        /// Hop 3: a plan exists in memory only.
        PlanAfter = "plan.after",
        /// Hop 4: the allocation was granted.
        AllocateAfterGrant = "allocate.after_grant",
        /// Hop 5: before the pending rows commit.
        RecordBeforeCommit = "record.before_commit",
        /// Hop 5: pending rows exist, no byte does.
        RecordAfterCommit = "record.after_commit",
        /// Hop 6: in the middle of reading an extent.
        ReadMiddle = "read.middle",
        /// Hop 7: the bytes were compared, the extent is not finished.
        VerifyAfter = "verify.after",
        /// Hop 8: in the middle of writing an extent.
        WriteMiddle = "write.middle",
        /// Hop 8: an extent was written whole.
        WriteAfter = "write.after",
        /// Hop 6 of a staged round: in the middle of reading an extent into the spool.
        SpoolMiddle = "spool.middle",
        /// Hop 7 of a staged round: a batch is in the spool, and no medium is held.
        SpoolFilled = "spool.filled",
        /// Hop 9: before the target is asked to sync.
        SyncBefore = "sync.before",
        /// Hop 9: durable, not swapped.
        SyncAfter = "sync.after",
        /// Hop 10: the swap is in its transaction.
        SwapBeforeCommit = "swap.before_commit",
        /// Hop 10: swapped, nobody has been told.
        SwapAfterCommit = "swap.after_commit",
        /// The targets' index is about to be committed.
        IndexBefore = "index.before",
        /// The targets' index is committed on the medium, not noted in the catalogue.
        IndexAfter = "index.after",
        /// In the middle of reading back.
        ReadBackMiddle = "read_back.middle",
        /// Before the source's quarantine commits.
        QuarantineBeforeCommit = "quarantine.before_commit",
        /// The source is quarantined.
        QuarantineAfterCommit = "quarantine.after_commit",
        /// Before a part of a restore commits.
        RestoreBeforeCommit = "restore.before_commit",
        /// A part of a restore is done.
        RestoreAfterCommit = "restore.after_commit",
        /// Before the source becomes *erasing*.
        ReclaimBeforeFence = "reclaim.before_fence",
        /// The source is *erasing*; nothing is erased.
        ReclaimAfterFence = "reclaim.after_fence",
        /// Some files of the source are erased.
        ReclaimMiddle = "reclaim.middle",
        /// The source is erased and has no label yet.
        ReclaimBeforeLabel = "reclaim.before_label",
        /// The source has its new label; the orphan rows are still there.
        ReclaimAfterLabel = "reclaim.after_label",
        /// The catalogue knows the source as empty.
        ReclaimAfterCommit = "reclaim.after_commit",
        /// A put's pending rows exist, no byte does.
        PutAfterRecord = "put.after_record",
        /// A put's bytes are durable, its object does not exist.
        PutAfterSync = "put.after_sync",
        /// A put's object exists, the client has not been told.
        PutAfterCommit = "put.after_commit",
        /// A deletion is in its transaction.
        DeleteBeforeCommit = "delete.before_commit",
    }
}

/// Told whenever a step is reached. In a drill it may never return.
pub trait Checkpoints: Send + Sync {
    /// The process has come to this step.
    fn reach(&self, step: Step);
}

/// No drill: every step is passed.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDrill;

impl Checkpoints for NoDrill {
    fn reach(&self, _step: Step) {}
}
