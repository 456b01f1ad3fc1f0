//! The event log: appended by the transaction that makes the change, chained behind it. The chain's order is that of
//! sealing: commits overtake each other, so `seq` alone could not be sealed without a lock that all share.

use super::PgCatalogue;
use super::codec::{Stamp, stamp};
use super::retry::{Stop, Tx, reading, repeat};
use crate::catalogue::{Page, Result};
use crate::model::event::chain_hash;
use crate::model::{Event, NewEvent};
use jiff::Timestamp;
use serde_json::{Map, Value};
use sqlx::PgConnection;

/// Appends an event to a transaction.
pub(super) async fn append(
    on: &mut PgConnection,
    now: Timestamp,
    kind: &str,
    subject: &str,
    detail: Value,
) -> std::result::Result<(), Stop> {
    sqlx::query!(
        "INSERT INTO event (at, kind, subject, detail) VALUES ($1, $2, $3, $4)",
        stamp(now) as _,
        kind,
        subject,
        detail
    )
    .execute(on)
    .await?;
    Ok(())
}

/// An event that belongs to no change.
pub(super) async fn note(catalogue: &PgCatalogue, event: NewEvent, now: Timestamp) -> Result<()> {
    repeat!(catalogue, "note", tx => {
        append(tx.on(), now, event.kind, &event.subject, event.detail.clone()).await?;
        tx.commit().await?
    });
    Ok(())
}

/// The log, by `seq`.
pub(super) async fn list(catalogue: &PgCatalogue, page: Page<i64>) -> Result<Vec<Event>> {
    let after = page.after.unwrap_or_default();
    Ok(reading!(catalogue, conn => {
        sqlx::query_as!(
            EventRow,
            r#"SELECT seq, at AS "at: Stamp", kind, subject, detail FROM event WHERE seq > $1 ORDER BY seq LIMIT $2"#,
            after,
            i64::from(page.limit)
        )
        .fetch_all(&mut *conn)
        .await?
        .into_iter()
        .map(Event::from)
        .collect()
    }))
}

pub(super) struct EventRow {
    pub seq: i64,
    pub at: Stamp,
    pub kind: String,
    pub subject: String,
    pub detail: Value,
}

impl From<EventRow> for Event {
    fn from(row: EventRow) -> Self {
        Self {
            seq: row.seq,
            at: row.at.to_jiff(),
            kind: row.kind,
            subject: row.subject,
            detail: canonical(row.detail),
        }
    }
}

/// Keys in order at every depth, however this program's JSON library keeps its maps: the hash depends on it.
fn canonical(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<(String, Value)> = map.into_iter().collect();
            pairs.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(
                pairs
                    .into_iter()
                    .map(|(key, value)| (key, canonical(value)))
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Array(values) => Value::Array(values.into_iter().map(canonical).collect()),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}

/// Chains what is committed, which is what this transaction sees. The catalogue's row makes sealers wait for each other.
pub(super) async fn seal(catalogue: &PgCatalogue, limit: u32) -> Result<u64> {
    Ok(repeat!(catalogue, "seal_events", tx => {
        let head = sqlx::query!("SELECT chain_length, chain_head FROM catalogue FOR UPDATE").fetch_one(tx.on()).await?;
        let rows = sqlx::query_as!(
            EventRow,
            r#"SELECT seq, at AS "at: Stamp", kind, subject, detail FROM event
                WHERE link IS NULL ORDER BY seq LIMIT $1"#,
            i64::from(limit)
        )
        .fetch_all(tx.on())
        .await?;
        let sealed = rows.len() as u64;
        if sealed > 0 {
            seal_rows(&mut tx, head.chain_length, &head.chain_head, rows).await?;
            // Nobody asks for a lost answer for as long as that.
            sqlx::query!("DELETE FROM commit_mark WHERE at < clock_timestamp() - interval '1 day'")
                .execute(tx.on())
                .await?;
            tx.commit().await?;
        }
        sealed
    }))
}

async fn seal_rows(tx: &mut Tx<'_>, length: i64, head: &[u8], rows: Vec<EventRow>) -> std::result::Result<(), Stop> {
    let mut previous: [u8; 32] = head
        .try_into()
        .map_err(|_| super::codec::corrupt("the event chain's head"))?;
    let (mut seqs, mut links, mut befores, mut hashes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut link = length;
    for event in rows.into_iter().map(Event::from) {
        let hash = chain_hash(&previous, &event);
        link += 1;
        seqs.push(event.seq);
        links.push(link);
        befores.push(previous.to_vec());
        hashes.push(hash.to_vec());
        previous = hash;
    }
    sqlx::query!(
        "UPDATE event SET link = s.link, prev_hash = s.prev_hash, this_hash = s.this_hash
           FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[]) AS s (seq, link, prev_hash, this_hash)
          WHERE event.seq = s.seq AND event.link IS NULL",
        &seqs,
        &links,
        &befores,
        &hashes
    )
    .execute(tx.on())
    .await?;
    sqlx::query!(
        "UPDATE catalogue SET chain_length = $1, chain_head = $2",
        link,
        &previous[..]
    )
    .execute(tx.on())
    .await?;
    Ok(())
}

/// Walks the chain; what is wrong with it first, or None.
pub(super) async fn broken_link(on: &mut PgConnection) -> std::result::Result<Option<String>, sqlx::Error> {
    use futures_util::TryStreamExt;
    let head = sqlx::query!("SELECT chain_length, chain_head FROM catalogue")
        .fetch_one(&mut *on)
        .await?;
    let mut previous = [0u8; 32];
    let mut expected = 0;
    let mut rows = sqlx::query!(
        r#"SELECT seq, at AS "at: Stamp", kind, subject, detail, link AS "link!", prev_hash AS "prev_hash!",
                  this_hash AS "this_hash!" FROM event WHERE link <= $1 ORDER BY link"#,
        head.chain_length
    )
    .fetch(on);
    while let Some(row) = rows.try_next().await? {
        expected += 1;
        let seq = row.seq;
        if row.link != expected {
            return Ok(Some(format!("link {expected} is missing")));
        }
        let event = Event::from(EventRow {
            seq,
            at: row.at,
            kind: row.kind,
            subject: row.subject,
            detail: row.detail,
        });
        let hash = chain_hash(&previous, &event);
        if row.prev_hash != previous || row.this_hash != hash {
            return Ok(Some(format!("event {seq} is not what was sealed")));
        }
        previous = hash;
    }
    if expected != head.chain_length || head.chain_head != previous {
        return Ok(Some(format!(
            "the log ends at link {expected}, the head is at {}",
            head.chain_length
        )));
    }
    Ok(None)
}
