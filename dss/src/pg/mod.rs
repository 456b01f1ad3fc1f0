//! The catalogue in PostgreSQL.

pub mod embedded;
