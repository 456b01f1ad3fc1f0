//! lrs, the Local Resource Scheduler: which medium is where, who may use it, and the access to it.

pub mod core;
pub mod ldm;
pub mod service;
pub mod worker;
