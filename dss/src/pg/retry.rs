//! Repeats what the database asks to repeat, bounded, and finds out what became of a commit whose answer was lost.
//! Must never take a lost answer for either result: the server is asked for the mark that the transaction left, on another
//! connection.

use super::PgCatalogue;
use super::silence::Attempt;
use crate::catalogue::{CatalogueError, Result};
use crate::model::{MediumId, Step};
use sqlx::postgres::PgDatabaseError;
use sqlx::types::Uuid;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// With the pauses below, about 13 s: a restart of PostgreSQL passes, an operator is not kept waiting.
const ATTEMPTS: u32 = 12;
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A database that is away makes every attempt wait for a connection as well: after so long it is not tried again.
const PATIENCE: Duration = Duration::from_secs(13);
/// So long it is asked what became of a commit: a transaction whose client vanished ends as soon as the server notices, and
/// one that crashed recovers. Nobody is kept waiting for a server that stays away.
const RESOLVE_PATIENCE: Duration = Duration::from_secs(60);

/// Said in the log once for every commit whose answer was lost, with what became of it.
const LOST_ANSWER: &str = "the lost answer to a commit is resolved";

/// Why one attempt at a transaction ended without its result.
#[derive(Debug)]
pub(super) enum Stop {
    /// The catalogue's answer: not to be repeated.
    Answer(CatalogueError),
    /// The database's trouble.
    Sql(sqlx::Error),
    /// The commit is known not to have happened, or rows changed between two reads of one answer.
    RolledBack,
}

impl From<CatalogueError> for Stop {
    fn from(error: CatalogueError) -> Self {
        Self::Answer(error)
    }
}
impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// Counts the attempts at one transaction.
pub(super) struct Attempts {
    made: u32,
    of: &'static str,
    begun: Instant,
}

impl Attempts {
    pub(super) fn at(of: &'static str) -> Self {
        Self {
            made: 0,
            of,
            begun: Instant::now(),
        }
    }

    /// Some: the result. None: a pause is over, try again.
    pub(super) async fn settle<T>(&mut self, outcome: std::result::Result<T, Stop>) -> Result<Option<T>> {
        let (repeat, error) = match outcome {
            Ok(value) => return Ok(Some(value)),
            Err(Stop::Answer(error)) => return Err(error),
            Err(Stop::RolledBack) => (
                true,
                CatalogueError::Unavailable("what it was asked for changed again and again meanwhile".into()),
            ),
            Err(Stop::Sql(error)) => (may_be_repeated(&error), refusal(error)),
        };
        self.made += 1;
        let away = matches!(error, CatalogueError::Unavailable(_)) && self.begun.elapsed() >= PATIENCE;
        if !repeat || away || self.made >= ATTEMPTS {
            return Err(error);
        }
        warn!(transaction = self.of, attempt = self.made, %error, "repeating a transaction");
        tokio::time::sleep((FIRST_PAUSE * 2u32.pow(self.made - 1)).min(LONGEST_PAUSE)).await;
        Ok(None)
    }
}

/// Repeats a transaction until it has a result: `repeat!(self, "name", tx => { statements; value })`. The block must
/// end its transaction itself, with [`Tx::commit`].
macro_rules! repeat {
    ($catalogue:expr, $name:literal, $tx:ident => $body:block) => {{
        let mut attempts = crate::pg::retry::Attempts::at($name);
        loop {
            let attempt = crate::pg::silence::Attempt::default();
            let transaction = async {
                #[allow(unused_mut)]
                let mut $tx = crate::pg::retry::Tx::begin($catalogue, &attempt).await?;
                let value = $body;
                Ok(value)
            };
            let outcome: std::result::Result<_, crate::pg::retry::Stop> =
                $catalogue.silence.unless_committing(&attempt, transaction).await;
            if let Some(value) = attempts.settle(outcome).await? {
                break value;
            }
        }
    }};
}
pub(super) use repeat;

/// Repeats reads in one snapshot's worth of statements that need no transaction: `reading!(self, conn => { ... })`.
macro_rules! reading {
    ($catalogue:expr, $conn:ident => $body:block) => {{
        let mut attempts = crate::pg::retry::Attempts::at("read");
        loop {
            let reads = async {
                let mut connection = $catalogue.pool.acquire().await?;
                let $conn = &mut *connection;
                let value = $body;
                Ok(value)
            };
            let outcome: std::result::Result<_, crate::pg::retry::Stop> = $catalogue.silence.unless(reads).await;
            if let Some(value) = attempts.settle(outcome).await? {
                break value;
            }
        }
    }};
}
pub(super) use reading;

