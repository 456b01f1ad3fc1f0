//! The leases of this respoold, and their renewal. A guard's end is counted on the monotonic clock from before the
//! request that took or renewed the lease was sent, so it never lies after the end that the catalogue knows (I7).

use super::{Context, Message};
use crate::core::scheduler::Event;
use crate::worker::LeaseGuard;
use dss::catalogue::CatalogueError;
use dss::model::{Epoch, Lease, MediumId, Resource};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::WeakUnboundedSender;
use tokio::time::Instant;

/// A renewal that failed is tried again so soon.
const RETRY: Duration = Duration::from_secs(1);

struct Held {
    lease: Lease,
    guard: LeaseGuard,
    /// When the catalogue's answer was here.
    since: Instant,
}

/// All leases that are ours.
#[derive(Default)]
pub(super) struct LeaseBook {
    held: Mutex<BTreeMap<MediumId, Held>>,
}

impl LeaseBook {
    /// Takes a lease.
    pub(super) async fn take(&self, context: &Context, medium: MediumId) -> Result<Epoch, CatalogueError> {
        let sent = Instant::now();
        let settings = &context.settings;
        let resource = Resource::Medium(medium);
        let asked = context.catalogue.take_lease(
            &resource,
            &settings.holder,
            settings.lease_seconds,
            settings.margin_seconds,
            context.clock.now(),
        );
        let lease = asked.await?;
        let epoch = lease.epoch;
        let held = Held {
            lease,
            guard: LeaseGuard::until(sent + length(context)),
            since: Instant::now(),
        };
        self.held().insert(medium, held);
        Ok(epoch)
    }

    /// The guard of a lease that is ours.
    pub(super) fn guard(&self, medium: MediumId) -> Option<LeaseGuard> {
        self.held().get(&medium).map(|held| held.guard.clone())
    }

    /// Ends a lease here; the answer is to be given back to the catalogue.
    pub(super) fn end(&self, medium: MediumId) -> Option<Lease> {
        let held = self.held().remove(&medium)?;
        held.guard.revoke();
        Some(held.lease)
    }

    /// Renews all of them; the media whose lease is lost.
    async fn renew(&self, context: &Context) -> Result<Vec<MediumId>, CatalogueError> {
        let sent = Instant::now();
        let settings = &context.settings;
        let asked = context
            .catalogue
            .renew_leases(&settings.holder, settings.lease_seconds, context.clock.now());
        let answer = tokio::time::timeout(length(context) / 3, asked).await;
        let renewed = answer.unwrap_or_else(|_| Err(CatalogueError::Unavailable("no answer to a renewal".into())))?;
        let renewed: BTreeMap<String, Epoch> = renewed.iter().map(|of| (of.resource.key(), of.epoch)).collect();
        let mut lost = Vec::new();
        // One taken after the renewal was sent may be missing in the answer, and is as good as new.
        for (medium, held) in self.held().iter().filter(|(_, held)| held.since < sent) {
            if renewed.get(&held.lease.resource.key()) == Some(&held.lease.epoch) {
                held.guard.prolong(sent + length(context));
            } else {
                lost.push(*medium);
            }
        }
        Ok(lost)
    }

    fn ended(&self) -> Vec<MediumId> {
        let held = self.held();
        held.iter()
            .filter(|(_, held)| !held.guard.holds())
            .map(|(medium, _)| *medium)
            .collect()
    }

    fn is_empty(&self) -> bool {
        self.held().is_empty()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<MediumId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn length(context: &Context) -> Duration {
    Duration::from_secs(context.settings.lease_seconds.into())
}

/// Renews leases three times in each one's length, until the scheduler ends.
pub(super) async fn keep(context: Arc<Context>, book: Arc<LeaseBook>, desk: WeakUnboundedSender<Message>) {
    let period = length(&context) / 3;
    let mut pause = period;
    loop {
        tokio::time::sleep(pause).await;
        pause = period;
        let mut lost = Vec::new();
        if !book.is_empty() {
            match book.renew(&context).await {
                Ok(gone) => lost = gone,
                Err(error) => {
                    tracing::warn!(%error, "leases were not renewed; trying again");
                    pause = RETRY.min(period);
                }
            }
        }
        lost.extend(book.ended());
        let Some(desk) = desk.upgrade() else { return };
        for medium in lost {
            if book.end(medium).is_some() {
                tracing::error!(%medium, "the lease on the medium is lost; nothing more is written to it");
                // Without an owner nobody writes any more.
                let _ = desk.send(Message::Event(Event::LeaseLost(medium)));
            }
        }
    }
}
