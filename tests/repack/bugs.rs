//! What a bug in respoold costs: the job that met it, and nothing it held.

use super::house::{all_is_well, fill, job_of, mixed, site};

/// The steps at which a job breaks, and what it holds there: a grant, extents under way, a quarantined source.
const BREAKS: [&str; 4] = [
    "allocate.after_grant",
    "sync.after",
    "read_back.middle",
    "quarantine.after_commit",
];

#[test]
fn e05_a_job_that_panics_fails_as_a_bug_and_lets_go_of_its_sources() {
    let site = site(&["a", "b"]);
    let mut held = fill(&site, "things", &mixed(9), &["--tags", "a"]);
    for (round, step) in BREAKS.into_iter().enumerate() {
        let (from, to) = [("a", "b"), ("b", "a")][round % 2];
        site.faults(&format!("[[fault]]\npanic = \"{step}\"\n"));
        let repack = ["repack", from, "--to", to, "--quarantine", "0"];
        let broken = site.run(&repack);
        assert_eq!(broken.code, 70, "{step}: {broken:?}");
        let job = site.ok(&["job", "list"])["jobs"][0].clone();
        assert_eq!(
            (&job["state"], &job["error"]["code"]),
            (&"failed".into(), &"bug".into()),
            "{step}: {job:#}"
        );
        assert_eq!(
            site.medium(from)["adm_state"],
            "read_only",
            "{step}: neither claimed nor quarantined"
        );
        // The same respoold takes it up anew.
        let again = site.ok(&repack);
        assert_eq!(again["state"], "done", "{step}: {again:#}");
        assert_ne!(job_of(&again), job_of(&job));
        assert_eq!(site.medium(from)["adm_state"], "in_service", "{step}");
        held.extend(fill(&site, &format!("more-{round}"), &mixed(3), &["--tags", to]));
        all_is_well(&site, &held);
    }
}
