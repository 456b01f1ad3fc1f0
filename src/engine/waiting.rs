//! A job left without a target waits for the job that empties one (hop 1), and holds nothing meanwhile.

use super::Run;
use super::targets::awaited_for;
use crate::api::Problem;
use crate::repack::awaited::{gives_back, wait_for};
use crate::repack::machine::Event;
use crate::repack::manifest::Manifest;
use crate::repack::plan::Plan;
use dss::model::{JobId, JobWait, MediumId};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often the other job is looked at.
const LOOK: Duration = Duration::from_millis(500);

impl Run<'_> {
    /// When nothing can be moved now and another job will give back what is needed: waits for that. None: there is
    /// nothing to wait for.
    pub(super) async fn wait_for_a_target(
        &mut self,
        manifest: &Manifest,
        plan: &Plan,
    ) -> Result<Option<Event>, Problem> {
        let own = self.job.id;
        if plan.unplaced.is_empty() {
            return Ok(None);
        }
        let awaited = awaited_for(self.host, &self.job.spec, Some(own)).await?;
        let Some(wanted) = wait_for(manifest, plan, &awaited) else {
            return Ok(None);
        };
        let mut words = vec![];
        for (medium, job) in &wanted {
            words.push(format!(
                "medium {}, which job {job} empties",
                self.name_of(*medium).await
            ));
        }
        let first = *wanted.values().next().expect("something is waited for");
        self.tally.waiting_for = Some(JobWait {
            job: first,
            since: self.host.clock.now(),
            text: words.join("; "),
            next: format!("job {first} erases it and this job goes on; else the bytes missing are told"),
        });
        self.save().await?;
        let mut stop = self.controls.stop.clone();
        let stopped = tokio::select! {
            biased;
            Ok(stop) = stop.wait_for(Option::is_some) => Some(stop.expect("just seen")),
            changed = self.until_given_back(&wanted) => {
                changed?;
                None
            }
        };
        self.tally.waiting_for = None;
        self.save().await?;
        // What it waited for has changed: that is progress, whatever comes of it.
        Ok(Some(stopped.map_or(Event::Settled { settled: 1 }, Event::Stopped)))
    }

    /// Until one of them no longer is to be waited for.
    async fn until_given_back(&self, wanted: &BTreeMap<MediumId, JobId>) -> Result<(), Problem> {
        loop {
            for job in wanted.values() {
                let job = self.host.catalogue.job(*job).await?;
                if !gives_back(&job, Some(self.job.id)) {
                    return Ok(());
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
