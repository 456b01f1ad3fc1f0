//! Ends the process at a named step, as SIGKILL does: no destructor, no flush, no farewell.

use super::FaultPlan;
use dss::model::{Checkpoints, Step};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Dies where the plan says so.
#[derive(Clone, Debug)]
pub struct CrashCheckpoints {
    plan: FaultPlan,
}

impl CrashCheckpoints {
    /// With this plan.
    pub fn new(plan: FaultPlan) -> Self {
        Self { plan }
    }
}

impl Checkpoints for CrashCheckpoints {
    fn reach(&self, step: Step) {
        if self.plan.crash_at(step) {
            tracing::warn!(%step, "the drill ends respoold here");
            // The signal may be delivered a moment later: no other step may be passed meanwhile.
            while kill(Pid::this(), Signal::SIGKILL).is_ok() {
                std::thread::park();
            }
            std::process::abort();
        }
    }
}
