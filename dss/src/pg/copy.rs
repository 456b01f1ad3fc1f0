//! Binary COPY, over a connection of its own: rows wait in an UNLOGGED table under a batch id, and one transaction of
//! the pool takes them after counting. A crash before that leaves rows of a batch nobody asks for; an import
//! a day later clears them.

use super::PgCatalogue;
use super::codec::{inode_to_sql, span_to_sql};
use crate::catalogue::{CatalogueError, Found, Result};
use futures_util::pin_mut;
use sqlx::types::Uuid;
use tokio_postgres::NoTls;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

const STAGE: &str = "COPY import_staging (batch, position, extent, object_id, oid, version, copy_no, index, address, \
                     bytes, blake3, crc32, chunk_crcs, inode, span) FROM STDIN (FORMAT binary)";

const TYPES: [Type; 15] = [
    Type::UUID,
    Type::INT8,
    Type::UUID,
    Type::UUID,
    Type::TEXT,
    Type::INT4,
    Type::INT2,
    Type::INT4,
    Type::TEXT,
    Type::INT8,
    Type::BYTEA,
    Type::INT8,
    Type::BYTEA,
    Type::INT8,
    Type::TEXT,
];

fn unavailable(error: tokio_postgres::Error) -> CatalogueError {
    CatalogueError::Unavailable(error.to_string())
}

/// Batches below this one were left by imports that ended more than a day before: ids are ordered by time.
pub(super) fn abandoned_before(batch: Uuid) -> Uuid {
    let (seconds, _) = batch.get_timestamp().map_or((0, 0), |made| made.to_unix());
    let millis = seconds.saturating_sub(86_400) * 1_000;
    sqlx::types::uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

/// Stages extents found on a medium; the batch they wait under.
pub(super) async fn stage(catalogue: &PgCatalogue, found: &[&Found]) -> Result<Uuid> {
    let batch = Uuid::now_v7();
    let (client, connection) = tokio_postgres::connect(&catalogue.conninfo, NoTls)
        .await
        .map_err(unavailable)?;
    // Ends when the client is dropped; its errors reach the client's calls.
    let driver = tokio::spawn(connection);
    let sink = client.copy_in(STAGE).await.map_err(unavailable)?;
    let writer = BinaryCopyInWriter::new(sink, &TYPES);
    pin_mut!(writer);
    for (position, one) in found.iter().enumerate() {
        let row: [&(dyn ToSql + Sync); 15] = [
            &batch,
            &(position as i64),
            &one.extent.0,
            &one.origin.object.0,
            &one.origin.oid.as_str(),
            &one.origin.version.0,
            &one.origin.copy.0,
            &one.origin.index.0,
            &one.address.0,
            &one.digests.bytes.as_i64(),
            &&one.digests.blake3.0[..],
            &i64::from(one.digests.crc32),
            &one.digests.chunk_crcs_to_bytes(),
            &inode_to_sql(one.inode),
            &span_to_sql(one.span.as_ref()),
        ];
        writer.as_mut().write(&row).await.map_err(unavailable)?;
    }
    let staged = writer.finish().await.map_err(unavailable)?;
    drop(client);
    driver.abort();
    if staged != found.len() as u64 {
        return Err(CatalogueError::Unavailable(format!(
            "{staged} of {} rows were staged",
            found.len()
        )));
    }
    Ok(batch)
}
