//! What waits, as it is told to whoever asks.

use super::{WaitReason, WaitingRequest};
use crate::core::queue::Waiting;
use crate::core::scheduler::Scheduler;
use std::time::Duration;

/// One request that waits.
pub(super) fn describe(scheduler: &Scheduler, waiting: &Waiting, now: Duration) -> WaitingRequest {
    let explanation = scheduler
        .explain(waiting.id)
        .expect("a request that waits is explained");
    let reasons = explanation.reasons.iter().map(|reason| WaitReason {
        text: reason.text.clone(),
        held_by: reason.held_by.as_ref().map(|held| held.purpose.clone()),
        held_for: reason.held_by.as_ref().map(|held| now.saturating_sub(held.since)),
        yield_asked: reason
            .held_by
            .as_ref()
            .and_then(|held| held.yield_asked)
            .map(|asked| now.saturating_sub(asked)),
        next: reason.next.clone(),
    });
    WaitingRequest {
        id: waiting.id,
        purpose: waiting.request.purpose.clone(),
        priority: waiting.request.priority,
        waited: now.saturating_sub(waiting.since),
        why: explanation.text(),
        reasons: reasons.collect(),
    }
}
