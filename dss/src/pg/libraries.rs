//! Libraries and the drives in them.

use super::PgCatalogue;
use super::codec::{Stamp, all, stamp, word};
use super::events::append;
use super::retry::{Stop, reading, repeat};
use crate::catalogue::{CatalogueError, NewLibrary, Result, drive_locked, drive_subject, refuse_with_media};
use crate::model::{DriveSeen, KnownDrive, Library};
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;

struct LibraryRow {
    name: String,
    kind: String,
    place: String,
    created_at: Stamp,
}

impl TryFrom<LibraryRow> for Library {
    type Error = CatalogueError;

    fn try_from(row: LibraryRow) -> Result<Self> {
        Ok(Self {
            name: row.name,
            kind: word(&row.kind)?,
            place: row.place,
            created_at: row.created_at.to_jiff(),
        })
    }
}

struct DriveRow {
    library: String,
    bay: String,
    serial: Option<String>,
    model: Option<String>,
    locked: Option<String>,
    health: String,
    trouble: Option<String>,
}

impl TryFrom<DriveRow> for KnownDrive {
    type Error = CatalogueError;

    fn try_from(row: DriveRow) -> Result<Self> {
        Ok(Self {
            library: row.library,
            bay: row.bay,
            serial: row.serial,
            model: row.model,
            locked: row.locked,
            health: word(&row.health)?,
            trouble: row.trouble,
        })
    }
}

/// Adds a library.
pub(super) async fn add(catalogue: &PgCatalogue, new: NewLibrary, now: Timestamp) -> Result<Library> {
    Ok(repeat!(catalogue, "add_library", tx => {
        let added = sqlx::query!(
            "INSERT INTO library (name, kind, place, created_at) VALUES ($1, ($2::text)::library_kind, $3, $4)
             ON CONFLICT DO NOTHING",
            new.name, new.kind.as_str(), new.place, stamp(now) as _
        )
        .execute(tx.on())
        .await?;
        if added.rows_affected() == 0 {
            return Err(CatalogueError::Exists { what: "library", name: new.name.clone() }.into());
        }
        append(tx.on(), now, "library.added", &new.name, json!({ "kind": new.kind, "place": new.place })).await?;
        let made = fetch(tx.on(), &new.name).await?;
        tx.commit().await?;
        made
    }))
}

/// All libraries, by name.
pub(super) async fn list(catalogue: &PgCatalogue) -> Result<Vec<Library>> {
    Ok(reading!(catalogue, conn => {
        let rows = sqlx::query_as!(
            LibraryRow,
            r#"SELECT name, kind::text AS "kind!", place, created_at AS "created_at: Stamp" FROM library ORDER BY name"#
        );
        all(rows.fetch_all(&mut *conn).await?)?
    }))
}

/// One library.
pub(super) async fn by_name(catalogue: &PgCatalogue, name: &str) -> Result<Library> {
    Ok(reading!(catalogue, conn => { fetch(conn, name).await? }))
}

async fn fetch(on: &mut PgConnection, name: &str) -> std::result::Result<Library, Stop> {
    let row = sqlx::query_as!(
        LibraryRow,
        r#"SELECT name, kind::text AS "kind!", place, created_at AS "created_at: Stamp" FROM library WHERE name = $1"#,
        name
    )
    .fetch_optional(on)
    .await?;
    match row {
        Some(row) => Ok(row.try_into()?),
        None => Err(missing("library", name).into()),
    }
}

fn missing(what: &'static str, name: impl ToString) -> CatalogueError {
    CatalogueError::NotFound {
        what,
        name: name.to_string(),
    }
}

