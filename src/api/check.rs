//! What `respool check` prints.

use dss::catalogue::{Finding, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The findings, and whether any is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckReport {
    /// Whether no invariant is broken.
    pub ok: bool,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Judges findings.
    pub fn of(mut findings: Vec<Finding>) -> Self {
        findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.subject.cmp(&b.subject)));
        Self {
            ok: findings.iter().all(|finding| finding.severity < Severity::Error),
            findings,
        }
    }
}
