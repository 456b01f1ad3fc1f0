//! Ends the process at a named step, as SIGKILL does: no destructor, no flush, no farewell. On wish it keeps the last step
//! that was passed in a file, so that whoever kills the process from outside can tell where it was.

use super::{End, FaultPlan};
use dss::model::{Checkpoints, Step};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

/// Every step has a shorter name; the rest of the line is filled up, so that each write replaces the one before whole.
const LINE: usize = 40;

/// Dies where the plan says so.
#[derive(Clone, Debug)]
pub struct CrashCheckpoints {
    plan: FaultPlan,
    trace: Option<Arc<File>>,
}

impl CrashCheckpoints {
    /// With this plan. Its trace is made anew, and is a file of its owner alone.
    pub fn new(plan: FaultPlan) -> io::Result<Self> {
        let open = |path| {
            let mut options = OpenOptions::new();
            options.create(true).write(true).truncate(true).mode(0o600);
            options.open(path).map(Arc::new)
        };
        let trace = plan.trace().map(open).transpose()?;
        Ok(Self { plan, trace })
    }

    /// The kernel keeps what was written when the process is killed; nothing is synced.
    fn note(&self, step: Step) {
        if let Some(trace) = &self.trace {
            let line = format!("{:<width$}\n", step.to_string(), width = LINE - 1);
            if let Err(error) = trace.write_all_at(line.as_bytes(), 0) {
                tracing::warn!(%step, %error, "the step could not be noted");
            }
        }
    }
}

impl Checkpoints for CrashCheckpoints {
    fn reach(&self, step: Step) {
        self.note(step);
        match self.plan.crash_at(step) {
            None => {}
            Some(End::Panic) => panic!("the drill breaks this task at {step}"),
            Some(End::Kill) => {
                tracing::warn!(%step, "the drill ends respoold here");
                // The signal may be delivered a moment later: no other step may be passed meanwhile.
                while kill(Pid::this(), Signal::SIGKILL).is_ok() {
                    std::thread::park();
                }
                std::process::abort();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_passed_stands_in_the_trace_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps");
        std::fs::write(
            &path,
            "of another life, and longer than one line of this trace would ever be\n",
        )
        .unwrap();
        let plan = FaultPlan::parse(&format!("trace = {path:?}\n"), "test").unwrap();
        assert!(!plan.is_empty());
        let checkpoints = CrashCheckpoints::new(plan).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        for step in [Step::QuarantineBeforeCommit, Step::PlanAfter] {
            checkpoints.reach(step);
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!((text.trim(), text.len()), (step.to_string().as_str(), LINE));
        }
    }
}
