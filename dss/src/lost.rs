//! What `findings` says of live objects that no medium can give: the words, for every catalogue alike. Which objects
//! these are is each catalogue's own question to its rows; nothing here asks any.

use crate::catalogue::{Finding, Severity};
use crate::model::{ExtentId, JobId};

/// More names than anybody reads; the rest is one line.
pub(crate) const NAMED_MAX: usize = 100;

/// A live version without a readable copy.
pub(crate) struct Lost {
    /// Its name and version.
    pub(crate) subject: String,
    /// The dead or failed media that hold it.
    pub(crate) media: String,
    /// Old bytes of it that no layout needs any more.
    pub(crate) saved_by: Option<OldBytes>,
}

/// An orphan on a medium that can be read, with the bytes of a lost extent.
pub(crate) struct OldBytes {
    pub(crate) extent: ExtentId,
    pub(crate) medium: String,
    /// The job that moved the layout away from it, and can bring it back.
    pub(crate) job: Option<JobId>,
}

/// `lost` are the first [`NAMED_MAX`] of `total`; `doubtful` have no copy but on suspect and worse media.
pub(crate) fn findings(lost: Vec<Lost>, total: u64, doubtful: u64) -> Vec<Finding> {
    let finding = |severity, subject: String, detail| Finding {
        severity,
        invariant: "I5".to_owned(),
        subject,
        detail,
    };
    let more = total.saturating_sub(lost.len() as u64);
    let mut found: Vec<Finding> = lost
        .into_iter()
        .map(|one| {
            let mut detail = format!(
                "no readable copy of it is left: {} dead or failed. Bring a medium back (`respool medium trust`)",
                one.media
            );
            if let Some(old) = one.saved_by {
                detail.push_str(&saved(&old));
            }
            finding(Severity::Error, one.subject, detail)
        })
        .collect();
    if more > 0 {
        let detail = format!("{more} more live objects have no readable copy");
        found.push(finding(Severity::Error, "and more".to_owned(), detail));
    }
    if doubtful > total {
        let count = doubtful - total;
        let detail = format!(
            "{count} live objects have no copy but on suspect, failing or missing media: attach these, and repack them while \
             they can be read"
        );
        found.push(finding(Severity::Warning, "objects".to_owned(), detail));
    }
    found
}

fn saved(old: &OldBytes) -> String {
    let OldBytes { extent, medium, job } = old;
    match job {
        Some(job) => format!(
            "; old extent {extent} on medium {medium} still has its bytes: `respool job restore {job}` brings them back"
        ),
        None => format!(
            "; old extent {extent} on medium {medium} still has its bytes: erase nothing there, `respool extent show \
             {extent}` tells where they are"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i5_only_so_many_are_named_and_the_rest_is_counted() {
        let lost = |number| Lost {
            subject: format!("{number}"),
            media: "a".to_owned(),
            saved_by: None,
        };
        let found = findings((0..NAMED_MAX).map(lost).collect(), 120, 121);
        assert_eq!(found.len(), NAMED_MAX + 2);
        assert!(found[NAMED_MAX].detail.starts_with("20 more"), "{:?}", found[NAMED_MAX]);
        assert_eq!(found[NAMED_MAX + 1].severity, Severity::Warning);
        assert!(findings(vec![], 0, 0).is_empty());
    }
}
