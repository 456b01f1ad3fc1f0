//! What clients and respoold say to each other, version 1. Pure: requests, results, problems and events, and how results
//! are composed from what the catalogue knows. `--json` prints a result unchanged, so every key here is a contract.

pub mod backup;
pub mod candidates;
pub mod check;
pub mod convert;
pub mod events;
pub mod extents;
pub mod frame;
pub mod hello;
pub mod import;
pub mod jobs;
pub mod library;
pub mod loss;
pub mod media;
pub mod objects;
pub mod paused;
pub mod plan;
pub mod problem;
pub mod requests;
pub mod standing;
pub mod typed;
pub mod units;
pub mod volume;
pub mod waiting;
pub mod wire;

pub use jobs::{JobReport, Progress};
pub use plan::{NotMoved, PlanLine, PlanStep, PlanSummary};
pub use problem::{Problem, exit};
pub use requests::{MigrateRequest, PutHeader, RepackRequest};
