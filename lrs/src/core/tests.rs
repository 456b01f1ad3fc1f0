//! One rule per test, then anything in any order, then every small case against the best schedule.

mod any_order;
mod bench;
mod blame;
mod fairness;
mod library;
mod oracle;
mod passing;
mod rules;
mod stalls;
