//! What `repack --plan` prints. Steps and what stays are streamed one by one; the summary follows.

use super::Problem;
use dss::model::{ByteCount, ExtentId, Oid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the drive gets to an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// By positioning.
    Locate,
    /// By reading what lies between.
    ReadThrough,
}

/// One extent, in the order in which it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanStep {
    /// Which.
    pub extent: ExtentId,
    /// Of which object.
    pub oid: Oid,
    /// The source, by name.
    pub medium: String,
    /// Its size.
    pub bytes: ByteCount,
    /// How the drive gets there.
    pub action: Action,
    /// tape: its first block.
    pub start_block: Option<u64>,
}

/// A medium that may become a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanTarget {
    /// Its name.
    pub medium: String,
    /// How many extents are planned for it.
    pub extents: u64,
    /// Their bytes.
    pub bytes: ByteCount,
}

/// An extent that is not moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotMoved {
    /// Which.
    pub extent: ExtentId,
    /// Of which object, if any still needs it.
    pub oid: Option<Oid>,
    /// Whether it is dropped with the old bytes of its medium (`--drop-deleted`); else it stays.
    pub dropped: bool,
    /// Why.
    pub why: String,
}

/// One line of a plan. Steps come first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanLine {
    /// An extent that moves.
    Step(PlanStep),
    /// An extent that is not moved.
    Stays(NotMoved),
}

/// Source and targets share a dock: bytes wait in a spool while it changes its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanStaging {
    /// The most bytes that wait at once.
    pub spool_bytes: ByteCount,
    /// How often the spool is filled.
    pub rounds: u64,
    /// How often a disk comes into a dock for that.
    pub mounts: u64,
}

/// Everything of a plan but its lines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanSummary {
    /// The media to be emptied, by name.
    pub sources: Vec<String>,
    /// Where the extents would go.
    pub targets: Vec<PlanTarget>,
    /// Bytes to be moved.
    pub bytes: ByteCount,
    /// Seconds, in the planned order.
    pub predicted_seconds: f64,
    /// Seconds, in the order of blocks.
    pub block_order_seconds: f64,
    /// No order takes less.
    pub lower_bound_seconds: f64,
    /// Bytes that the sources will offer again.
    pub reclaimed_bytes: ByteCount,
    /// Bytes that are dropped instead of moved (`--drop-deleted`).
    pub dropped_bytes: ByteCount,
    /// Some when the bytes do not go straight from drive to drive.
    pub staged: Option<PlanStaging>,
    /// What the repack itself would be refused with, as things are.
    pub error: Option<Problem>,
}
