//! The catalogue in PostgreSQL: what any catalogue must do, and what only a database can be asked.

mod evidence;
#[path = "pg/support.rs"]
mod support;

#[path = "pg/backup.rs"]
mod backup;
#[path = "pg/bulk.rs"]
mod bulk;
#[path = "pg/checks.rs"]
mod checks;
#[path = "pg/conform.rs"]
mod conform;
#[path = "pg/costs.rs"]
mod costs;
#[path = "pg/fences.rs"]
mod fences;
#[path = "pg/gate.rs"]
mod gate;
#[path = "pg/refusals.rs"]
mod refusals;
#[path = "pg/revision.rs"]
mod revision;
#[path = "pg/schema.rs"]
mod schema;
#[path = "pg/silence.rs"]
mod silence;
#[path = "pg/stepped.rs"]
mod stepped;
#[path = "pg/tape.rs"]
mod tape;
#[path = "pg/trouble.rs"]
mod trouble;
#[path = "pg/unindexed.rs"]
mod unindexed;
#[path = "pg/used.rs"]
mod used;
