//! Runs jobs: one task each, from where the catalogue says they are to where they rest. The tasks know nothing that the
//! catalogue does not; killing them loses nothing.

use super::activity::Activity;
use crate::engine::{self, Controls};
use crate::host::Host;
use crate::repack::job::{JobEvent, sources_of};
use crate::repack::machine::Stop;
use dss::model::{JobError, JobId, JobState, Tally};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Between two tries while the catalogue is away.
const CATALOGUE_AWAY: Duration = Duration::from_secs(5);
/// After so many tries in a row (an hour) a job waits for the next respoold, or for `job resume`.
const TRIES: u32 = 720;

/// The jobs at work. Clones are the same one.
#[derive(Clone)]
pub struct Runner(Arc<Inner>);

struct Inner {
    host: Arc<Host>,
    activity: Activity,
    running: Mutex<BTreeMap<JobId, Running>>,
}

struct Running {
    stop: watch::Sender<Option<Stop>>,
    tally: watch::Receiver<Tally>,
    /// Resumed while it was still coming to a stop: it is taken up again as soon as it has.
    again: bool,
}

/// One end of what a running job is told and tells.
type Ends = (watch::Receiver<Option<Stop>>, watch::Sender<Tally>);

impl Running {
    fn new() -> (Self, Ends) {
        let (stop, stop_asked) = watch::channel(None);
        let (tell, tally) = watch::channel(Tally::default());
        let again = false;
        (Self { stop, tally, again }, (stop_asked, tell))
    }
}

impl Runner {
    /// With nothing to do.
    pub fn new(host: Arc<Host>, activity: Activity) -> Self {
        Self(Arc::new(Inner {
            host,
            activity,
            running: Mutex::default(),
        }))
    }

    /// Works on a job until it rests. One that is being worked on goes on, also when it was just asked to pause. Nothing
    /// is begun while respoold leaves: the next one begins it.
    pub fn start(&self, id: JobId) {
        self.begin(id, false);
    }

    /// The same for a job that rested: what still stands among those at work has come to its end.
    pub fn start_again(&self, id: JobId) {
        self.begin(id, true);
    }

    fn begin(&self, id: JobId, rested: bool) {
        if self.0.host.stopping.is_cancelled() {
            return;
        }
        let mut ends = {
            let mut running = self.running();
            if let Some(known) = running.get_mut(&id) {
                known.again = rested || known.stop.borrow().is_some();
                return;
            }
            let (new, ends) = Running::new();
            running.insert(id, new);
            ends
        };
        let runner = self.clone();
        let in_use = self.0.activity.enter();
        tokio::spawn(async move {
            loop {
                runner.work(id, ends).await;
                // After this a watcher reads the job's rest from the catalogue.
                match runner.again(id) {
                    Some(next) => ends = next,
                    None => break,
                }
            }
            drop(in_use);
        });
    }

    async fn work(&self, id: JobId, (stop, tally): Ends) {
        let host = Arc::clone(&self.0.host);
        let work = tokio::spawn(async move { work_on(&host, id, stop, tally).await });
        match work.await {
            Ok(None) => {}
            Ok(Some(error)) => self.note(id, error).await,
            Err(panic) => self.note(id, bug(id, &panic.to_string())).await,
        }
    }

    /// A job that stopped is let go, or taken up again when that was asked meanwhile.
    fn again(&self, id: JobId) -> Option<Ends> {
        let mut running = self.running();
        let known = running.get_mut(&id)?;
        if !known.again {
            running.remove(&id);
            return None;
        }
        let (new, ends) = Running::new();
        *known = new;
        Some(ends)
    }

    /// Asks a job to stop at its next extent boundary. False: it is not at work.
    pub fn stop(&self, id: JobId, stop: Stop) -> bool {
        match self.running().get_mut(&id) {
            Some(running) => {
                running.again = false;
                running.stop.send_replace(Some(stop));
                true
            }
            None => false,
        }
    }

    /// How far a job is, while it is at work.
    pub fn watch(&self, id: JobId) -> Option<watch::Receiver<Tally>> {
        self.running().get(&id).map(|running| running.tally.clone())
    }

    /// Asks every job to hand over to the next respoold, and waits until none is at work.
    pub async fn hand_over(&self, patience: Duration) {
        for running in self.running().values_mut() {
            running.again = false;
            running.stop.send_replace(Some(Stop::Handover));
        }
        let end = tokio::time::Instant::now() + patience;
        while !self.running().is_empty() && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn note(&self, id: JobId, error: JobError) {
        let host = &self.0.host;
        let noted = async {
            let job = host.catalogue.job(id).await?;
            // What it held goes back as when any other failure ends a job; what cannot be let go now waits for the next
            // life, and the failure is noted all the same.
            if let Err(problem) = engine::clean_up_after_bug(host, &job).await {
                tracing::warn!(job = %id, %problem, "not all that a broken job held was let go");
            }
            let from = sources_of(JobEvent::Fail);
            host.catalogue
                .advance_job(id, &from, JobState::Failed, &job.tally, Some(&error), host.clock.now())
                .await
        };
        if let Err(error) = noted.await {
            tracing::error!(job = %id, %error, "and this could not be noted");
        }
    }

    /// How many jobs are at work.
    pub fn at_work(&self) -> usize {
        self.running().len()
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<JobId, Running>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bug(id: JobId, panic: &str) -> JobError {
    tracing::error!(job = %id, panic, "a job ended in a panic");
    JobError {
        code: "bug".into(),
        blame: "us".into(),
        subject: format!("job {id}"),
        message: format!("job {id} ended in a panic: {panic}"),
        next: "report this with the log of respoold; the source is untouched, and the job can be given again".into(),
        exit: 70,
    }
}

/// Some: what ended the job and is not noted with it yet.
async fn work_on(
    host: &Arc<Host>,
    id: JobId,
    stop: watch::Receiver<Option<Stop>>,
    tally: watch::Sender<Tally>,
) -> Option<JobError> {
    for _ in 0..TRIES {
        let controls = Controls {
            stop: stop.clone(),
            tally: tally.clone(),
        };
        match engine::run(host, id, controls).await {
            Ok(job) => {
                tracing::info!(job = %id, state = %job.state, "the job rests");
                return None;
            }
            Err(problem) if problem.code == "catalogue_unavailable" && stop.borrow().is_none() => {
                tracing::warn!(job = %id, %problem, "the job waits for the catalogue");
                let mut stop = stop.clone();
                // Ends early when the job is to stop; a closed channel means that nobody can ask any more.
                let _ = tokio::time::timeout(CATALOGUE_AWAY, stop.wait_for(Option::is_some)).await;
            }
            Err(problem) => {
                tracing::warn!(job = %id, %problem, "the job cannot be worked on");
                // It rests already, or nothing can be noted: neither is a failure of the job.
                let expected = ["job_at_rest", "catalogue_unavailable"];
                return (!expected.contains(&problem.code.as_str())).then(|| problem.into());
            }
        }
    }
    None
}