/// Forgets a library; its drives go with it.
pub(super) async fn forget(catalogue: &PgCatalogue, name: &str, now: Timestamp) -> Result<()> {
    repeat!(catalogue, "forget_library", tx => {
        fetch(tx.on(), name).await?;
        let media = sqlx::query_scalar!("SELECT name FROM medium WHERE library = $1 ORDER BY name", name)
            .fetch_all(tx.on())
            .await?;
        refuse_with_media(name, &media)?;
        sqlx::query!("DELETE FROM library WHERE name = $1", name).execute(tx.on()).await?;
        append(tx.on(), now, "library.forgotten", name, json!({})).await?;
        tx.commit().await?
    });
    Ok(())
}

/// Notes which drives were found. What is as it was is not written again.
pub(super) async fn note_drives(catalogue: &PgCatalogue, library: &str, seen: &[DriveSeen]) -> Result<()> {
    let bays: Vec<String> = seen.iter().map(|drive| drive.bay.clone()).collect();
    let serials: Vec<Option<String>> = seen.iter().map(|drive| drive.serial.clone()).collect();
    let models: Vec<Option<String>> = seen.iter().map(|drive| drive.model.clone()).collect();
    let health: Vec<String> = seen.iter().map(|drive| drive.health.as_str().to_owned()).collect();
    let trouble: Vec<Option<String>> = seen.iter().map(|drive| drive.trouble.clone()).collect();
    repeat!(catalogue, "note_drives", tx => {
        fetch(tx.on(), library).await?;
        // The last word on a bay counts. In order of bays, so that two who note at once do not wait for each other in turn.
        let noted = sqlx::query!(
            "INSERT INTO device AS d (library, bay, serial, model, health, trouble)
             SELECT DISTINCT ON (s.bay) $1, s.bay, s.serial, s.model, s.health::health, s.trouble
               FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
                 AS s (bay, serial, model, health, trouble, position)
              ORDER BY s.bay, s.position DESC
             ON CONFLICT (library, bay) DO UPDATE SET serial = excluded.serial, model = excluded.model,
                    health = excluded.health, trouble = excluded.trouble
              WHERE (d.serial, d.model, d.health, d.trouble)
                    IS DISTINCT FROM (excluded.serial, excluded.model, excluded.health, excluded.trouble)",
            library, &bays, &serials as _, &models as _, &health, &trouble as _
        )
        .execute(tx.on())
        .await?;
        if noted.rows_affected() > 0 {
            tx.commit().await?;
        }
    });
    Ok(())
}

/// Locks or unlocks a drive.
pub(super) async fn lock_drive(
    catalogue: &PgCatalogue,
    library: &str,
    bay: &str,
    why: Option<String>,
    now: Timestamp,
) -> Result<KnownDrive> {
    Ok(repeat!(catalogue, "lock_drive", tx => {
        let changed = sqlx::query!(
            "UPDATE device SET locked = $3 WHERE library = $1 AND bay = $2 AND locked IS DISTINCT FROM $3",
            library, bay, why
        )
        .execute(tx.on())
        .await?;
        let row = sqlx::query_as!(
            DriveRow,
            r#"SELECT library, bay, serial, model, locked, health::text AS "health!", trouble FROM device
                WHERE library = $1 AND bay = $2"#,
            library, bay
        )
        .fetch_optional(tx.on())
        .await?;
        let drive = KnownDrive::try_from(row.ok_or_else(|| missing("drive", drive_subject(library, bay)))?)?;
        if changed.rows_affected() > 0 {
            let (kind, detail) = drive_locked(&drive);
            append(tx.on(), now, kind, &drive_subject(library, bay), detail).await?;
            tx.commit().await?;
        }
        drive
    }))
}

/// The drives of a library, by bay.
pub(super) async fn drives(catalogue: &PgCatalogue, library: &str) -> Result<Vec<KnownDrive>> {
    Ok(reading!(catalogue, conn => {
        fetch(conn, library).await?;
        let rows = sqlx::query_as!(
            DriveRow,
            r#"SELECT library, bay, serial, model, locked, health::text AS "health!", trouble FROM device
                WHERE library = $1 ORDER BY bay"#,
            library
        );
        all(rows.fetch_all(&mut *conn).await?)?
    }))
}
