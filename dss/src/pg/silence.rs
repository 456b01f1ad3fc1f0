//! A server that takes requests and answers none: paused, stopped, or behind a way that swallows what is sent. No request
//! to it ends by itself, so it is asked again and again over a connection of its own, and when the answer is overdue
//! nobody waits any more. Must never say what became of a commit: one that is under way then is one whose answer was lost,
//! and `retry` finds out. Every attempt at a transaction and every binary COPY waits through here.

use crate::catalogue::CatalogueError;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use std::future::{Future, pending};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

/// By this name the watch's connection is known in `pg_stat_activity`.
const NAME: &str = "respool watch";

/// How soon a silent server is noticed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The pause between an answer and the next question.
    pub ask_every: Duration,
    /// A question that is not answered for so long is not going to be.
    pub answer_within: Duration,
}

impl Default for Limits {
    /// A server that is only busy answers `SELECT 1` in much less. Both together are less than what a request waits for a
    /// connection, so that it is told why there is none.
    fn default() -> Self {
        Self {
            ask_every: Duration::from_secs(5),
            answer_within: Duration::from_secs(15),
        }
    }
}

/// Whether the server is silent, and since when it was not heard. Ends with its catalogue.
pub(super) struct Silence {
    unheard_since: watch::Receiver<Option<Instant>>,
    asking: AbortHandle,
}

/// One attempt at a transaction, and whether it has come to its commit: from there on it is not given up from outside.
#[derive(Default)]
pub(super) struct Attempt {
    committing: AtomicBool,
}

impl Attempt {
    /// What follows ends by itself.
    pub(super) fn commits(&self) {
        self.committing.store(true, Ordering::Release);
    }

    fn is_committing(&self) -> bool {
        self.committing.load(Ordering::Acquire)
    }
}

impl Silence {
    /// Watches the server from now on.
    pub(super) fn watch(options: &PgConnectOptions, limits: Limits) -> Self {
        let options = options.clone().application_name(NAME).disable_statement_logging();
        let (tell, unheard_since) = watch::channel(None);
        let asking = tokio::spawn(ask(options, limits, tell)).abort_handle();
        Self { unheard_since, asking }
    }

    /// Waits for something that the server is to answer, as long as it answers at all.
    pub(super) async fn unless<T, E: From<CatalogueError>>(
        &self,
        waited_for: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.unless_committing(&Attempt::default(), waited_for).await
    }

    /// The same for a transaction, which sees to its commit itself.
    pub(super) async fn unless_committing<T, E: From<CatalogueError>>(
        &self,
        attempt: &Attempt,
        waited_for: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if let Some(since) = *self.unheard_since.borrow() {
            return Err(unavailable(since).into());
        }
        tokio::select! {
            biased;
            ended = waited_for => ended,
            since = self.falls_silent(attempt) => Err(unavailable(since).into()),
        }
    }

    async fn falls_silent(&self, attempt: &Attempt) -> Instant {
        let mut unheard = self.unheard_since.clone();
        let since = unheard.wait_for(Option::is_some).await.ok().and_then(|since| *since);
        match since {
            Some(since) if !attempt.is_committing() => since,
            // Nobody watches any more, or the commit's answer is seen to where it is waited for.
            Some(_) | None => pending().await,
        }
    }

    /// Ends the watch and its connection.
    pub(super) async fn close(&self) {
        self.asking.abort();
        let mut ends = self.unheard_since.clone();
        while ends.changed().await.is_ok() {}
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

/// What is told to whoever does not wait any more.
fn unavailable(since: Instant) -> CatalogueError {
    let seconds = since.elapsed().as_secs();
    CatalogueError::Unavailable(format!("it takes requests and has answered none for {seconds} s"))
}

/// Opens a connection to a server that may be silent.
pub(super) async fn open<T>(
    limits: Limits,
    opening: impl Future<Output = Result<T, CatalogueError>>,
) -> Result<T, CatalogueError> {
    let begun = Instant::now();
    let opened = timeout(limits.answer_within, opening).await;
    opened.unwrap_or_else(|_| Err(unavailable(begun)))
}

/// Asks until it is ended.
async fn ask(options: PgConnectOptions, limits: Limits, tell: watch::Sender<Option<Instant>>) {
    let mut connection = None;
    let mut heard = Instant::now();
    loop {
        sleep(limits.ask_every).await;
        // While the server is silent one question waits, so that its first answer is heard at once.
        while let Err(_overdue) = timeout(limits.answer_within, answer(&mut connection, &options, &mut heard)).await {
            fell_silent(&tell, heard);
        }
        if heard.elapsed() > limits.answer_within {
            fell_silent(&tell, heard);
        } else if tell.send_replace(None).is_some() {
            info!("PostgreSQL answers again");
        }
    }
}

fn fell_silent(tell: &watch::Sender<Option<Instant>>, heard: Instant) {
    if tell.send_replace(Some(heard)).is_none() {
        let seconds = heard.elapsed().as_secs();
        warn!(
            seconds,
            "PostgreSQL takes requests and answers none; nobody waits for it"
        );
    }
}

/// One question. A connection whose question was given up is not asked again: it would first answer the old one.
async fn answer(connection: &mut Option<PgConnection>, options: &PgConnectOptions, heard: &mut Instant) {
    let asked: Result<(), sqlx::Error> = async {
        let mut open = match connection.take() {
            Some(open) => open,
            None => options.connect().await?,
        };
        sqlx::raw_sql("SELECT 1").execute(&mut open).await?;
        *connection = Some(open);
        Ok(())
    }
    .await;
    if asked.as_ref().err().is_none_or(is_heard) {
        *heard = Instant::now();
    }
}

/// Whether an error shows that requests end, well or not: then whoever asks learns it himself. A server that is away is
/// not silent.
fn is_heard(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => !matches!(
            error.kind(),
            // The last one: so many connections wait to be taken that no more are let in.
            ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::WouldBlock
        ),
        _ => true,
    }
}