/// The same in one transaction: for several statements that are asked again and again, each of which would be one by itself.
macro_rules! reading_at_once {
    ($catalogue:expr, $conn:ident => $body:block) => {{
        let mut attempts = crate::pg::retry::Attempts::at("read");
        loop {
            let reads = async {
                let mut transaction = crate::pg::retry::begun($catalogue.pool.clone()).await?;
                let $conn = &mut *transaction;
                let value = $body;
                transaction.commit().await?;
                Ok(value)
            };
            let outcome: std::result::Result<_, crate::pg::retry::Stop> = $catalogue.silence.unless(reads).await;
            if let Some(value) = attempts.settle(outcome).await? {
                break value;
            }
        }
    }};
}
pub(super) use reading_at_once;

/// One transaction that changes the catalogue.
pub(super) struct Tx<'c> {
    catalogue: &'c PgCatalogue,
    attempt: &'c Attempt,
    inner: Transaction<'static, Postgres>,
}

impl<'c> Tx<'c> {
    pub(super) async fn begin(catalogue: &'c PgCatalogue, attempt: &'c Attempt) -> std::result::Result<Self, Stop> {
        Ok(Self {
            catalogue,
            attempt,
            inner: begun(catalogue.pool.clone()).await?,
        })
    }

    /// The connection, for statements.
    pub(super) fn on(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// Raises the revision and commits.
    pub(super) async fn commit(self) -> std::result::Result<(), Stop> {
        self.commit_at(None).await
    }

    /// Raises the revision, passes a step and commits.
    pub(super) async fn commit_at(mut self, step: Option<Step>) -> std::result::Result<(), Stop> {
        let token = Uuid::now_v7();
        let ticket = sqlx::query!(
            r#"WITH mark AS (INSERT INTO commit_mark (token) VALUES ($1))
               SELECT nextval('revision') AS "revision!", pg_current_xact_id()::text AS "xid!""#,
            token
        )
        .fetch_one(&mut *self.inner)
        .await?;
        if let Some(step) = step {
            self.catalogue.checkpoints.reach(step);
        }
        // From here on the answer may be lost, also by not waiting for it.
        self.attempt.commits();
        let commit = async { Ok(self.inner.commit().await?) };
        let lost = match self.catalogue.silence.unless(commit).await {
            Err(Stop::Sql(error)) if is_connection_loss(&error) => error.to_string(),
            Err(Stop::Answer(silent)) => silent.to_string(),
            answered => return answered,
        };
        resolve(self.catalogue, (token, &ticket.xid), &lost).await
    }
}

/// A transaction, begun where nobody gives it up halfway: a connection that went back to the pool before the server
/// had answered its BEGIN would come out again inside of a transaction that nobody knows of.
pub(super) async fn begun(pool: PgPool) -> std::result::Result<Transaction<'static, Postgres>, sqlx::Error> {
    match tokio::spawn(async move { pool.begin().await }).await {
        Ok(begun) => begun,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is ending.
        Err(_) => Err(sqlx::Error::PoolClosed),
    }
}

/// Asks the server what became of a transaction: once it does not run any more, its mark is there or it never will be. A
/// transaction's number does not tell: a server that was killed before it wrote anything of a transaction down gives the
/// same number to another one afterwards, and that one may commit.
async fn resolve(catalogue: &PgCatalogue, (token, xid): (Uuid, &str), lost: &str) -> std::result::Result<(), Stop> {
    warn!(
        xid,
        error = lost,
        "the answer to a commit was lost; asking what became of it"
    );
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    while begun.elapsed() < RESOLVE_PATIENCE {
        let asked = async { Ok(outcome(catalogue, token, xid).await?) };
        match catalogue.silence.unless(asked).await {
            Ok(Some(true)) => {
                info!(xid, became = "committed", "{LOST_ANSWER}");
                return Ok(());
            }
            Ok(Some(false)) => {
                info!(xid, became = "rolled back", "{LOST_ANSWER}");
                return Err(Stop::RolledBack);
            }
            // The server has not noticed yet that its client is gone.
            Ok(None) => {}
            Err(Stop::Sql(error)) if is_connection_loss(&error) => {}
            Err(Stop::Sql(error)) => return Err(unknown(xid, &error.to_string())),
            // It may answer again soon; but it is silent for long already, and nobody is kept waiting for that.
            Err(Stop::Answer(_) | Stop::RolledBack) if begun.elapsed() >= PATIENCE => break,
            Err(Stop::Answer(_) | Stop::RolledBack) => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Err(unknown(xid, lost))
}

fn unknown(xid: &str, why: &str) -> Stop {
    warn!(xid, became = "not known", "{LOST_ANSWER}");
    Stop::Answer(CatalogueError::Unresolved(format!(
        "it is not known whether transaction {xid} was committed ({why}); look again before anything is repeated"
    )))
}

/// Whether a transaction was committed; None while it runs. The mark is looked for in a later statement than the
/// transaction's own lock, which it holds until its end.
async fn outcome(catalogue: &PgCatalogue, token: Uuid, xid: &str) -> std::result::Result<Option<bool>, sqlx::Error> {
    let runs = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted
                              AND transactionid = (($1::text)::xid8)::xid) AS "runs!""#,
        xid
    )
    .fetch_one(&catalogue.pool)
    .await?;
    if runs {
        return Ok(None);
    }
    let marked = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM commit_mark WHERE token = $1) AS "marked!""#,
        token
    )
    .fetch_one(&catalogue.pool)
    .await?;
    Ok(Some(marked))
}

