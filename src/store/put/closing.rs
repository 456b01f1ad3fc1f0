//! How windows and batches of a put end: written and durable, or void and tried elsewhere, or told to the client. What
//! failed first is what the client hears.

use super::gather::{self, Loaded};
use super::stream::Halt;
use super::targets::Target;
use super::window::{Closed, Closing, Ground};
use super::{Current, Outcome, PutFailure, PutSession, TRIES, Targets, give_up};
use crate::api::Problem;
use dss::model::{Oid, Owner};
use std::sync::Arc;
use tokio::time::Instant;

/// A window could not be closed.
pub(super) struct FailedClosing {
    target: usize,
    of_host: bool,
    problem: Problem,
}

impl FailedClosing {
    /// What `recover` answers: an error when looking for other targets makes no sense.
    fn answer(self) -> Result<Problem, Problem> {
        match self.of_host {
            true => Err(self.problem),
            false => Ok(self.problem),
        }
    }
}

impl PutSession {
    /// Writes what was gathered, elsewhere if a medium fails.
    pub(super) async fn write_gathered(&mut self) {
        let mut batch = self.name_gathered().await;
        let mut last = None;
        for _ in 0..TRIES {
            let Some(first) = batch.first() else { return };
            if self.targets.is_none()
                && let Err(problem) = Box::pin(self.aim(first.draft.need())).await
            {
                // What made it look for other targets is what went wrong.
                Problem::keep_first(&mut last, problem);
                let problem = last.expect("just kept");
                return self.fail(batch, PutFailure::last(problem));
            }
            let done = gather::write(batch, &self.tools()).await;
            if !done.landed.is_empty() {
                self.oldest.get_or_insert_with(Instant::now);
            }
            done.landed.into_iter().for_each(|landed| self.window.push(landed));
            for (ticket, problem) in done.refused {
                self.order.settle(ticket, Err(PutFailure::last(problem)));
            }
            let Some(halt) = done.halt else {
                assert!(done.left.is_empty(), "what is left was left for a reason");
                return;
            };
            match Box::pin(self.recover(halt)).await {
                Ok(problem) => Problem::keep_first(&mut last, problem),
                Err(problem) => return self.fail(done.left, PutFailure::last(problem)),
            }
            batch = done.left;
        }
        if let Some(problem) = last {
            self.fail(batch, PutFailure::again(problem));
        }
    }

    /// Gives everything gathered its version, asked for at once; tells those whose name is taken.
    async fn name_gathered(&mut self) -> Vec<Loaded> {
        let gathered = self.gathered.take();
        if gathered.is_empty() {
            return Vec::new();
        }
        let oids: Vec<Oid> = gathered.iter().map(|one| one.announced.header.oid.clone()).collect();
        let versions = match self.host.catalogue.versions(&oids).await {
            Ok(versions) => versions,
            Err(error) => {
                let failure = PutFailure::last(error.into());
                for one in gathered {
                    self.order.settle(one.announced.ticket, Err(failure.clone()));
                }
                return Vec::new();
            }
        };
        let now = self.host.clock.now();
        let mut named = Vec::with_capacity(gathered.len());
        for (one, versions) in gathered.into_iter().zip(versions) {
            match one.announced.named(versions, now) {
                Ok(draft) => named.push(Loaded {
                    draft,
                    bytes: one.bytes,
                    digests: one.digests,
                }),
                Err((ticket, problem)) => self.order.settle(ticket, Err(PutFailure::last(problem))),
            }
        }
        named
    }

    pub(super) fn fail(&mut self, objects: Vec<Loaded>, failure: PutFailure) {
        for loaded in objects {
            self.order.settle(loaded.draft.ticket, Err(failure.clone()));
        }
    }

