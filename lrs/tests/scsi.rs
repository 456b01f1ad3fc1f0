//! Drives and changers over SCSI, against a scripted device: which commands they send, and what they believe of the answers.

#[path = "support/clock.rs"]
mod clock;
#[path = "scsi/mod.rs"]
mod scsi;
