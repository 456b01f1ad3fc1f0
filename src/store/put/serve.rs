//! Runs a session over a stream of frames: feeds it, flushes it when the client pauses, gives it up when the client
//! goes away.

use super::{PutFrame, PutResult, PutSession};
use crate::api::Problem;
use futures_util::{Stream, StreamExt};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A client that sends nothing for so long is taken for gone: it must not hold its targets for ever.
const STALL: Duration = Duration::from_secs(300);

/// Serves a stream to its end. An error, and a client that no longer takes results, void what was not answered yet.
pub async fn serve(
    mut session: PutSession,
    frames: impl Stream<Item = Result<PutFrame, Problem>>,
    results: mpsc::Sender<PutResult>,
) -> Result<(), Problem> {
    let mut frames = std::pin::pin!(frames);
    loop {
        let stalled = Instant::now() + STALL;
        let due = session.deadline().map_or(stalled, |due| due.min(stalled));
        let ready = tokio::select! {
            biased;
            () = session.closed() => Ok(session.results().await),
            next = tokio::time::timeout_at(due, frames.next()) => match next {
                Ok(Some(Ok(frame))) => session.feed(frame).await,
                Ok(Some(Err(problem))) => Err(problem),
                Ok(None) => {
                    let rest = session.finish().await;
                    // A client that went away just now finds its objects stored.
                    send(&results, rest).await;
                    return Ok(());
                }
                Err(_) if Instant::now() >= stalled => Err(stall()),
                Err(_) => Ok(session.flush().await),
            },
        };
        match ready {
            Ok(ready) => {
                if !send(&results, ready).await {
                    session.abandon().await;
                    return Ok(());
                }
            }
            Err(problem) => {
                session.abandon().await;
                return Err(problem);
            }
        }
    }
}

fn stall() -> Problem {
    Problem::environment(
        "client_stalled",
        "operator",
        "put",
        format!(
            "the client sent nothing for {} s; what was not acknowledged was given up",
            STALL.as_secs()
        ),
    )
    .next("put the objects that were not acknowledged again")
}

async fn send(results: &mpsc::Sender<PutResult>, ready: Vec<PutResult>) -> bool {
    for result in ready {
        if results.send(result).await.is_err() {
            return false;
        }
    }
    true
}