    /// After a halt: saves or voids the window, notes what was found out, and lets the targets go. Answers what to tell
    /// of the object concerned, or an error when looking for other targets makes no sense.
    pub(super) async fn recover(&mut self, halt: Halt) -> Result<Problem, Problem> {
        if let Halt::Problem(problem) = halt {
            return Err(problem);
        }
        let halted = match &halt {
            Halt::Target(number, trouble) => {
                if !trouble.spares_the_window() {
                    self.distrust(*number);
                }
                Some(self.target(*number))
            }
            Halt::Problem(_) | Halt::Ousted(_) => None,
        };
        // Where the window before failed, this halt came after it, and on the same target it may have come of it.
        if let Some(failure) = self.end_closing().await {
            if let (Halt::Target(number, trouble), Some(target)) = (&halt, &halted)
                && *number != failure.target
            {
                trouble.note(&self.host, target).await;
            }
            return failure.answer();
        }
        let problem = match halt {
            Halt::Problem(problem) => return Err(problem),
            Halt::Ousted(problem) => {
                self.close_window().await;
                problem
            }
            Halt::Target(_, trouble) => {
                let target = halted.expect("a target halted");
                let problem = trouble.problem(&target);
                match trouble.spares_the_window() {
                    true => self.close_window().await,
                    false => self.void_window(&problem).await,
                }
                trouble.note(&self.host, &target).await;
                if trouble.is_of_host() {
                    self.release().await;
                    return Err(problem);
                }
                problem
            }
        };
        self.release().await;
        Ok(problem)
    }

    /// Everything that ended becomes durable.
    pub(super) async fn settle(&mut self) {
        self.write_gathered().await;
        self.close_window().await;
    }

    pub(super) async fn close_window(&mut self) {
        self.begin_closing().await;
        self.end_closing().await;
    }

    /// Begins to close the window; what comes next is written meanwhile. One window is closed at a time.
    pub(super) async fn begin_closing(&mut self) {
        self.end_closing().await;
        self.oldest = (!self.gathered.is_empty()).then(Instant::now);
        let Some(targets) = &self.targets else { return };
        if self.window.is_empty() {
            return;
        }
        let ground = Ground {
            host: Arc::clone(&self.host),
            session: self.id,
            targets: targets.list.clone(),
        };
        self.closing = Some(Closing::begin(std::mem::take(&mut self.window), ground));
    }

    /// Ends with the window that is being closed, if one is. Where it failed, nothing since counts either, but what was
    /// only gathered: its bytes are here, and are written elsewhere.
    pub(super) async fn end_closing(&mut self) -> Option<FailedClosing> {
        let Closed { outcomes, failed } = self.closing.take()?.end().await;
        self.tell(outcomes);
        let (number, trouble) = failed?;
        let target = self.target(number);
        let problem = trouble.problem(&target);
        trouble.note(&self.host, &target).await;
        self.void_window(&problem).await;
        self.distrust(number);
        self.current = match std::mem::replace(&mut self.current, Current::None) {
            Current::Streaming(streaming) => {
                let ticket = streaming.draft().ticket;
                let rows = streaming.abandon().await;
                give_up(&self.host, Owner::Put(self.id), Some(&rows)).await;
                self.order.settle(ticket, Err(PutFailure::again(problem.clone())));
                Current::Skipping
            }
            other @ (Current::None | Current::Skipping | Current::Gathering { .. }) => other,
        };
        self.let_go().await;
        Some(FailedClosing {
            target: number,
            of_host: trouble.is_of_host(),
            problem,
        })
    }

    fn target(&self, number: usize) -> Target {
        let targets = self
            .targets
            .as_ref()
            .expect("targets are kept while a window needs them");
        targets.list[number].clone()
    }

    async fn void_window(&mut self, problem: &Problem) {
        let window = std::mem::take(&mut self.window);
        let outcomes = window.void(&self.host, self.id, problem).await;
        self.tell(outcomes);
    }

    pub(super) fn tell(&mut self, outcomes: Vec<Outcome>) {
        for (ticket, outcome) in outcomes {
            self.order.settle(ticket, outcome);
        }
    }

    /// Between objects, gives way to somebody more urgent.
    pub(super) async fn yield_targets(&mut self) {
        let idle = matches!(self.current, Current::None);
        if idle && self.targets.as_ref().is_some_and(Targets::should_yield) {
            self.release().await;
        }
    }

    pub(super) fn distrust(&self, number: usize) {
        if let Some(targets) = &self.targets {
            targets.distrust(number);
        }
    }

    pub(super) async fn release(&mut self) {
        self.end_closing().await;
        self.let_go().await;
    }

    async fn let_go(&mut self) {
        if let Some(targets) = self.targets.take() {
            targets.release().await;
        }
    }
}
