//! Which of its own limits a run of a job has come to: what is told of a job that no operator paused.

use dss::model::{ByteCount, JobLimit, JobSpec};
use std::time::Duration;

/// The limit that holds for a run that moved so much in so long; the bytes first, for they do not grow while a job comes
/// to rest. None: it rests for another reason.
pub fn reached(spec: &JobSpec, moved: ByteCount, took: Duration) -> Option<JobLimit> {
    let of_bytes = spec.limit_bytes.is_some_and(|limit| moved >= limit);
    let of_time = spec.limit_seconds.is_some_and(|limit| took.as_secs() >= limit);
    match (of_bytes, of_time) {
        (true, _) => Some(JobLimit::Bytes),
        (false, true) => Some(JobLimit::Time),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::{Quarantine, VerifyMode};
    use std::collections::BTreeSet;

    #[test]
    fn a_run_is_told_to_be_at_the_limit_that_it_came_to() {
        let spec = |bytes: Option<u64>, limit_seconds| JobSpec {
            sources: vec![],
            only: BTreeSet::new(),
            to: None,
            to_tags: BTreeSet::new(),
            quarantine: Quarantine::None,
            verify: VerifyMode::Full,
            drop_deleted: false,
            limit_bytes: bytes.map(ByteCount),
            limit_seconds,
        };
        let at = |spec: JobSpec| reached(&spec, ByteCount(100), Duration::from_millis(9_999));
        assert_eq!(at(spec(None, None)), None);
        assert_eq!(at(spec(Some(101), Some(10))), None);
        assert_eq!(at(spec(Some(100), Some(10))), Some(JobLimit::Bytes));
        assert_eq!(at(spec(Some(101), Some(9))), Some(JobLimit::Time));
        assert_eq!(at(spec(Some(100), Some(9))), Some(JobLimit::Bytes), "both");
    }
}
