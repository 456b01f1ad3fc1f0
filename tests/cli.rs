//! The real programs, as an operator uses them: temporary state folders, the private PostgreSQL, directories as media.

#[path = "cli/candidates.rs"]
mod candidates;
#[path = "cli/drills.rs"]
mod drills;
#[path = "cli/failures.rs"]
mod failures;
#[path = "cli/folders.rs"]
mod folders;
#[path = "cli/handles.rs"]
mod handles;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/hold.rs"]
mod hold;
#[path = "cli/interrupted.rs"]
mod interrupted;
#[path = "cli/jobs.rs"]
mod jobs;
#[path = "cli/keys.rs"]
mod keys;
#[path = "cli/life.rs"]
mod life;
#[path = "cli/media.rs"]
mod media;
#[path = "cli/objects.rs"]
mod objects;
#[path = "cli/refused/mod.rs"]
mod refused;
#[path = "cli/release.rs"]
mod release;
#[path = "cli/schemas.rs"]
mod schemas;
#[path = "cli/service.rs"]
mod service;
#[path = "cli/site.rs"]
mod site;
#[path = "cli/told.rs"]
mod told;