/// Whether the same transaction may succeed, or say why it does not, the next time: deadlock, serialization, a reference
/// that vanished, two inserts of the same version or of the same tape between two statements, or the connection gone before the commit.
fn may_be_repeated(error: &sqlx::Error) -> bool {
    match error.as_database_error() {
        Some(database) => match database.code().as_deref() {
            Some("40P01" | "40001" | "23503") => true,
            Some("23505") => matches!(
                database.constraint(),
                Some("object_version" | "object_one_live" | "medium_tape_in_library")
            ),
            _ => is_connection_loss(error),
        },
        None => is_connection_loss(error),
    }
}

/// Whether the server, or the way to it, went away.
pub(super) fn is_connection_loss(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(database) => database
            .code()
            .is_some_and(|code| code.starts_with("08") || matches!(&*code, "57P01" | "57P02" | "57P03" | "53300")),
        _ => false,
    }
}

/// Whether splitting a batch may help: the database asked to repeat, and repeating did not.
pub(super) fn is_contention(error: &CatalogueError) -> bool {
    matches!(error, CatalogueError::Invariant { invariant: "I1", .. })
        || matches!(error, CatalogueError::Unavailable(why) if why.starts_with(CONTENTION))
}

const CONTENTION: &str = "too many others change the same rows";

/// What the database's refusal means in the catalogue's words.
pub(super) fn refusal(error: sqlx::Error) -> CatalogueError {
    let Some(database) = error.as_database_error() else {
        return match error {
            sqlx::Error::Configuration(why) => CatalogueError::Unfit(why.to_string()),
            other => CatalogueError::Unavailable(other.to_string()),
        };
    };
    let detail = database.message().to_owned();
    let constraint = database.constraint().unwrap_or_default();
    let subject = database
        .try_downcast_ref::<PgDatabaseError>()
        .and_then(PgDatabaseError::detail)
        .and_then(|text| text.parse::<MediumId>().ok());
    match (database.code().as_deref().unwrap_or_default(), subject) {
        ("RS006", Some(medium)) => CatalogueError::Fenced { medium, why: detail },
        ("RS002", _) => CatalogueError::Invariant {
            invariant: "I2",
            detail,
        },
        ("RS003", _) => CatalogueError::Invariant {
            invariant: "I3",
            detail,
        },
        ("RS010", _) => CatalogueError::Invariant {
            invariant: "I10",
            detail,
        },
        ("23503" | "23514", _) if constraint.starts_with("i1_") => CatalogueError::Invariant {
            invariant: "I1",
            detail,
        },
        ("23514", _) if constraint.starts_with("i2_") => CatalogueError::Invariant {
            invariant: "I2",
            detail,
        },
        ("23505", _) if constraint == "extent_address" => exists("address", database),
        ("23505", _) if constraint == "extent_pkey" => exists("extent", database),
        ("40P01" | "40001" | "23503", _) => CatalogueError::Unavailable(format!("{CONTENTION}: {detail}")),
        ("25006", _) => CatalogueError::Unfit("it is read-only, and nothing can be noted in it".into()),
        ("53100", _) => CatalogueError::Unavailable(format!("its disk is full, make room there: {}", no_path(&detail))),
        _ => CatalogueError::Unavailable(detail),
    }
}

/// A server's message without the name of a file of its own, which nobody else can make sense of.
fn no_path(message: &str) -> &str {
    message.split_once("\": ").map_or(message, |(_, why)| why)
}

/// The server's detail names the key that is taken.
fn exists(what: &'static str, database: &dyn sqlx::error::DatabaseError) -> CatalogueError {
    let detail = database
        .try_downcast_ref::<PgDatabaseError>()
        .and_then(PgDatabaseError::detail);
    CatalogueError::Exists {
        what,
        name: detail.unwrap_or_default().to_owned(),
    }
}
